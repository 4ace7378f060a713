"""Making the gate's verdict visible in the store.

Does not belong here: the verdict.
"""

import dagster as dg

from assay.validation.gate import GateVerdict
from ml_assets.run_context import attempt_of, partition_of
from resources.artifact_store import ArtifactStore


def publish_rejection(context: dg.AssetExecutionContext, artifacts: ArtifactStore, verdict: GateVerdict) -> None:
    """Publish a refusal, so that later runs see it too; it names the report and no data."""
    commit = artifacts.reject(
        tuple(context.asset_key.path),
        partition_of(context),
        verdict.receipt,
        verdict.report,
        attempt_of(context),
    )
    context.log.error("the gate rejected the data; commit %d holds the report, nothing was published", commit.number)


def publish_report(context: dg.AssetExecutionContext, artifacts: ArtifactStore, verdict: GateVerdict) -> None:
    """Publish the report of a passed gate beside the data, as `<pipeline>/validation_report`."""
    pipeline = context.asset_key.path[0]
    artifacts.publish(
        (pipeline, "validation_report"),
        partition_of(context),
        verdict.report,
        attempt_of(context),
    )
