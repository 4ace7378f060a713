"""The sensor that starts a run for each new or rewritten object of a source, and the job that redrives dead letters.

Each object version is requested once: its run key identifies it. The sensor returns requests, partitions and its state
together, so that a crash at any moment loses and repeats nothing. Failed runs are found in Dagster's run records.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import dagster as dg
from pydantic import Field

from assay.arrivals.evaluation import SensorEvaluation, evaluate
from assay.arrivals.failures import LATE_SECONDS, MOST_WAITING, DeadLetter, FailedRun, FailureKind, kind_of
from assay.arrivals.names import listing_pattern, parse_run_key
from assay.arrivals.scan import Arrival, ScanOptions
from assay.arrivals.state import FailuresSeen, cursor_problem, parse_state
from assay.errors import SerialisedError, SourceNotFoundError, StorageError
from assay.markdown import escaped
from assay.specs import PipelineSpec
from assay.specs.dataset import DatasetSpec
from ml_assets.dagster_internals import AssetJob, error_of, run_tags_of
from ml_assets.pipeline.guarded_op import guarded_op
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.run_context import asset_key
from ml_assets.step_errors import error_chain
from resources.arrivals_store import ArrivalsFolder, ArrivalsStore
from resources.data_sources import DataSources

RunsOf: TypeAlias = Callable[[Sequence[Arrival], dg.DagsterInstance], Iterable[Arrival]]
_FAILURES = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


def failed_arrivals(instance: dg.DagsterInstance, job: str, sensor: str, seen: FailuresSeen) -> list[FailedRun]:
    """Return the runs that failed since the sensor's last evaluation, oldest first; late records are returned again."""
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
        _failed_run(instance, record)
        for record in records
        if _is_retried_by(sensor, record.dagster_run) and record.dagster_run.run_id not in seen.handled
    ]


def _is_retried_by(sensor: str, run: dg.DagsterRun) -> bool:
    """Return whether a retry of a run is left to its sensor, and to neither Dagster nor a person."""
    tags = run_tags_of(run)
    by_a_person = run.parent_run_id is not None and not tags.is_automatic_retry
    return tags.sensor == sensor and not by_a_person and not tags.will_be_retried


def _failed_run(instance: dg.DagsterInstance, record: dg.RunRecord) -> FailedRun:
    run, tags = record.dagster_run, run_tags_of(record.dagster_run)
    run_key = str(tags.run_key)
    uri, _, version = parse_run_key(run_key).arrival.rpartition("@")
    kind, reason = _cause(instance, run.run_id)
    return FailedRun(
        run_id=run.run_id,
        run_key=run_key,
        moment=record.update_timestamp.replace(tzinfo=dt.UTC).timestamp(),
        uri=uri or None,
        version=version if uri else None,
        partition_key=tags.partition,
        kind=kind,
        reason=reason,
    )


def _cause(instance: dg.DagsterInstance, run_id: str) -> tuple[FailureKind, str]:
    try:
        errors = list(_errors(instance, run_id))
    except Exception as error:  # noqa: BLE001 - one unreadable run may not stop the others: it becomes a dead letter
        return FailureKind.PERMANENT, f"the run's events cannot be read: {type(error).__name__}"
    return kind_of(error.code for error in errors), _reason(errors)


def _errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[SerialisedError]:
    for entry in instance.all_logs(run_id, of_type=_FAILURES):
        yield from error_chain(error_of(entry.get_dagster_event()))


def _reason(errors: list[SerialisedError]) -> str:
    """Return the typed error's sentence; of another error the class alone, since its message may hold any value."""
    if not errors:
        return "the process ended without an error"
    typed = next((error for error in errors if error.is_typed), errors[-1])
    return typed.headline.partition("\n")[0][:300]


def new_data_sensor(spec: PipelineSpec, job: AssetJob) -> dg.SensorDefinition:
    """Return `<pipeline>_new_data_sensor`.

    Raises:
        SpecError: the names of the source's objects do not identify the partition that is new.
    """
    watched = Watched(spec.dataset, spec.name, f"{spec.name}_new_data_sensor", spec.automation.existing == "skip")
    description = f"Starts {job.name} for every new or rewritten object of the source."
    return arrivals_sensor(spec, job, watched, lambda arrivals, _: list(arrivals), description=description)


@dataclass(frozen=True, slots=True)
class Watched:
    """A source whose objects a sensor watches.

    Attributes:
        dataset: how it is read, and the partitions that its objects make.
        kept_as: the name of its ledger.
        sensor: the name of the sensor.
        skip_existing: whether objects found by the first pass make no runs.
    """

    dataset: DatasetSpec
    kept_as: str
    sensor: str
    skip_existing: bool


