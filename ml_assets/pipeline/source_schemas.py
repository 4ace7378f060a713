"""The frozen schemas by which a model takes rows of its source, where steps lie between both."""

import pyarrow as pa

from assay.data.dataset import Dataset
from assay.results.intake import EXAMPLE_CHOICE, SourceSchemas
from assay.specs import PipelineSpec
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources
from resources.joined_sources import joined_rows
from resources.schema_registry import SchemaRegistry
from resources.store.expiry import inputs_of


def source_schemas(
    spec: PipelineSpec,
    registry: SchemaRegistry,
    artifacts: ArtifactStore,
    sources: DataSources,
    partition: str | None,
) -> SourceSchemas | None:
    """Return the schemas of a pipeline with steps, some rows of its source, and the rows that its model carries.

    None of a pipeline without steps.
    """
    if spec.features is None:
        return None
    source, made = registry.version_of(spec).frozen(), registry.feature_version_of(spec).frozen()
    if source is None or made is None:
        return None
    commit = artifacts.log.newest((spec.name, "raw_dataset"), partition)
    rows = artifacts.read(commit, Dataset).table.slice(0, EXAMPLE_CHOICE) if commit is not None else None
    joined = {join.table: registry.joined_version_of(spec, join.table).frozen() for join in spec.features.other_sources}
    tables = _look_up_tables(spec, registry, artifacts, sources, partition)
    return SourceSchemas(source, made, rows, {name: each for name, each in joined.items() if each}, tables)


def _look_up_tables(
    spec: PipelineSpec, registry: SchemaRegistry, artifacts: ArtifactStore, sources: DataSources, partition: str | None
) -> dict[str, pa.Table]:
    """Return the joined rows that do not change with time.

    Those that another IO manager keeps are not at hand: rows to predict have their columns.
    """
    read, tables = _versions_read(spec, artifacts, partition), {}
    for join in spec.features.other_sources if spec.features is not None else ():
        reference = join.dataset.reference
        value = read.get(reference.key) if reference is not None else None
        if not join.changes_with_time and (reference is None or value is not None):
            where = f"{spec.name}/trained_model"
            tables[join.table] = joined_rows(spec, join, partition, sources, registry, value, where=where).table
    return tables


def _versions_read(
    spec: PipelineSpec, artifacts: ArtifactStore, partition: str | None
) -> dict[tuple[str, ...], Dataset]:
    """Return the stored rows of other pipelines' and users' assets that the feature set was made of, by their keys."""
    made = artifacts.log.newest((spec.name, "feature_set"), partition)
    return {
        asset: artifacts.read(artifacts.log.read(asset, key, number), Dataset)
        for asset, key, number in (inputs_of(made) if made is not None else [])
        if asset[0] != spec.name and number
    }
