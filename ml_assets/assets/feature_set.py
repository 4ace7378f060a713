"""`feature_set`: the rows after the steps of `features`, which the gate judges and the model sees."""

from dataclasses import asdict
from typing import Any

import dagster as dg

from assay.data.dataset import Dataset
from assay.features.feature_set import FeatureSet, feature_set_of
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import classes_metadata, dataset_metadata, records_table
from ml_assets.pipeline.asset import Stage, own_input, pipeline_asset
from ml_assets.pipeline.run_context import location_of
from resources.schema_registry import SchemaRegistry


def build_feature_set(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/feature_set` of a pipeline with `features`."""

    @pipeline_asset(
        spec,
        stage,
        description="Rows after the steps of `features`, under a frozen schema of their own.",
        ins={"raw_dataset": own_input(spec, "raw_dataset")},
    )
    def feature_set(
        context: dg.AssetExecutionContext,
        raw_dataset: Dataset,
        run_spec: PipelineSpec,
        schema_registry: SchemaRegistry,
    ) -> dg.Output[Dataset]:
        version = schema_registry.feature_version_of(run_spec)
        made = feature_set_of(raw_dataset, run_spec, version, where=location_of(context))
        return dg.Output(
            made.rows,
            data_version=dg.DataVersion(made.rows.fingerprint.digest),
            metadata=_counts(made)
            | dataset_metadata(made.rows, [], run_spec.dataset.partitions.timezone)
            | classes_metadata(run_spec, version.frozen()),
        )

    return feature_set


def _counts(made: FeatureSet) -> dict[str, Any]:
    """Return the rows in and out, and what each condition dropped."""
    dropped = [asdict(each) for each in made.counts]
    return {
        "rows in": made.rows_in,
        "rows out": made.rows.table.num_rows,
        **({"rows dropped by step": records_table(dropped)} if dropped else {}),
    }
