"""The jobs of a pipeline, and the triggers that start them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.dagster_internals import AssetJob
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.run_context import asset_key

_PRIORITY_TAG = "dagster/priority"  # Dagster's queue reads it
Starter: TypeAlias = dg.SensorDefinition | dg.ScheduleDefinition


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a job of a pipeline without a person.

    Attributes:
        name: in `automation.ingest_on` it starts the ingestion job, otherwise the retraining job.
        wanted: whether a pipeline has it.
        build: builds the sensor or schedule that starts the job; several where it watches several sources.
    """

    name: str
    wanted: Callable[[PipelineSpec], bool]
    build: Callable[[PipelineSpec, AssetJob], Starter | tuple[Starter, ...]]


def retrain_job(spec: PipelineSpec, assets: Sequence[str]) -> AssetJob:
    """Return the job `<pipeline>_retrain_job` over the assets from source to promotion."""
    return _job(spec, "retrain_job", assets, f"From the source to the promotion decision of {spec.name}.")


def ingest_job(spec: PipelineSpec, assets: Sequence[str]) -> AssetJob:
    """Return the job `<pipeline>_ingest_job` over the assets from source to validated rows."""
    return _job(spec, "ingest_job", assets, f"From the source to the validated rows of {spec.name}; trains nothing.")


def retrain_schedule(spec: PipelineSpec, job: AssetJob) -> dg.ScheduleDefinition:
    """Return `<pipeline>_retrain_schedule`, which requests the newest finished time partition."""
    partitions = partitions_of(spec)

    @dg.schedule(
        name=f"{spec.name}_retrain_schedule",
        job=job,
        cron_schedule=str(spec.automation.schedule),
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def retrain(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if partitions is None:
            return dg.RunRequest()
        with dg.partition_loading_context(context.scheduled_execution_time, context.instance):
            newest = partitions.get_last_partition_key()
        if newest is None:
            return dg.SkipReason("no partition is finished yet")
        return dg.RunRequest(partition_key=newest)

    return retrain


def _job(spec: PipelineSpec, name: str, assets: Sequence[str], description: str) -> AssetJob:
    priority = {_PRIORITY_TAG: str(spec.execution.priority)} if spec.execution.priority else {}
    return dg.define_asset_job(
        f"{spec.name}_{name}",
        # conditions make what depends on a champion or on rows, after the run
        selection=dg.AssetSelection.assets(*(asset_key(spec, asset) for asset in assets)),
        description=description,
        tags={"pipeline": spec.name, **priority},
    )
