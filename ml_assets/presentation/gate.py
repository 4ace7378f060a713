"""The gate's report as checks, check results and metadata.

Does not belong here: judging rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assay.specs import PipelineSpec
from assay.validation.gate import GateVerdict
from assay.validation.report import ColumnProfile, GateReport, RuleResult, failure_table
from assay.validation.rules import RULES, blocks
from ml_assets.partitions import check_of_partitions
from ml_assets.presentation.tables import records_table
from ml_assets.verdicts import PublishedVerdict

# the event log keeps every table that is shown
_MAX_COLUMNS = 200


def check_specs(spec: PipelineSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return one check for each rule, with the asset's partitions: a partition that fails is not hidden by the next."""
    return [
        check_of_partitions(
            spec, rule.name, asset, description=rule.description, blocking=blocks(rule, spec.validation)
        )
        for rule in RULES.values()
    ]


def check_results(report: GateReport, published: PublishedVerdict) -> Iterator[dg.AssetCheckResult]:
    """Yield one check result for each rule, with a failure table and the page's address where it failed."""
    for result in report.rules:
        yield dg.AssetCheckResult(
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity[result.severity],
            description=_sentence(result),
            metadata=_rule_metadata(result, published),
        )


def _sentence(result: RuleResult) -> str:
    if not result.configured:
        return "not configured"
    return f"observed {result.observed}; expected {result.expected}"


def _rule_metadata(result: RuleResult, published: PublishedVerdict) -> dict[str, Any]:
    shown: dict[str, Any] = {"observed": result.observed, "expected": result.expected}
    if not result.passed:
        shown["failing rows"] = result.failing_rows
        shown["failing share"] = result.failing_share
        shown["failures"] = dg.MetadataValue.md(failure_table(result))
        shown |= _addresses(published)
    return shown


def gate_metadata(verdict: GateVerdict, published: PublishedVerdict) -> dict[str, Any]:
    """Return counts, warnings, digests, the profile of the judged rows, and where report and page are."""
    report = verdict.report
    return {
        "rows read": report.rows_read,
        "rows dropped": report.rows_dropped,
        "rows judged": report.rows_judged,
        "warnings": len(report.warned_rules),
        "rules that warn": ", ".join(report.warned_rules) or "none",
        **_addresses(published),
        "rules digest": verdict.receipt.rules_digest,
        "data digest": verdict.receipt.data_digest,
        "profile": _profile_table(report.profile),
    }


def _addresses(published: PublishedVerdict) -> dict[str, Any]:
    # paths, because browsers follow no link from a page of the UI to a file, nor to s3://
    return {
        "profile page": dg.MetadataValue.path(published.page),
        "report": dg.MetadataValue.path(published.report),
    }


def _profile_table(profile: Sequence[ColumnProfile]) -> dg.TableMetadataValue | dg.TextMetadataValue:
    return records_table([column.model_dump(mode="json") for column in profile[:_MAX_COLUMNS]])
