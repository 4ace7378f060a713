"""The sensor that sees new and rewritten objects of a source and retrains on them.

Each object version is requested once: the run key names it, and the cursor remembers what was seen. Requests and the
new cursor are handed over together, so that a crash between two ticks loses and repeats nothing.
Does not belong here: listing of objects (`resources.data_sources`), what arrived means (`assay.arrivals`).
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.arrivals import Arrival, arrivals_since, cursor_after, listing_pattern, parse_cursor
from assay.specs import PipelineSpec
from resources.data_sources import DataSources

_REQUESTS_PER_TICK = 50


def new_data_sensor(spec: PipelineSpec, job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """Return `<pipeline>_new_data_sensor`.

    Raises:
        SpecError: the source's objects do not tell which partition is new.
    """
    listing_pattern(spec.dataset)

    @dg.sensor(
        name=f"{spec.name}_new_data_sensor",
        job=job,
        minimum_interval_seconds=spec.automation.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Retrains {spec.name} on every new or rewritten object of its source.",
    )
    def sensor(context: dg.SensorEvaluationContext, data_sources: DataSources) -> dg.SensorResult | dg.SkipReason:
        seen = parse_cursor(context.cursor)
        objects = data_sources.objects(spec.dataset)
        arrivals = arrivals_since(seen, objects, spec.dataset, at_most=_REQUESTS_PER_TICK)
        if not arrivals:
            return dg.SkipReason(f"nothing new among {len(objects)} objects of {spec.dataset.source}")
        return dg.SensorResult(
            run_requests=[_request(arrival) for arrival in arrivals],
            dynamic_partitions_requests=_new_partitions(spec, arrivals, context.instance),
            cursor=cursor_after(seen, arrivals),
        )

    return sensor


def _request(arrival: Arrival) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=arrival.run_key,
        partition_key=arrival.partition_key,
        tags={"assay/arrived": ", ".join(arrival.uris)[:250]},
    )


def _new_partitions(
    spec: PipelineSpec, arrivals: list[Arrival], instance: dg.DagsterInstance
) -> list[dg.AddDynamicPartitionsRequest]:
    if spec.dataset.partitions.by != "object":
        return []
    name = f"{spec.name}_objects"
    keys = dict.fromkeys(str(arrival.partition_key) for arrival in arrivals)
    new = [key for key in keys if not instance.has_dynamic_partition(name, key)]
    return [dg.AddDynamicPartitionsRequest(name, new)] if new else []
