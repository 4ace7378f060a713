"""All files of one partition as one dataset.

Does not belong here: fetching the files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from assay.errors import EmptyDataError
from assay.ingestion.batches import ReadOptions
from assay.ingestion.reading import read_table
from assay.specs.dataset import ColumnRole, DatasetSpec
from assay.tables.contract import conform
from assay.tables.dataset import Dataset
from assay.tables.preparation import prepare
from assay.tables.schema import ColumnSchema, TableSchema, dtype_name


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
    options = ReadOptions(spec.format, spec.dialect, spec.member, spec.sheet)
    tables = [read_table(file.path, options, name=file.uri) for file in files]
    return prepare(stacked(tables, files), spec, partition_key=partition_key, where=where)


def stacked(tables: Sequence[pa.Table], files: Sequence[LocalFile]) -> pa.Table:
    """Append tables under the columns of the first; whole numbers widen to floats where a later file has fractions.

    Args:
        tables: one for each file.
        files: where they came from, for messages.

    Raises:
        SchemaDriftError: a later file has other columns, or values that the first one's dtypes cannot hold.
    """
    if len(tables) == 1:
        return tables[0]
    common = TableSchema(version=1, columns=tuple(_common(name, tables) for name in tables[0].column_names))
    conformed = [conform(table, common, where=file.uri) for table, file in zip(tables, files, strict=True)]
    return pa.concat_tables([_one_layout(table, conformed) for table in conformed], promote_options="default")


def _one_layout(table: pa.Table, others: Sequence[pa.Table]) -> pa.Table:
    """Lay out texts alike where files do it differently; Arrow does not append dictionaries to plain strings."""
    for place, field in enumerate(table.schema):
        layouts = {other.schema.field(field.name).type for other in others}
        if dtype_name(field.type) == "string" and len(layouts) > 1:
            table = table.set_column(place, field.name, table.column(place).cast(pa.large_string()))
    return table


def _common(name: str, tables: Sequence[pa.Table]) -> ColumnSchema:
    columns = [table.column(name) for table in tables if name in table.column_names]
    dtypes = [column.type for column in columns if column.null_count < len(column)] or [columns[0].type]
    widened = pa.types.is_integer(dtypes[0]) and pa.float64() in dtypes
    return ColumnSchema(name=name, dtype="double" if widened else dtype_name(dtypes[0]), role=ColumnRole.IGNORED)
