"""All files of one partition as one dataset.

Does not belong here: fetching the files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from assay.errors import EmptyDataError
from assay.ingestion.reading import read_table
from assay.specs.dataset import DatasetSpec
from assay.tables.contract import conform
from assay.tables.dataset import Dataset
from assay.tables.preparation import prepare
from assay.tables.roles import infer_schema


class LocalFile(Protocol):
    """A file of the source, brought to this machine."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def uri(self) -> str:
        """Where it came from."""


def read_dataset(files: Sequence[LocalFile], spec: DatasetSpec, *, partition_key: str | None, where: str) -> Dataset:
    """Read the files in order and prepare their rows.

    Args:
        files: at least one file; later ones must keep the first one's columns.
        spec: the dataset.
        partition_key: the partition; None without partitions.
        where: asset and partition, for messages.

    Raises:
        SourceError: a file cannot be read.
        DataContractError: the rows do not have what the spec needs.
    """
    if not files:
        raise EmptyDataError("the source has no files", where=where, remedy="check dataset.source")
    tables = [read_table(file.path, data_format=spec.format, dialect=spec.dialect, name=file.uri) for file in files]
    return prepare(_stacked(tables, files, spec), spec, partition_key=partition_key, where=where)


def _stacked(tables: list[pa.Table], files: Sequence[LocalFile], spec: DatasetSpec) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    plain = spec.model_copy(update={"columns": {}, "target": tables[0].column_names[0], "derive": {}})
    first = infer_schema(tables[0], plain)
    conformed = [conform(table, first, where=file.uri) for table, file in zip(tables, files, strict=True)]
    return pa.concat_tables(conformed, promote_options="permissive")
