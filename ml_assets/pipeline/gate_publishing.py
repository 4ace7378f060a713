"""Making the gate's verdict visible in the store: the report, and the page on which people read it."""

from dataclasses import dataclass

import dagster as dg

from assay.data.schema import TableSchema
from assay.errors import GateRejectedError
from assay.gate.gate import GateVerdict
from assay.gate.profile_page.page import to_html
from assay.gate.rules import RULES, blocks
from assay.specs import PipelineSpec
from ml_assets.pipeline.run_context import partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import Attempt
from resources.store.commit_record import Commit

_PAGE = "profile.html"
_NO_PAGE = """\
<!doctype html><html lang="en"><title>No profile</title>
<h1>No profile</h1><p>The page could not be drawn ({kind}). The report beside it is whole.</p></html>
"""


@dataclass(frozen=True, slots=True)
class PublishedVerdict:
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
) -> PublishedVerdict:
    """Publish report and page in one commit.

    Those of a passed gate stand beside the data, as `<pipeline>/validation_report`. A refusal is a version of the
    data itself, without data, so that later runs see it too.

    Args:
        context: of the step of `validated_dataset`.
        artifacts: where to.
        verdict: the gate's.
        schema: of the judged rows.
        show_values: whether the page may show values.
    """
    store, asset, partition = artifacts.artifacts(), tuple(context.asset_key.path), partition_of(context)
    attempt = _attempt(context, artifacts)
    pages = {_PAGE: _page(context, verdict, schema, show_values=show_values)}
    if verdict.accepted is not None:
        commit = store.publish((asset[0], "validation_report"), partition, verdict.report, attempt, pages)
    else:
        commit = store.reject(asset, partition, verdict.receipt, verdict.report, attempt, pages)
        context.log.error(
            "the gate rejected the data; commit %d holds the report, nothing was published", commit.number
        )
    return _addresses(artifacts, commit)


def _page(context: dg.AssetExecutionContext, verdict: GateVerdict, schema: TableSchema, *, show_values: bool) -> str:
    try:
        return to_html(verdict.report, verdict.judged, schema, show_values=show_values)
    except Exception as error:  # noqa: BLE001 - a verdict is recorded whatever the data does to its picture
        context.log.error("the profile page could not be drawn: %s", type(error).__name__)  # noqa: TRY400 - no values
        return _NO_PAGE.format(kind=type(error).__name__)


def _addresses(artifacts: ArtifactIOManager, commit: Commit) -> PublishedVerdict:
    store = artifacts.artifacts()
    return PublishedVerdict(report=store.uri(commit), page=store.uri(commit, _PAGE))


def fail_unless_a_check_does(verdict: GateVerdict, spec: PipelineSpec) -> None:
    """Fail the step when no check of a refusal does: what blocks in this run alone was declared as a warning.

    Args:
        verdict: a refusal.
        spec: the pipeline as its file says, from which the checks were declared.

    Raises:
        GateRejectedError: none of the rules that failed blocks in the pipeline's file.
    """
    failed = verdict.receipt.failed_rules
    if not any(blocks(RULES[name], spec.validation) for name in failed):
        raise GateRejectedError(
            "the data-quality gate rejected this data",
            where=verdict.report.where,
            found=f"failed rules: {', '.join(failed)}",
            remedy="mend the data, or let the rules warn in this run",
        )


def _attempt(context: dg.AssetExecutionContext, artifacts: ArtifactIOManager) -> Attempt:
    run_id, step = context.run.run_id, context.asset_key.to_python_identifier()
    return Attempt(
        run_id=run_id,
        attempt_id=f"{run_id}-{step}-{context.retry_number}",
        inputs=artifacts.inputs_of(run_id, step),
    )
