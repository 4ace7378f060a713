"""`validated_dataset`: rows that passed the gate, with the receipt that proves it.

Write, audit, publish: the rules run before anything becomes visible. A refusal is published too, without data, so
that no later run can learn from what an earlier run refused.

The gate's report as checks, check results and metadata.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset, ValidatedDataset
from assay.gate.gate import GateVerdict, run_gate
from assay.gate.report import ColumnProfile, GateReport, RuleResult, failure_table
from assay.gate.rules import RULES, blocks
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.gate_inputs import as_of, reference_rows
from ml_assets.pipeline.gate_publishing import PublishedVerdict, fail_unless_a_check_does, publish_verdict
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager

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


def build_validated_dataset(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/validated_dataset` with one check per rule, blocking where the rule is."""

    @pipeline_asset(
        spec,
        stage,
        description="Rows that passed the data-quality gate, with their receipt.",
        checks=check_specs(spec, asset_key(spec, stage.name)),
        ins={"raw_dataset": own_input(spec, "raw_dataset")},
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
        published = publish_verdict(
            context, artifact_io_manager, verdict, raw_dataset.schema, show_values=run_spec.validation.show_values
        )
        if verdict.accepted is None:
            yield from check_results(verdict.report, published)
            fail_unless_a_check_does(verdict, spec)
            return
        yield dg.Output(
            verdict.accepted,
            data_version=dg.DataVersion(verdict.receipt.data_digest),
            metadata=gate_metadata(verdict, published),
        )
        yield from check_results(verdict.report, published)

    return validated_dataset
