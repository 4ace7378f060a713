"""The job that sensors and schedules start: one pipeline from source to promotion.

Does not belong here: when it starts. Pipelines that nothing starts by itself need no job: loading stays fast.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of
from ml_assets.run_context import asset_key

_RETRAINED = (
    "raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model", "evaluation_report", "champion_model",
)  # fmt: skip


def retrain_job(spec: PipelineSpec) -> UnresolvedAssetJobDefinition:
    """Return the job `<pipeline>_retrain_job` over the assets from source to promotion."""
    return dg.define_asset_job(
        f"{spec.name}_retrain_job",
        # what follows from a champion or from rows is made by conditions, once the run is over
        selection=dg.AssetSelection.assets(*(asset_key(spec, name) for name in _RETRAINED)),
        partitions_def=partitions_of(spec),
        description=f"From the source to the promotion decision of {spec.name}.",
        tags={"pipeline": spec.name},
    )
