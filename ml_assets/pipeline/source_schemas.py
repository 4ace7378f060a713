"""The frozen schemas by which a model takes rows of its source, where steps lie between both."""

from assay.data.dataset import Dataset
from assay.results.intake import EXAMPLE_CHOICE, SourceSchemas
from assay.specs import PipelineSpec
from resources.artifacts.store import ArtifactStore
from resources.schema_registry import SchemaRegistry


def source_schemas(
    spec: PipelineSpec, registry: SchemaRegistry, artifacts: ArtifactStore, partition: str | None
) -> SourceSchemas | None:
    """Return the schemas of a pipeline with steps, and some rows of its source; None of one without steps."""
    if spec.features is None:
        return None
    source, made = registry.version_of(spec).frozen(), registry.feature_version_of(spec).frozen()
    if source is None or made is None:
        return None
    commit = artifacts.log.newest((spec.name, "raw_dataset"), partition)
    rows = artifacts.read(commit, Dataset).table.slice(0, EXAMPLE_CHOICE) if commit is not None else None
    return SourceSchemas(source, made, rows)
