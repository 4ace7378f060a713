"""The jobs that sensors and schedules start: one pipeline from source to promotion, or to validated rows alone.

Schedules that retrain at fixed times.
"""

from collections.abc import Sequence

import dagster as dg

from assay.specs import PipelineSpec
from ml_assets.dagster_internals import AssetJob
from ml_assets.pipeline.partitions import partitions_of
from ml_assets.pipeline.run_context import asset_key


def retrain_job(spec: PipelineSpec, assets: Sequence[str]) -> AssetJob:
    """Return the job `<pipeline>_retrain_job` over the assets from source to promotion."""
    return _job(spec, "retrain_job", assets, f"From the source to the promotion decision of {spec.name}.")


def ingest_job(spec: PipelineSpec, assets: Sequence[str]) -> AssetJob:
    """Return the job `<pipeline>_ingest_job` over the assets from source to validated rows."""
    return _job(spec, "ingest_job", assets, f"From the source to the validated rows of {spec.name}; trains nothing.")


def _job(spec: PipelineSpec, name: str, assets: Sequence[str], described: str) -> AssetJob:
    return dg.define_asset_job(
        f"{spec.name}_{name}",
        # what follows from a champion or from rows is made by conditions, once the run is over
        selection=dg.AssetSelection.assets(*(asset_key(spec, asset) for asset in assets)),
        partitions_def=partitions_of(spec),
        description=described,
        tags={"pipeline": spec.name},
    )


def retrain_schedule(spec: PipelineSpec, job: AssetJob) -> dg.ScheduleDefinition:
    """Return `<pipeline>_retrain_schedule`; with time partitions it asks for the newest finished one."""
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
