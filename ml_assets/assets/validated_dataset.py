"""`validated_dataset`: rows that passed the gate, with the receipt that proves it.

Write, audit, publish: the rules run before anything becomes visible. A refusal is published too, without data, so
that no later run can learn from rows that were refused.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset, ValidatedDataset
from assay.gate.gate import GateVerdict, run_gate
from assay.gate.raw_rules import require_judged
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.gate_checks import (
    as_paths,
    check_results,
    check_specs,
    configured_rules,
    observe_refusal,
    rejection,
)
from ml_assets.pipeline.gate_step import VerdictAddresses, as_of, publish_verdict, reference_rows
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.report_site import ReportSite

# the event log keeps every table that is shown
_MAX_COLUMNS = 200


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
        report_site: dg.ResourceParam[ReportSite],
    ) -> Iterator[dg.Output[ValidatedDataset] | dg.AssetCheckResult]:
        require_judged(raw_dataset, run_spec, where=location_of(context))
        verdict = run_gate(
            raw_dataset,
            run_spec,
            where=location_of(context),
            partition=partition_of(context) or "",
            as_of=as_of(context),
            reference=reference_rows(context, artifact_io_manager.artifacts(), run_spec),
        )
        addresses = publish_verdict(
            context,
            artifact_io_manager,
            verdict,
            show_values=run_spec.validation.show_values,
            site=report_site.of(run_spec.space),
        )
        if verdict.accepted is not None:
            yield dg.Output(
                verdict.accepted,
                data_version=dg.DataVersion(verdict.receipt.data_digest),
                metadata=_metadata(verdict, addresses),
            )
        yield from check_results(verdict.report, addresses, configured_rules(spec))
        if verdict.accepted is None:
            if not run_spec.space.experiment:  # a step of an experiment reports its checks as an observation
                observe_refusal(context, verdict, addresses)
            raise rejection(verdict, addresses)

    return validated_dataset


def _metadata(verdict: GateVerdict, addresses: VerdictAddresses) -> dict[str, Any]:
    """Return counts, warnings, digests, the profile of the checked rows, and where report and page are."""
    report = verdict.report
    return {
        "rows read": report.rows_read,
        "rows dropped": report.rows_dropped,
        "rows checked": report.rows_judged,
        "warnings": len(report.warned_rules),
        "rules that warn": ", ".join(report.warned_rules) or "none",
        **as_paths(addresses),
        "rules digest": verdict.receipt.rules_digest,
        "data digest": verdict.receipt.data_digest,
        "profile": records_table([column.model_dump(mode="json") for column in report.profile[:_MAX_COLUMNS]]),
    }
