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
from ml_assets.gate_circumstances import as_of, reference_rows
from ml_assets.pipeline_asset import own_input, pipeline_asset
from ml_assets.presentation.gate import check_results, check_specs, gate_metadata
from ml_assets.run_context import asset_key, partition_of, place_of
from ml_assets.run_parameters import RunParameters
from ml_assets.verdicts import fail_unless_a_check_does, publish_verdict
from resources.artifact_io_manager import ArtifactIOManager


def build_validated_dataset(spec: PipelineSpec) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/validated_dataset` with one check per rule, blocking where the rule is."""

    @pipeline_asset(
        spec,
        "validated_dataset",
        stage="validation",
        kinds={"parquet", "pandera"},
        description="Rows that passed the data-quality gate, with their receipt.",
        checks=check_specs(spec, asset_key(spec, "validated_dataset")),
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
        verdict = run_gate(
            raw_dataset,
            run,
            where=place_of(context),
            partition=partition_of(context) or "",
            as_of=as_of(context),
            reference=reference_rows(context, artifact_io_manager.artifacts(), run),
        )
        published = publish_verdict(
            context, artifact_io_manager, verdict, raw_dataset.schema, show_values=run.validation.show_values
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
