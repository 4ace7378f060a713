"""Schedules that retrain at fixed times.

Does not belong here: reactions to data (`sensors`).
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of


def retrain_schedule(spec: PipelineSpec, job: UnresolvedAssetJobDefinition) -> dg.ScheduleDefinition:
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
