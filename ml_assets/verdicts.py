"""Making the gate's verdict visible in the store.

Does not belong here: the verdict.
"""

import dagster as dg

from assay.validation.gate import GateVerdict
from ml_assets.run_context import partition_of
from resources.artifact_io_manager import ArtifactIOManager
from resources.artifact_store import Attempt


def publish_rejection(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager, verdict: GateVerdict) -> None:
    """Publish a refusal, so that later runs see it too; it names the report and no data."""
    commit = artifacts.artifacts().reject(
        tuple(context.asset_key.path),
        partition_of(context),
        verdict.receipt,
        verdict.report,
        _attempt(context, artifacts),
    )
    context.log.error("the gate rejected the data; commit %d holds the report, nothing was published", commit.number)


def publish_report(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager, verdict: GateVerdict) -> None:
    """Publish the report of a passed gate beside the data, as `<pipeline>/validation_report`."""
    pipeline = context.asset_key.path[0]
    artifacts.artifacts().publish(
        (pipeline, "validation_report"), partition_of(context), verdict.report, _attempt(context, artifacts)
    )


def _attempt(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager) -> Attempt:
    run_id, step = context.run.run_id, context.asset_key.to_python_identifier()
    return Attempt(
        run_id=run_id,
        attempt_id=f"{run_id}-{step}-{context.retry_number}",
        inputs=artifacts.inputs_of(run_id, step),
    )
