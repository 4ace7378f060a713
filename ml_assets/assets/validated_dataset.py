"""`validated_dataset`: rows that passed the gate, with the receipt that proves it.

Write, audit, publish: the rules run before anything becomes visible. A refusal is published too, without data, so
that no later run can learn from what an earlier run refused.
Does not belong here: the rules.
"""

from collections.abc import Iterator

import dagster as dg

from assay.specs import PipelineSpec
from assay.tables.dataset import Dataset, ValidatedDataset
from assay.validation.gate import run_gate
from assay.validation.rules import RULES, blocks
from ml_assets.pipeline_asset import own_input, pipeline_asset
from ml_assets.presentation.gate import check_results, gate_metadata
from ml_assets.run_context import asset_key, partition_of, place_of
from ml_assets.run_parameters import RunParameters
from ml_assets.verdicts import publish_rejection, publish_report
from resources.artifact_io_manager import ArtifactIOManager


def build_validated_dataset(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/validated_dataset` with one blocking check per rule."""
    key = asset_key(spec, "validated_dataset")
    checks = [
        dg.AssetCheckSpec(rule.name, asset=key, description=rule.description, blocking=blocks(rule, spec.validation))
        for rule in RULES.values()
    ]

    @pipeline_asset(
        spec,
        "validated_dataset",
        stage="validation",
        kinds={"parquet", "pandera"},
        description="Rows that passed the data-quality gate, with their receipt.",
        checks=checks,
        ins={"raw_dataset": own_input(spec, "raw_dataset")},
        output_required=False,
    )
    def validated_dataset(
        context: dg.AssetExecutionContext,
        raw_dataset: Dataset,
        run_parameters: RunParameters,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[ValidatedDataset] | dg.AssetCheckResult]:
        run = run_parameters.applied_to(spec, context)
        verdict = run_gate(raw_dataset, run, where=place_of(context), partition=partition_of(context) or "")
        if verdict.accepted is None:
            publish_rejection(context, artifact_io_manager, verdict)
            yield from check_results(verdict.report)
            return
        publish_report(context, artifact_io_manager, verdict)
        yield dg.Output(
            verdict.accepted,
            data_version=dg.DataVersion(verdict.receipt.data_digest),
            metadata=gate_metadata(verdict),
        )
        yield from check_results(verdict.report)

    return validated_dataset
