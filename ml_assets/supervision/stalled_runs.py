"""Runs whose process died are ended, so that they are told of and started again.

Dagster's own monitoring notices the death of a run's process only while the code server that started it lives.
Does not belong here: signs of life (`resources.run_liveness`), starting again (`run_retries` in `dagster.yaml`).
"""

import time
from collections.abc import Mapping

import dagster as dg
from pydantic import ValidationError

from assay.specs.base import Spec
from resources.run_liveness import Heartbeat, heartbeats

_LOOK_SECONDS = 10
_PATIENCE_SECONDS = 35.0
_DEAD = "The process of this run has died: it was killed, or its machine was. Nothing more of it will be published."
_SILENT = f"The process of this run gave no sign of life for {_PATIENCE_SECONDS:.0f} s. It will publish nothing more."


class LastSign(Spec):
    """When a run's sign of life last changed, by the clock of the one who looks."""

    count: int
    seen_at: float


class SignsSeen(Spec):
    """What the sensor remembers between two looks."""

    runs: dict[str, LastSign] = {}

    def after(self, beats: Mapping[str, Heartbeat], now: float) -> "SignsSeen":
        """Return the memory after a look; runs that are over are forgotten."""
        return SignsSeen(
            runs={
                run_id: known
                if (known := self.runs.get(run_id)) is not None and known.count == beat.count
                else LastSign(count=beat.count, seen_at=now)
                for run_id, beat in beats.items()
            }
        )

    def silent(self, now: float) -> set[str]:
        """Return the runs that gave no new sign for too long."""
        return {run_id for run_id, sign in self.runs.items() if now - sign.seen_at > _PATIENCE_SECONDS}


@dg.sensor(
    name="stalled_run_sensor",
    minimum_interval_seconds=_LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process died, within a minute; Dagster's run retries start them again.",
)
def stalled_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the signs of life of all runs in progress."""
    seen, ended = look(context.instance, _remembered(context.cursor), time.time())
    context.update_cursor(seen.model_dump_json())
    return dg.SkipReason(
        f"ended {', '.join(ended)}" if ended else f"{len(seen.runs)} runs in progress give signs of life"
    )


def look(instance: dg.DagsterInstance, seen: SignsSeen, now: float) -> tuple[SignsSeen, list[str]]:
    """End the runs whose process has died.

    A process of this machine is looked for by its number. Of others only the signs of life tell.

    Args:
        instance: where runs and signs are recorded.
        seen: what was remembered from the look before.
        now: seconds, by the clock of this process.

    Returns:
        What is to be remembered, and the runs that were ended.
    """
    runs = _in_progress(instance)
    beats = heartbeats(instance, list(runs))
    seen = seen.after(beats, now)
    silent = seen.silent(now)
    ended = []
    for run_id, beat in beats.items():
        dead = not beat.process_lives() if beat.is_of_this_host() else run_id in silent
        if dead and _end(instance, run_id, _DEAD if beat.is_of_this_host() else _SILENT):
            ended.append(run_id)
    return seen, ended


def _in_progress(instance: dg.DagsterInstance) -> dict[str, dg.DagsterRun]:
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(statuses=statuses))}


def _end(instance: dg.DagsterInstance, run_id: str, why: str) -> bool:
    run = instance.get_run_by_id(run_id)  # its process may have ended by itself since it was listed
    if run is None or run.is_finished:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)
    return True


def _remembered(cursor: str | None) -> SignsSeen:
    try:
        return SignsSeen.model_validate_json(cursor or "{}")
    except ValidationError:
        return SignsSeen()  # written by another version: patience begins anew
