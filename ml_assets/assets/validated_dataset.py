"""`validated_dataset`: rows that passed the gate, with the receipt that proves it.

Write, audit, publish: the rules run before anything becomes visible. A refusal is published too, without data, so
that no later run can learn from rows that were refused.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset, ValidatedDataset
from assay.errors import GateRejectedError
from assay.gate.gate import GateVerdict, run_gate
from assay.gate.report import GateReport, RuleResult, failure_table
from assay.markdown import escaped
from assay.specs import PipelineSpec
from assay.specs.base import Spec
from assay.specs.rules import RULES, Rule
from ml_assets.assets.metadata import records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.gate_step import VerdictAddresses, as_of, publish_verdict, reference_rows
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager

RUN_PARAMETER_RULES = "run_parameter_rules_hold"
"""The check that reports the rules which only the run's parameters add; they have no check of their own."""
# the event log keeps every table that is shown
_MAX_COLUMNS = 200
_FAILURE = "gate failure"
"""Key of the typed entry; the other entries are for people."""


def build_validated_dataset(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/validated_dataset` with one check for each rule that the pipeline configures."""

    @pipeline_asset(
        spec,
        stage,
        description="Rows that passed the data-quality gate, with their receipt.",
        checks=check_specs(spec, asset_key(spec, stage.name)),
        ins={"raw_dataset": own_input(spec, "raw_dataset" if spec.features is None else "feature_set")},
        output_required=False,
    )
    def validated_dataset(
        context: dg.AssetExecutionContext,
        raw_dataset: Dataset,
        run_spec: PipelineSpec,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[ValidatedDataset] | dg.AssetCheckResult]:
        verdict = run_gate(
            raw_dataset,
            run_spec,
            where=location_of(context),
            partition=partition_of(context) or "",
            as_of=as_of(context),
            reference=reference_rows(context, artifact_io_manager.artifacts(), run_spec),
        )
        addresses = publish_verdict(
            context, artifact_io_manager, verdict, raw_dataset.schema, show_values=run_spec.validation.show_values
        )
        if verdict.accepted is not None:
            yield dg.Output(
                verdict.accepted,
                data_version=dg.DataVersion(verdict.receipt.data_digest),
                metadata=_metadata(verdict, addresses),
            )
        yield from check_results(verdict.report, addresses, configured_rules(spec))
        if verdict.accepted is None:
            raise _rejection(verdict)

    return validated_dataset


def configured_rules(spec: PipelineSpec) -> dict[str, Rule]:
    """Return the rules that a pipeline's file configures, by name."""
    return {name: rule for name, rule in RULES.items() if rule.configured(spec)}


def check_specs(spec: PipelineSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return one check for each configured rule, and one for all rules that run parameters may add."""
    return [
        *(
            check_of_partitions(
                spec, name, asset, description=rule.text, blocking=rule.severity_in(spec.validation) == "ERROR"
            )
            for name, rule in configured_rules(spec).items()
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
            yield _check_result(result.name, [result], addresses)
    added = [result for result in report.rules if result.configured and result.name not in configured]
    yield _check_result(RUN_PARAMETER_RULES, added, addresses)


def _check_result(name: str, results: Sequence[RuleResult], addresses: VerdictAddresses) -> dg.AssetCheckResult:
    """Return what one check says of its rules: one for a rule's own check, any number for the check of added rules."""
    failed = [result for result in results if not result.passed]
    blocks = any(result.severity == "ERROR" for result in failed or results)
    observed = "; ".join(_of_rule(name, result, result.observed) for result in results)
    expected = "; ".join(_of_rule(name, result, result.expected) for result in results)
    metadata: dict[str, Any] = {"observed": observed, "expected": expected} if results else {}
    if failed:
        metadata["failing rows"] = max(result.failing_rows for result in failed)
        metadata["failing share"] = max(result.failing_share for result in failed)
        metadata["failures"] = dg.MetadataValue.md("\n\n".join(failure_table(result) for result in failed))
        metadata |= _as_paths(addresses)
        failure = GateFailure(rows={result.name: result.failing_rows for result in failed}, report=addresses.report)
        metadata[_FAILURE] = dg.MetadataValue.json(failure.model_dump(mode="json"))
    is_configured = any(result.configured for result in results)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=escaped(f"observed {observed}; expected {expected}") if is_configured else "not configured",
        metadata=metadata,
    )


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


def _rejection(verdict: GateVerdict) -> GateRejectedError:
    # not left to Dagster's blocking checks: a rule may block by the run's parameters alone
    return GateRejectedError(
        "the data-quality gate rejected this data",
        where=verdict.report.where,
        found=f"failed rules: {', '.join(verdict.receipt.failed_rules)}",
        remedy="correct the data, or list the rules in validation.warn",
    )


def _metadata(verdict: GateVerdict, addresses: VerdictAddresses) -> dict[str, Any]:
    """Return counts, warnings, digests, the profile of the checked rows, and where report and page are."""
    report = verdict.report
    return {
        "rows read": report.rows_read,
        "rows dropped": report.rows_dropped,
        "rows checked": report.rows_judged,
        "warnings": len(report.warned_rules),
        "rules that warn": ", ".join(report.warned_rules) or "none",
        **_as_paths(addresses),
        "rules digest": verdict.receipt.rules_digest,
        "data digest": verdict.receipt.data_digest,
        "profile": records_table([column.model_dump(mode="json") for column in report.profile[:_MAX_COLUMNS]]),
    }


def _as_paths(addresses: VerdictAddresses) -> dict[str, Any]:
    # paths, because browsers follow no link from a page of the UI to a file, nor to s3://
    return {
        "profile page": dg.MetadataValue.path(addresses.page),
        "report": dg.MetadataValue.path(addresses.report),
    }
