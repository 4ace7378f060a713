"""`batch_predictions`: the champion's predictions, recomputed for a new champion and for new rows."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.schema import TableSchema
from assay.promotion.scoring import score
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import dataset_metadata
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.automation import when_champion_or_rows_changed
from ml_assets.pipeline.current_champion import current_champion, newest_validated
from ml_assets.pipeline.run_context import location_of
from resources.artifacts.io_manager import ArtifactIOManager
from resources.data_sources import DataSources
from resources.mlflow.registry import MlflowModelRegistry


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
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
    ) -> Iterator[dg.Output[Dataset]]:
        champion = current_champion(context, model_registry, run_spec)
        if champion is None:
            return
        table, schema = _rows(context, run_spec, data_sources, artifact_io_manager)
        predictions = score(champion.model, table, schema, run_spec, where=location_of(context))
        yield dg.Output(
            predictions,
            data_version=dg.DataVersion(predictions.fingerprint.digest),
            metadata={"champion version": champion.version, **dataset_metadata(predictions, [])},
        )

    return batch_predictions


def _rows(
    context: dg.AssetExecutionContext, spec: PipelineSpec, sources: DataSources, artifacts: ArtifactIOManager
) -> tuple[pa.Table, TableSchema]:
    """Return the rows to predict: the source's, or those of the newest partition that passed the gate."""
    dataset = spec.scored_dataset
    if dataset is None:
        validated = newest_validated(context, artifacts.artifacts(), spec)
        return validated.table, validated.schema
    with sources.fetched(dataset, None) as files:
        where = location_of(context)
        rows = read_rows(files, dataset, labelled=False, where=where).partition(None, where=where)
    return rows.table, rows.schema
