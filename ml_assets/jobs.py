"""The job that sensors and schedules start: one pipeline from source to promotion.

Does not belong here: when it starts. Pipelines that nothing starts by itself need no job: loading stays fast.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of

_RETRAINED = (
    "raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model", "evaluation_report", "champion_model",
)  # fmt: skip


def retrain_job(spec: PipelineSpec) -> UnresolvedAssetJobDefinition:
    """Return the job `<pipeline>_retrain_job` over all assets of a pipeline."""
    return dg.define_asset_job(
        f"{spec.name}_retrain_job",
        # the look back over all partitions is for people, who ask for it
        selection=dg.AssetSelection.key_prefixes([spec.name]) - dg.AssetSelection.tag("stage", "backtest"),
        partitions_def=partitions_of(spec),
        description=f"From the source to the promotion decision of {spec.name}.",
        tags={"pipeline": spec.name},
    )
