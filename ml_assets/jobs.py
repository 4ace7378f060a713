"""The jobs that sensors and schedules start: one pipeline from source to promotion, or to validated rows alone.

Does not belong here: when it starts. Pipelines that nothing starts by itself need no job: loading stays fast.
"""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assay.specs import PipelineSpec
from ml_assets.partitions import partitions_of
from ml_assets.run_context import asset_key

_INGESTED = ("raw_dataset", "validated_dataset")
_LEARNED = ("best_hyperparameters", "trained_model", "evaluation_report", "champion_model")


def retrain_job(spec: PipelineSpec) -> UnresolvedAssetJobDefinition:
    """Return the job `<pipeline>_retrain_job` over the assets from source to promotion."""
    described = f"From the source to the promotion decision of {spec.name}."
    return _job(spec, "retrain_job", (*_INGESTED, *_LEARNED), described)


def ingest_job(spec: PipelineSpec) -> UnresolvedAssetJobDefinition:
    """Return the job `<pipeline>_ingest_job` over the assets from source to validated rows."""
    return _job(spec, "ingest_job", _INGESTED, f"From the source to the validated rows of {spec.name}; trains nothing.")


def _job(spec: PipelineSpec, name: str, assets: Sequence[str], described: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        f"{spec.name}_{name}",
        # what follows from a champion or from rows is made by conditions, once the run is over
        selection=dg.AssetSelection.assets(*(asset_key(spec, asset) for asset in assets)),
        partitions_def=partitions_of(spec),
        description=described,
        tags={"pipeline": spec.name},
    )
