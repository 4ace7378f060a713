"""The sources that a pipeline's features join: fetched and read like its own, each under a frozen schema."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from assay.data.dataset import Dataset
from assay.reading.source_files import read_rows
from assay.specs import PipelineSpec
from assay.specs.other_sources import OtherSource
from resources.asset_rows import source_files
from resources.data_sources import DataSources
from resources.schema_registry import SchemaRegistry


def joined_rows(
    spec: PipelineSpec,
    join: OtherSource,
    partition: str | None,
    sources: DataSources,
    registry: SchemaRegistry,
    value: Any = None,
    *,
    where: str,
) -> Dataset:
    """Return the rows of one joined source.

    Args:
        spec: the pipeline.
        join: one of its other sources.
        partition: fills `{partition}` in the source's address.
        sources: fetch the files.
        registry: freezes the schema of the first rows.
        value: of the asset that is the source.
        where: asset and partition, for errors.

    Raises:
        SourceError: the source cannot be read.
        SchemaDriftError: it differs from its frozen schema.
    """
    where = f"{where}, join {join.table}"
    with source_files(join.dataset, partition, sources, value) as files:
        version = registry.joined_version_of(spec, join.table)
        return read_rows(files, join.dataset, version, where=where).partition(None, where=where)


_FACT = "joined_sources"


def joined_facts(spec: PipelineSpec, joined: Mapping[str, Dataset]) -> dict[str, JsonValue]:
    """Return what the commit of a feature set says of the joined sources that are no assets, whose versions it reads.

    Args:
        spec: the pipeline.
        joined: the rows of each source, by its name.
    """
    joins = spec.features.other_sources if spec.features is not None else ()
    found: dict[str, JsonValue] = {
        join.table: joined[join.table].fingerprint.digest for join in joins if join.dataset.reference is None
    }
    return {_FACT: found} if found else {}


def recorded_digests(properties: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return by the name of each joined source the digest of the rows that a commit was made of, where it says so."""
    recorded = properties.get(_FACT)
    return {name: str(digest) for name, digest in recorded.items()} if isinstance(recorded, dict) else {}
