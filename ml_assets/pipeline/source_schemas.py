"""The frozen schemas by which a model takes rows of its source, where steps lie between both."""

from assay.data.dataset import Dataset
from assay.results.intake import EXAMPLE_CHOICE, SourceSchemas
from assay.specs import PipelineSpec
from resources.artifacts.store import ArtifactStore
from resources.data_sources import DataSources
from resources.joined_sources import joined_rows
from resources.schema_registry import SchemaRegistry


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
    joined = {join.table: registry.joined_version_of(spec, join.table).frozen() for join in spec.features.joins}
    where = f"{spec.name}/trained_model"
    tables = {
        join.table: joined_rows(spec, join, partition, sources, registry, where=where).table
        for join in spec.features.joins
        if join.as_of is None
    }
    return SourceSchemas(source, made, rows, {name: each for name, each in joined.items() if each}, tables)
