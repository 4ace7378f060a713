"""The sources that a pipeline's features join: fetched and read like its own, each under a frozen schema."""

from assay.data.dataset import Dataset
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec
from assay.specs.features import Join
from resources.data_sources import DataSources
from resources.schema_registry import SchemaRegistry


def joined_rows(
    spec: PipelineSpec, join: Join, partition: str | None, sources: DataSources, registry: SchemaRegistry, *, where: str
) -> Dataset:
    """Return the rows of one joined source.

    Args:
        spec: the pipeline.
        join: one of its joins.
        partition: fills `{partition}` in the source's address.
        sources: fetch the files.
        registry: freezes the schema of the first rows.
        where: asset and partition, for errors.

    Raises:
        SourceError: the source cannot be read.
        SchemaDriftError: it differs from its frozen schema.
    """
    where = f"{where}, join {join.table}"
    with sources.fetched(join.dataset, partition) as files:
        version = registry.joined_version_of(spec, join.table)
        return read_rows(files, join.dataset, version, where=where).partition(None, where=where)
