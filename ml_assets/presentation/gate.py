"""The gate's report as check results and metadata.

Does not belong here: judging rows.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.validation.gate import GateVerdict
from assay.validation.report import GateReport, RuleResult, failure_table
from ml_assets.presentation.tables import records_table


def check_results(report: GateReport) -> Iterator[dg.AssetCheckResult]:
    """Yield one check result for each rule, with a failure table where it failed."""
    for result in report.rules:
        yield dg.AssetCheckResult(
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity[result.severity],
            description=_sentence(result),
            metadata=_rule_metadata(result),
        )


def _sentence(result: RuleResult) -> str:
    if not result.configured:
        return "not configured"
    return f"observed {result.observed}; expected {result.expected}"


def _rule_metadata(result: RuleResult) -> dict[str, Any]:
    shown: dict[str, Any] = {"observed": result.observed, "expected": result.expected}
    if not result.passed:
        shown["failing rows"] = result.failing_rows
        shown["failing share"] = result.failing_share
        shown["failures"] = dg.MetadataValue.md(failure_table(result))
    return shown


def gate_metadata(verdict: GateVerdict) -> dict[str, Any]:
    """Return counts, digests and the profile of the judged rows."""
    report = verdict.report
    return {
        "rows read": report.rows_read,
        "rows dropped": report.rows_dropped,
        "rows judged": report.rows_judged,
        "rules digest": verdict.receipt.rules_digest,
        "data digest": verdict.receipt.data_digest,
        "profile": records_table([column.model_dump(mode="json") for column in report.profile]),
    }
