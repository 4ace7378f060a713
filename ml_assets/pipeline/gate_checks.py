"""The gate's rules as asset checks: their declaration, their results, and the error of a refusal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assay.errors import GateRejectedError
from assay.gate.gate import GateVerdict
from assay.gate.report import GateReport, RuleResult, failure_table, rule_sentence
from assay.markdown import escaped
from assay.specs import PipelineSpec
from assay.specs.base import Spec
from assay.specs.rules import RULES, Rule
from ml_assets.pipeline.gate_step import VerdictAddresses
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import partition_of

RUN_PARAMETER_RULES = "run_parameter_rules_hold"
"""The check that reports the rules which only the run's parameters add; they have no check of their own."""
_FAILURE = "gate failure"
"""Key of the typed entry; the other entries are for people."""


def configured_rules(spec: PipelineSpec, rules: Mapping[str, Rule] = RULES) -> dict[str, Rule]:
    """Return those of some rules that a pipeline's file configures, by name."""
    return {name: rule for name, rule in rules.items() if rule.configured(spec)}


def check_specs(spec: PipelineSpec, asset: dg.AssetKey, rules: Mapping[str, Rule] = RULES) -> list[dg.AssetCheckSpec]:
    """Return one check for each configured rule, and one for all rules that run parameters may add."""
    return [
        *(
            check_of_partitions(
                spec, name, asset, description=rule.text, blocking=rule.severity_in(spec.validation) == "ERROR"
            )
            for name, rule in configured_rules(spec, rules).items()
        ),
        check_of_partitions(
            spec,
            RUN_PARAMETER_RULES,
            asset,
            description="Every rule holds that only the parameters of the run add.",
            blocking=True,
        ),
    ]


def check_results(
    report: GateReport, addresses: VerdictAddresses, configured: dict[str, Rule]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of `check_specs`, with a failure table and the page's address where one failed."""
    for result in report.rules:
        if result.name in configured:
            yield _check_result(result.name, [result], addresses, report.rows_judged)
    added = [result for result in report.rules if result.configured and result.name not in configured]
    yield _check_result(RUN_PARAMETER_RULES, added, addresses, report.rows_judged)


def _check_result(
    name: str, results: Sequence[RuleResult], addresses: VerdictAddresses, rows: int
) -> dg.AssetCheckResult:
    """Return what one check says of its rules: one for a rule's own check, any number for the check of added rules."""
    failed = [result for result in results if not result.passed]
    blocks = any(result.severity == "ERROR" for result in failed or results)
    observed = "; ".join(_of_rule(name, result, result.observed) for result in results)
    expected = "; ".join(_of_rule(name, result, result.expected) for result in results)
    said = "; ".join(_of_rule(name, result, rule_sentence(result, rows)) for result in results)
    metadata: dict[str, Any] = {"observed": observed, "expected": expected} if results else {}
    if failed:
        if rows_failed := max(result.failing_rows for result in failed):
            metadata["failing rows"] = rows_failed
            metadata["failing share"] = max(result.failing_share for result in failed)
        metadata["failures"] = dg.MetadataValue.md("\n\n".join(failure_table(result) for result in failed))
        metadata |= as_paths(addresses)
        failure = GateFailure(rows={result.name: result.failing_rows for result in failed}, report=addresses.report)
        metadata[_FAILURE] = dg.MetadataValue.json(failure.model_dump(mode="json"))
    is_configured = any(result.configured for result in results)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=escaped(said) if is_configured else "not configured",
        metadata=metadata,
    )


def observe_refusal(context: dg.AssetExecutionContext, verdict: GateVerdict, addresses: VerdictAddresses) -> None:
    """Report a refusal on the page of the refused partition, which shows nothing of a failed step otherwise."""
    rules = [
        f"{each.name}: {rule_sentence(each, verdict.report.rows_judged)}"
        for each in verdict.report.rules
        if not each.passed and each.severity == "ERROR"
    ]
    metadata = {
        "verdict": f"rejected by {', '.join(verdict.report.failed_rules)}; nothing was published",
        **{f"failed rule {number}": dg.MetadataValue.text(text) for number, text in enumerate(rules, start=1)},
        "rows checked": verdict.report.rows_judged,
        **as_paths(addresses),
    }
    context.log_event(dg.AssetObservation(context.asset_key, partition=partition_of(context), metadata=metadata))


class GateFailure(Spec):
    """What a failed check of the gate reports to programs."""

    rows: dict[str, int]
    """Failing rows by rule; 0 for a rule on the whole table."""
    report: str
    """Address of the report's JSON."""


def gate_failure(check: dg.AssetCheckEvaluation) -> GateFailure | None:
    """Return the failure that a check records; None where it records none."""
    entry = check.metadata.get(_FAILURE)
    return None if entry is None else GateFailure.model_validate(entry.value)


def _of_rule(check: str, result: RuleResult, text: str) -> str:
    return text if result.name == check else f"{result.name}: {text}"


def rejection(verdict: GateVerdict, addresses: VerdictAddresses) -> GateRejectedError:
    """Return the error of data that the gate refused; the run's page shows it, and its link leads to the verdict."""
    # not left to Dagster's blocking checks: a rule may block by the run's parameters alone
    return GateRejectedError(
        "the data-quality gate rejected this data",
        where=verdict.report.where,
        found=f"failed rules: {', '.join(verdict.receipt.failed_rules)}",
        remedy=f"read {addresses.url}; correct the data, or list the rules in validation.warn",
    )


def as_paths(addresses: VerdictAddresses) -> dict[str, Any]:
    """Return where report and page are, as metadata."""
    # paths too, because browsers follow no link from a page of the UI to a file, nor to s3://
    return {
        "page": dg.MetadataValue.url(addresses.url),
        "profile page": dg.MetadataValue.path(addresses.page),
        "report": dg.MetadataValue.path(addresses.report),
    }
