"""The gate as a step: its inputs beside the rows (as-of moment, rows that passed before), and its published verdict."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from assay.data.dataset import ValidatedDataset
from assay.errors import SpecError
from assay.gate.gate import GateVerdict
from assay.gate.profile_page.page import to_html
from assay.specs import PipelineSpec
from ml_assets.pipeline.partitions import keys_of, partitions_of
from ml_assets.pipeline.run_context import attempt_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.artifacts.store import ArtifactStore
from resources.report_site import GATE_PAGE, ReportSite
from resources.store.commit_record import Commit

_NO_PAGE = """\
<!doctype html><html lang="en"><title>No profile</title>
<h1>No profile</h1><p>The page could not be drawn ({kind}). The report beside it is complete.</p></html>
"""


def as_of(context: dg.AssetExecutionContext) -> dt.datetime:
    """Return the end of a time partition, and otherwise the run's start; the same for every retry."""
    if context.has_partition_key and isinstance(context.assets_def.partitions_def, dg.TimeWindowPartitionsDefinition):
        end: dt.datetime = context.partition_time_window.end
        return end.astimezone(dt.UTC)
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if record is None:  # an ephemeral instance may keep no record
        return dt.datetime.now(dt.UTC)
    started = record.start_time or record.create_timestamp.timestamp()
    return dt.datetime.fromtimestamp(started, dt.UTC)


def reference_rows(
    context: dg.AssetExecutionContext, artifacts: ArtifactStore, spec: PipelineSpec
) -> ValidatedDataset | None:
    """Return the rows that `validation.distributions` compares with; None when it is not set, or none passed yet.

    Raises:
        SpecError: the reference is not a partition.
        StorageError: the store failed.
        DigestMismatchError: what is stored is not what was published.
    """
    rule = spec.validation.distributions
    if rule is None:
        return None
    partition = _reference_partition(context, spec, rule.reference)
    if partition is None and context.has_partition_key:
        return None
    accepted = next(_accepted(artifacts, tuple(context.asset_key.path), partition), None)
    if accepted is None:
        return None
    context.log.info("the columns are compared with version %d of %s", accepted.number, partition or "this asset")
    return artifacts.read(accepted, ValidatedDataset)


def _reference_partition(context: dg.AssetExecutionContext, spec: PipelineSpec, reference: str) -> str | None:
    """Return the partition to compare with; None for the first one, and without partitions."""
    partitions = partitions_of(spec)
    if reference == "previous":
        return None if partitions is None else _partition_before(context, partitions)
    if partitions is None or reference not in keys_of(context, partitions):
        raise SpecError(
            "the reference is not a partition of this pipeline's data",
            where=f"{spec.name}: validation.distributions.reference",
            found=repr(reference),
            expected="previous, or the key of a partition",
        )
    return reference


def _partition_before(context: dg.AssetExecutionContext, partitions: dg.PartitionsDefinition[str]) -> str | None:
    own = context.partition_key
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        before = partitions.get_prev_partition_window(partitions.time_window_for_partition_key(own).start)
        return before.start.strftime(partitions.fmt) if before else None
    # keys of objects are in the order in which they were first seen
    keys = keys_of(context, partitions)
    index = keys.index(own) if own in keys else 0
    return keys[index - 1] if index else None


def _accepted(artifacts: ArtifactStore, asset: tuple[str, ...], partition: str | None) -> Iterator[Commit]:
    """Yield the commits of data that passed, newest first; a refusal does not hide what passed before it."""
    for number in range(artifacts.log.newest_number(asset, partition), 0, -1):
        commit = artifacts.log.read(asset, partition, number)
        if commit.status == "published":
            yield commit


@dataclass(frozen=True, slots=True)
class VerdictAddresses:
    """Where people find a verdict."""

    report: str
    page: str
    url: str
    """Of the page on the site of `assay show`."""


def publish_verdict(
    context: dg.AssetExecutionContext,
    artifacts: ArtifactIOManager,
    verdict: GateVerdict,
    *,
    show_values: bool,
    report: str = "validation_report",
    site: ReportSite,
) -> VerdictAddresses:
    """Publish report and page in one commit.

    A passed verdict is published beside the data, as `<pipeline>/<report>`. A refusal is a version of the
    data itself, without data, so that later runs see it, too.
    """
    store, asset, partition = artifacts.artifacts(), tuple(context.asset_key.path), partition_of(context)
    attempt = attempt_of(context, artifacts)
    files = {GATE_PAGE: _page(context, verdict, show_values=show_values)}
    if verdict.accepted is not None:
        commit = store.publish((asset[0], report), partition, verdict.report, attempt, files)
    else:
        commit = store.reject(asset, partition, verdict.receipt, verdict.report, attempt, files)
        context.log.error(
            "the gate rejected the data; commit %d holds the report, nothing was published", commit.number
        )
    return VerdictAddresses(store.uri(commit), store.uri(commit, GATE_PAGE), site.page(commit, GATE_PAGE))


def _page(context: dg.AssetExecutionContext, verdict: GateVerdict, *, show_values: bool) -> str:
    try:
        return to_html(verdict.report, verdict.checked, verdict.schema, show_values=show_values)
    except Exception as error:  # noqa: BLE001 - a verdict is recorded even if its page cannot be drawn
        context.log.error("the profile page could not be drawn: %s", type(error).__name__)  # noqa: TRY400 - no values
        return _NO_PAGE.format(kind=type(error).__name__)
