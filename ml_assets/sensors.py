"""The sensor that sees new and rewritten objects of a source and starts a run for each.

Each object version is requested once: its run key names it, and requests, partitions and the sensor's state are handed
to Dagster together, so that a crash at any moment loses and repeats nothing.
Does not belong here: what an evaluation does (`assay.arrivals.ticking`).
"""

import time
from collections.abc import Callable

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.arrivals.failures import DeadLetter
from assay.arrivals.looking import Arrival, Circumstances
from assay.arrivals.partition_names import listing_pattern
from assay.arrivals.state import parse_state
from assay.arrivals.ticking import Tick, evaluate
from assay.specs import PipelineSpec
from ml_assets.failed_arrivals import failed_arrivals
from ml_assets.partitions import partitions_of
from ml_assets.run_context import asset_key
from resources.arrivals_store import ArrivalsStore
from resources.data_sources import DataSources


def new_data_sensor(spec: PipelineSpec, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Return `<pipeline>_new_data_sensor`.

    Args:
        spec: the pipeline.
        job: what is started: retraining, or reading and validating alone.

    Raises:
        SpecError: the source's objects do not tell which partition is new.
    """
    pattern = listing_pattern(spec.dataset)
    rules = Circumstances(
        spec.dataset, skip_existing=spec.automation.existing == "skip", has_partition=_partition_test(spec)
    )

    @dg.sensor(
        name=f"{spec.name}_new_data_sensor",
        job=job,
        minimum_interval_seconds=spec.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts {job.name} for every new or rewritten object of the source.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, data_sources: DataSources, arrivals_store: ArrivalsStore
    ) -> dg.SensorResult:
        state = parse_state(context.cursor, pattern)
        tick = evaluate(
            state,
            data_sources.listing(spec.dataset),
            arrivals_store.of(spec.name),
            failed_arrivals(context.instance, job.name, f"{spec.name}_new_data_sensor", state.failures),
            rules,
            max_retries=spec.automation.max_retries,
            now=time.time(),
        )
        context.log.info(tick.message)
        return _result(spec, tick, context.instance)

    return sensor


def _result(spec: PipelineSpec, tick: Tick, instance: dg.DagsterInstance) -> dg.SensorResult:
    return dg.SensorResult(
        run_requests=[_request(arrival) for arrival in tick.runs],
        skip_reason=None if tick.runs else tick.message,
        dynamic_partitions_requests=_new_partitions(spec, tick.runs, instance),
        asset_events=[_observation(spec, letter) for letter in tick.letters],
        cursor=tick.state.model_dump_json(),
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


def _observation(spec: PipelineSpec, letter: DeadLetter) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key(spec, "raw_dataset"),
        partition=letter.partition_key,
        description=f"given up after {letter.attempts} runs: {letter.reason}",
        metadata={f"dead_letter/{name}": value for name, value in letter.model_dump().items() if value is not None},
    )


def _partition_test(spec: PipelineSpec) -> Callable[[str], bool]:
    """Return whether a run of a partition can be started: a month exists once it has ended."""
    partitions = partitions_of(spec)
    if partitions is None or spec.dataset.partitions.by == "object":
        return lambda _: True
    return partitions.has_partition_key
