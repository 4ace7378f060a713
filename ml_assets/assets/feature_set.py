"""`feature_set`: the rows after the steps of `features`, which the gate judges and the model sees."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg
from pydantic import JsonValue

from assay.data.dataset import Dataset
from assay.errors import LaterRowsError
from assay.features.feature_set import FeatureSet, feature_set_of
from assay.gate.raw_rules import carried, require_judged
from assay.markdown import escaped
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import classes_metadata, dataset_metadata, records_table
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.earlier_rows import earlier_partitions, source_rows_input
from ml_assets.pipeline.partitions import check_of_partitions
from ml_assets.pipeline.run_context import asset_key, location_of, partition_of, scope_of
from ml_assets.pipeline.upstream import joined_input, joined_inputs, note_rows
from resources.artifacts.feature_file import file_facts
from resources.artifacts.io_manager import ArtifactIOManager
from resources.data_sources import DataSources
from resources.joined_sources import joined_facts, joined_rows
from resources.schema_registry import SchemaRegistry

KNOWN_IN_TIME = "features_known_in_time"
"""The check that no row saw rows that were not known yet."""


def build_feature_set(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/feature_set` of a pipeline with `features`."""

    @pipeline_asset(
        spec,
        stage,
        description="Rows after the steps of `features`, under a frozen schema of their own.",
        checks=[
            check_of_partitions(
                spec,
                KNOWN_IN_TIME,
                asset_key(spec, stage.name),
                description="No row saw rows that were not known yet: without later rows each comes out the same.",
                blocking=True,
            )
        ],
        output_required=False,
        ins={"raw_dataset": source_rows_input(spec)},
        upstream=joined_inputs(spec),
    )
    def feature_set(
        context: dg.AssetExecutionContext,
        raw_dataset: Dataset,
        run_spec: PipelineSpec,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        **upstream: Any,
    ) -> Iterator[dg.Output[Dataset] | dg.AssetCheckResult]:
        require_judged(raw_dataset, run_spec, where=location_of(context))
        version = schema_registry.feature_version_of(run_spec)
        frozen_before = version.frozen() is not None
        try:
            joined = _joined(context, run_spec, data_sources, schema_registry, upstream)
            made = feature_set_of(
                raw_dataset, run_spec, version, where=location_of(context), joined=joined,
                earlier=earlier_partitions(context, run_spec, artifact_io_manager, partition_of(context)),
            )  # fmt: skip
        except LaterRowsError as error:
            text = f"{error.where}: {error.found}"
            yield dg.AssetCheckResult(check_name=KNOWN_IN_TIME, passed=False, description=escaped(text))
            raise
        for join in run_spec.features.other_sources if run_spec.features is not None else ():
            digest = joined[join.table].fingerprint.digest
            note_rows(context, artifact_io_manager, join.dataset.reference, digest)
        facts = _file(context, run_spec) | joined_facts(run_spec, joined)
        artifact_io_manager.add_facts(context.run.run_id, step_of(context).key, facts)
        yield dg.Output(
            carried(made.rows, raw_dataset),
            data_version=dg.DataVersion(made.rows.fingerprint.digest),
            metadata=_counts(made)
            | dataset_metadata(made.rows, [], run_spec.dataset.partitions.timezone, frozen_before=frozen_before)
            | classes_metadata(run_spec, version.frozen()),
        )
        yield dg.AssetCheckResult(check_name=KNOWN_IN_TIME, passed=True, description=escaped(made.known_in_time))

    return feature_set


def _file(context: dg.AssetExecutionContext, spec: PipelineSpec) -> dict[str, JsonValue]:
    """Return what the commit says of the file that other programs read."""
    features = spec.features
    return {} if features is None else file_facts(features.prefix, spec.name, partition_of(context), features.digest)


def _joined(
    context: dg.AssetExecutionContext,
    spec: PipelineSpec,
    sources: DataSources,
    registry: SchemaRegistry,
    upstream: Mapping[str, Any],
) -> dict[str, Dataset]:
    """Return the rows of the joined sources; those that are the same for all partitions are read once in a range."""
    found, partition, where = {}, partition_of(context), location_of(context)
    for join in spec.features.other_sources if spec.features is not None else ():
        value = upstream.get(joined_input(spec, join))
        read = partial(joined_rows, spec, join, partition, sources, registry, value, where=where)
        is_same = "{partition}" not in join.source and join.dataset.reference is None
        with scope_of(context, lasting=is_same) as scope:
            found[join.table] = scope.once(f"joined {join.table}", read)
    return found


def _counts(made: FeatureSet) -> dict[str, Any]:
    """Return the rows in and out, and what each condition dropped."""
    dropped = [
        {"step": each.step, "reason": each.reason, "rows in": each.rows_in, "dropped": each.dropped}
        for each in made.counts
    ]
    return {
        "rows in": made.rows_in,
        "rows out": made.rows.table.num_rows,
        **({"rows dropped by step": records_table(dropped)} if dropped else {}),
    }
