"""`batch_predictions`: the champion's predictions, recomputed for a new champion and for new rows."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.schema import TableSchema
from assay.errors import DataContractError
from assay.features.feature_set import feature_set_of
from assay.promotion.champion import CurrentChampion
from assay.promotion.scoring import score
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec
from assay.specs.features import Join
from ml_assets.assets.metadata import dataset_metadata
from ml_assets.dagster_internals import step_of
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import when_champion_or_rows_changed
from ml_assets.pipeline.current_champion import current_champion, newest_validated
from ml_assets.pipeline.partitions import keys_of, partitions_of
from ml_assets.pipeline.run_context import location_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.asset_rows import stored_version
from resources.data_sources import DataSources
from resources.joined_sources import joined_rows
from resources.mlflow.registry import MlflowModelRegistry
from resources.schema_registry import SchemaRegistry, of_schema_version


def build_batch_predictions(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/batch_predictions`; without partitions, since it covers the newest rows."""

    @pipeline_asset(
        spec,
        stage,
        description="Predictions of the champion for the newest validated rows, or for the rows of scoring.source.",
        reads_all=("champion_model", "validated_dataset"),
        automation_condition=when_champion_or_rows_changed(spec),
        output_required=False,
    )
    def batch_predictions(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        model_registry: MlflowModelRegistry,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[Dataset]]:
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            return
        if run_spec.scored_dataset is None:
            validated = newest_validated(context, artifact_io_manager.artifacts(), run_spec)
            table, schema = validated.table, validated.schema
        else:
            table, schema = _source_rows(
                context, run_spec, champion, data_sources, schema_registry, artifact_io_manager
            )
        predictions = score(champion.model, table, schema, run_spec, where=location_of(context))
        yield dg.Output(
            predictions,
            data_version=dg.DataVersion(predictions.fingerprint.digest),
            metadata={
                "champion version": champion.version,
                **dataset_metadata(predictions, [], run_spec.dataset.partitions.timezone),
            },
        )

    return batch_predictions


def _source_rows(
    context: dg.AssetExecutionContext,
    spec: PipelineSpec,
    champion: CurrentChampion,
    sources: DataSources,
    registry: SchemaRegistry,
    artifacts: ArtifactIOManager,
) -> tuple[pa.Table, TableSchema]:
    """Return the rows of `scoring.source`, read under the schema version that the champion learned from.

    Raises:
        DataContractError: that version has no frozen schema any more, so the dtypes of its columns are not known.
    """
    where = location_of(context)
    spec = of_schema_version(spec, champion.model.manifest.features.version)
    version, dataset = registry.version_of(spec), spec.scored_dataset
    if dataset is None or version.frozen() is None:
        raise DataContractError(
            "the schema that the champion's rows were read by is not there",
            where=where,
            found=f"no frozen schema of version {spec.dataset.schema_version}",
            expected="the reviewed schema file, or the store's copy",
            remedy="restore the schema file, or train and promote a model under the present schema version",
        )
    with sources.fetched(dataset, None) as files:
        rows = read_rows(files, dataset, version, labelled=False, where=where).partition(None, where=where)
    if spec.features is not None:
        joined = {
            join.table: joined_rows(
                spec, join, None, sources, registry, _newest_rows(context, spec, join, artifacts), where=where
            )
            for join in spec.features.joins
        }
        version_of_features = registry.feature_version_of(spec)
        rows = feature_set_of(rows, spec, version_of_features, labelled=False, where=where, joined=joined).rows
    return rows.table, rows.schema


def _newest_rows(
    context: dg.AssetExecutionContext, spec: PipelineSpec, join: Join, artifacts: ArtifactIOManager
) -> Dataset | None:
    """Return the rows of the newest stored partition of a joined asset; None of a source of another kind."""
    reference, store = join.dataset.reference, artifacts.artifacts()
    if reference is None:
        return None
    version = stored_version(store, reference, reversed(keys_of(context, partitions_of(spec))))
    artifacts.add_version(context.run.run_id, step_of(context).key, version)
    return store.read(version, Dataset)
