"""`raw_dataset`: the source's rows, read and typed, not yet validated."""

from typing import Any

import dagster as dg

from assay.data.dataset import Dataset
from assay.reading.source_files import is_same_for_all_partitions, read_rows
from assay.specs import PipelineSpec
from ml_assets.assets.metadata import classes_metadata, dataset_metadata
from ml_assets.pipeline.asset import Stage, pipeline_asset
from ml_assets.pipeline.run_context import location_of, partition_of, scope_of
from ml_assets.pipeline.upstream import SOURCE, note_rows, source_input
from resources.artifacts.io_manager import ArtifactIOManager
from resources.asset_rows import source_files
from resources.data_sources import DataSources
from resources.quarantine import Quarantine
from resources.schema_registry import SchemaRegistry


def build_raw_dataset(spec: PipelineSpec, stage: Stage) -> dg.AssetsDefinition:
    """Return the asset `<pipeline>/raw_dataset`."""

    @pipeline_asset(
        spec,
        stage,
        description="Rows of the source, read strictly and converted to the frozen schema.",
        upstream=source_input(spec),
    )
    def raw_dataset(
        context: dg.AssetExecutionContext,
        run_spec: PipelineSpec,
        data_sources: DataSources,
        schema_registry: SchemaRegistry,
        quarantine: Quarantine,
        artifact_io_manager: dg.ResourceParam[ArtifactIOManager],
        **upstream: Any,
    ) -> dg.Output[Dataset]:
        where, partition, version = location_of(context), partition_of(context), schema_registry.version_of(run_spec)
        spec_of_rows = run_spec.source_dataset
        with scope_of(context, lasting=is_same_for_all_partitions(spec_of_rows)) as scope:
            opened = source_files(spec_of_rows, partition, data_sources, upstream.get(SOURCE))
            files = scope.once("files", lambda: scope.enter_context(opened))
            with quarantine.refusals(files, run_spec, where=where):
                rows = scope.once("rows", lambda: read_rows(files, spec_of_rows, version, where=where))
                dataset = rows.partition(partition, where=where)
        note_rows(context, artifact_io_manager, spec_of_rows.reference, files[0].version)
        if rows.unseen:
            context.log.warning("no field of the source has these null values: %s", ", ".join(map(repr, rows.unseen)))
        return dg.Output(
            dataset,
            data_version=dg.DataVersion(dataset.fingerprint.digest),
            metadata=dataset_metadata(dataset, [file.uri for file in files], run_spec.dataset.partitions.timezone)
            | ({} if run_spec.features else classes_metadata(run_spec, rows.frozen)),
        )

    return raw_dataset
