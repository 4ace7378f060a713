"""Runs of a sensor's arrivals that failed, as Dagster's records tell them.

Does not belong here: what becomes of them (`assay.arrivals.failures`).
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.tags import (
    PARTITION_NAME_TAG,
    RETRY_NUMBER_TAG,
    RUN_KEY_TAG,
    SENSOR_NAME_TAG,
    WILL_RETRY_TAG,
)
from dagster_shared.error import SerializableErrorInfo

from assay.arrivals.failures import LATE_SECONDS, MOST_WAITING, FailedRun, kind_of
from assay.arrivals.run_keys import parse_run_key
from assay.arrivals.state import FailuresSeen

_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
_ASSAY = "assay."


def failed_arrivals(instance: dg.DagsterInstance, job: str, sensor: str, seen: FailuresSeen) -> list[FailedRun]:
    """Return the runs that failed since the sensor last looked, oldest first; late records are returned again.

    Args:
        instance: holds the records.
        job: the job that the sensor starts.
        sensor: its name.
        seen: how far it looked.
    """
    records = instance.get_run_records(
        dg.RunsFilter(
            job_name=job,
            statuses=[dg.DagsterRunStatus.FAILURE],
            updated_after=dt.datetime.fromtimestamp(max(seen.until - LATE_SECONDS, 0), dt.UTC),
        ),
        limit=MOST_WAITING + len(seen.handled),
        order_by="update_timestamp",
        ascending=True,
    )
    return [
        _described(instance, record)
        for record in records
        if _is_left_to(sensor, record.dagster_run) and record.dagster_run.run_id not in seen.handled
    ]


def _is_left_to(sensor: str, run: dg.DagsterRun) -> bool:
    """Whether a sensor started a run, and neither Dagster nor a person starts it again."""
    by_a_person = run.parent_run_id is not None and RETRY_NUMBER_TAG not in run.tags
    by_dagster = run.tags.get(WILL_RETRY_TAG) == "true"
    return run.tags.get(SENSOR_NAME_TAG) == sensor and not by_a_person and not by_dagster


def _described(instance: dg.DagsterInstance, record: dg.RunRecord) -> FailedRun:
    run = record.dagster_run
    run_key = run.tags[RUN_KEY_TAG]
    uri, _, version = parse_run_key(run_key).arrival.rpartition("@")
    chain = list(_errors(instance, run.run_id))
    return FailedRun(
        run_id=run.run_id,
        run_key=run_key,
        moment=record.update_timestamp.replace(tzinfo=dt.UTC).timestamp(),
        uri=uri or None,
        version=version if uri else None,
        partition_key=run.tags.get(PARTITION_NAME_TAG),
        kind=kind_of(error.cls_name or "" for error in chain),
        reason=_reason(chain),
    )


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[SerializableErrorInfo]:
    for entry in instance.all_logs(run_id, of_type=_FAILURES):
        data = entry.get_dagster_event().event_specific_data
        error = getattr(data, "error", None)
        while error is not None:
            yield error
            error = error.cause


def _reason(chain: list[SerializableErrorInfo]) -> str:
    """Return the first line of the typed error; of other errors the type alone, for a message may hold anything."""
    told = next((error.message for error in chain if error.message.startswith(_ASSAY)), "")
    if told:
        return told.split("\n")[0].partition(": ")[2][:300]
    return chain[-1].cls_name or "an error" if chain else "the process ended without an error"
