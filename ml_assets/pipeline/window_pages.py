"""The page of a window's drift as a step publishes it."""

from dataclasses import replace

import dagster as dg

from assay.reporting.drift_page import DriftDrawings, drift_verdict, to_html
from ml_assets.pipeline.run_context import attempt_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.report_pages import DRIFT_PAGES
from resources.report_site import DRIFT_PAGE
from resources.store.commit_record import Commit


def publish_drift_page(
    context: dg.AssetExecutionContext, artifacts: ArtifactIOManager, drawings: DriftDrawings
) -> Commit:
    """Publish the page of a window with its values as the next version of the series."""
    verdict = drift_verdict(drawings.report)
    attempt = replace(attempt_of(context, artifacts), properties={"verdict": verdict.words, "state": verdict.state})
    asset = (context.asset_key.path[0], DRIFT_PAGES)
    return artifacts.artifacts().publish(
        asset, partition_of(context), drawings, attempt, {DRIFT_PAGE: to_html(drawings)}
    )