def arrivals_sensor(
    spec: PipelineSpec, job: AssetJob, watched: Watched, runs_of: RunsOf, *, description: str
) -> dg.SensorDefinition:
    """Return the sensor that starts runs for what arrives at a source.

    Args:
        spec: the pipeline.
        job: that is started.
        watched: the source.
        runs_of: returns the runs to request for what arrived.
        description: of the sensor.

    Raises:
        SpecError: the names of the source's objects do not identify the partition that is new.
    """
    pattern = listing_pattern(watched.dataset)
    options = ScanOptions(
        watched.dataset,
        skip_existing=watched.skip_existing,
        has_partition=_partition_test(spec),
        rejection_of=_rejection_test(spec),
    )

    @dg.sensor(
        name=watched.sensor,
        job=job,
        minimum_interval_seconds=spec.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext, data_sources: DataSources, arrivals_store: ArrivalsStore
    ) -> dg.SensorResult:
        problem = cursor_problem(context.cursor)
        if problem:
            context.log.error(
                "the cursor cannot be used (%s): the source is scanned anew, and what ran is not repeated", problem
            )
        state, source = parse_state(context.cursor, pattern), data_sources.listing(watched.dataset)
        evaluation = evaluate(
            state,
            source,
            arrivals_store.of(watched.kept_as),
            failed_arrivals(context.instance, job.name, watched.sensor, state.failures),
            replace(options, unchanged_scans=0 if source.appears_whole else spec.automation.unchanged_scans),
            max_retries=spec.automation.max_retries,
            now=time.time(),
        )
        context.log.info(evaluation.message)
        runs = tuple(runs_of(evaluation.runs, context.instance))
        return _result(spec, replace(evaluation, runs=runs), context.instance)

    return sensor


def _result(spec: PipelineSpec, evaluation: SensorEvaluation, instance: dg.DagsterInstance) -> dg.SensorResult:
    return dg.SensorResult(
        run_requests=[_request(arrival) for arrival in evaluation.runs],
        skip_reason=None if evaluation.runs else evaluation.message,
        dynamic_partitions_requests=_new_partitions(spec, evaluation.runs, instance),
        asset_events=[_observation(spec, each) for each in evaluation.dead_letters],
        cursor=evaluation.state.model_dump_json(),
    )


def _request(arrival: Arrival) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=arrival.run_key,
        partition_key=arrival.partition_key,
        tags={"assay/arrived": (arrival.uri or "all objects")[:250]},
    )


def _new_partitions(
    spec: PipelineSpec, arrivals: tuple[Arrival, ...], instance: dg.DagsterInstance
) -> list[dg.AddDynamicPartitionsRequest]:
    if spec.dataset.partitions.by != "object":
        return []
    name = f"{spec.name}_objects"
    keys = dict.fromkeys(str(arrival.partition_key) for arrival in arrivals)
    new = [key for key in keys if not instance.has_dynamic_partition(name, key)]
    return [dg.AddDynamicPartitionsRequest(name, new)] if new else []


def _observation(spec: PipelineSpec, dead_letter: DeadLetter) -> dg.AssetObservation:
    facts = dead_letter.model_dump()
    return dg.AssetObservation(
        asset_key(spec, "raw_dataset"),
        partition=dead_letter.partition_key,
        description=escaped(f"given up after {dead_letter.attempts} runs: {dead_letter.reason}"),
        metadata={f"dead_letter/{name}": value for name, value in facts.items() if value is not None},
    )


def _partition_test(spec: PipelineSpec) -> Callable[[str], bool]:
    """Return the test whether a partition exists; a month exists once it has ended."""
    partitions = partitions_of(spec)
    if partitions is None or spec.dataset.partitions.by == "object":
        return lambda _: True
    return partitions.has_partition_key


def _rejection_test(spec: PipelineSpec) -> Callable[[str], str]:
    """Return the test why a key can never be a partition."""
    return spec.dataset.partitions.rejection_of if spec.dataset.partitions.is_time else lambda _: ""


class RedriveConfig(dg.Config):
    """Which dead letters are redriven."""

    pipeline: str = Field(
        description="The pipeline whose new-data sensor gave them up; `<pipeline>.<table>` for a source that it joins."
    )
    uri: str | None = Field(default=None, description="The object; all dead letters of the pipeline unless set.")


@guarded_op(description="Order the redrive of dead letters.")
def order_redrive(
    context: dg.OpExecutionContext,
    config: RedriveConfig,
    arrivals_store: ArrivalsStore,
) -> int:
    """Order dead letters to be redriven at the sensor's next evaluation; returns how many."""
    arrivals = arrivals_store.of(config.pipeline)
    dead_letters = dict(_readable(arrivals, context.log))
    ordered = {name: each for name, each in dead_letters.items() if config.uri in {None, each.uri}}
    if not ordered:
        raise SourceNotFoundError(
            "there is no such dead letter",
            where=f"{config.pipeline}, {config.uri or 'any object'}",
            expected=", ".join(sorted(str(each.uri) for each in dead_letters.values())),
            remedy="see the message of the sensor's last evaluation",
        )
    for name, each in ordered.items():
        arrivals.order_redrive(name)
        context.log.info("%s is redriven at the sensor's next evaluation", each.uri or config.pipeline)
    return len(ordered)


def _readable(arrivals: ArrivalsFolder, log: dg.DagsterLogManager) -> Iterator[tuple[str, DeadLetter]]:
    for name in arrivals.dead_letters().names:
        try:
            yield name, arrivals.dead_letter(name)
        except StorageError as error:
            if error.transient:
                raise
            log.exception("the dead letter %s is left out", name)


@dg.job(description="Redrive the arrivals that a pipeline's new-data sensor gave up.")
def arrivals_redrive_job() -> None:
    """One step: `order_redrive`."""
    order_redrive()
