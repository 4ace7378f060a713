"""Publishing of the gate's verdict: the report, and the page on which people read it."""

from dataclasses import dataclass

import dagster as dg

from assay.data.schema import TableSchema
from assay.gate.gate import GateVerdict
from assay.gate.profile_page.page import to_html
from ml_assets.pipeline.run_context import partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import Attempt

_PAGE = "profile.html"
_NO_PAGE = """\
<!doctype html><html lang="en"><title>No profile</title>
<h1>No profile</h1><p>The page could not be drawn ({kind}). The report beside it is complete.</p></html>
"""


@dataclass(frozen=True, slots=True)
class VerdictAddresses:
    """Where people find a verdict.

    Attributes:
        report: address of the report's JSON.
        page: address of the HTML page beside it.
    """

    report: str
    page: str


def publish_verdict(
    context: dg.AssetExecutionContext,
    artifacts: ArtifactIOManager,
    verdict: GateVerdict,
    schema: TableSchema,
    *,
    show_values: bool,
) -> VerdictAddresses:
    """Publish report and page in one commit.

    A passed verdict is published beside the data, as `<pipeline>/validation_report`. A refusal is a version of the
    data itself, without data, so that later runs see it, too.

    Args:
        context: of the step of `validated_dataset`.
        artifacts: where to.
        verdict: the gate's.
        schema: of the checked rows.
        show_values: whether the page may show values.
    """
    store, asset, partition = artifacts.artifacts(), tuple(context.asset_key.path), partition_of(context)
    attempt = _attempt(context, artifacts)
    files = {_PAGE: _page(context, verdict, schema, show_values=show_values)}
    if verdict.accepted is not None:
        commit = store.publish((asset[0], "validation_report"), partition, verdict.report, attempt, files)
    else:
        commit = store.reject(asset, partition, verdict.receipt, verdict.report, attempt, files)
        context.log.error(
            "the gate rejected the data; commit %d holds the report, nothing was published", commit.number
        )
    return VerdictAddresses(report=store.uri(commit), page=store.uri(commit, _PAGE))


def _page(context: dg.AssetExecutionContext, verdict: GateVerdict, schema: TableSchema, *, show_values: bool) -> str:
    try:
        return to_html(verdict.report, verdict.checked, schema, show_values=show_values)
    except Exception as error:  # noqa: BLE001 - a verdict is recorded even if its page cannot be drawn
        context.log.error("the profile page could not be drawn: %s", type(error).__name__)  # noqa: TRY400 - no values
        return _NO_PAGE.format(kind=type(error).__name__)


def _attempt(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager) -> Attempt:
    run_id, step = context.run.run_id, context.asset_key.to_python_identifier()
    return Attempt(
        run_id=run_id,
        attempt_id=f"{run_id}-{step}-{context.retry_number}",
        inputs=artifacts.inputs_of(run_id, step),
    )
