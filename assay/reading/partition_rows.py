"""All files of one partition as one dataset."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from assay.data.contract import OTHER_FILES, arrow_type, common_column, conform
from assay.data.dataset import Dataset
from assay.data.frozen_schema import FrozenSchema
from assay.data.preparation import prepare
from assay.data.schema import TableSchema
from assay.data.written_values import with_values_read
from assay.errors import EmptyDataError
from assay.reading.arrow_files import Layout
from assay.reading.batches import ReadOptions
from assay.reading.files import dialect_in, mapped_table
from assay.reading.sandbox import transcribe_in_child
from assay.specs.dataset import CsvDialect, DataFormat, DatasetSpec

_READERS = 2
"""Files read at once; each has a process of its own."""


class LocalFile(Protocol):
    """A file of the source, brought to this machine."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def uri(self) -> str:
        """Where it came from."""

    @property
    def data_format(self) -> DataFormat | None:
        """Its format, where the source knows it; else the spec says."""


class Transcriber(Protocol):
    """Reads one file into an Arrow file: `reading.transcribe`, or the same in a child process."""

    def __call__(self, path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout) -> None:
        """Write the rows of `path` to `target`."""


@dataclass(frozen=True, slots=True)
class ReadRows:
    """The rows of a source's files, before a partition is cut from them.

    Attributes:
        table: rows of all files, mapped into memory; moments and grouped numbers are read.
        options: how the files were read.
        dialect: how delimited text turned out to be written, where the pipeline asks for detection.
    """

    table: pa.Table
    options: ReadOptions
    dialect: CsvDialect | None


@dataclass(frozen=True, slots=True)
class ReadDataset:
    """What reading a partition gave.

    Attributes:
        dataset: its rows.
        dialect: how delimited text turned out to be written, where the pipeline asks for detection.
    """

    dataset: Dataset
    dialect: CsvDialect | None


def read_dataset(
    files: Sequence[LocalFile],
    spec: DatasetSpec,
    *,
    partition_key: str | None,
    where: str,
    frozen: FrozenSchema | None = None,
    transcriber: Transcriber | None = None,
) -> ReadDataset:
    """Read the files in order, each in a process of its own, and prepare their rows.

    Args:
        files: at least one file; later ones must keep the first one's columns.
        spec: the dataset.
        partition_key: the partition; None without partitions.
        where: asset and partition, for messages.
        frozen: the version's schema, if there is one: its texts are read as text, its dialect is used.
        transcriber: what reads a file; a confined child process unless given.

    Raises:
        SourceError: a file cannot be read.
        DataContractError: the rows do not have what the spec needs.
    """
    rows = read_rows(files, spec, where=where, frozen=frozen, transcriber=transcriber)
    return dataset_of(rows, spec, partition_key=partition_key, where=where, frozen=frozen)


def read_rows(
    files: Sequence[LocalFile],
    spec: DatasetSpec,
    *,
    where: str,
    frozen: FrozenSchema | None = None,
    transcriber: Transcriber | None = None,
) -> ReadRows:
    """Read the files in order, each in a process of its own; see `read_dataset`.

    Raises:
        SourceError: a file cannot be read.
        DataContractError: a column declared as datetime holds other text.
    """
    if not files:
        raise EmptyDataError("the source has no files", where=where, remedy="check dataset.source")
    read = transcriber or partial(transcribe_in_child, limits=spec.limits)
    options = options_of(spec, frozen)
    with tempfile.TemporaryDirectory(prefix="assay-rows-") as folder:

        def table_of(number: int, options: ReadOptions) -> pa.Table:
            file, target = files[number], Path(folder, f"{number}.arrow")
            read(file.path, _of_file(options, file), target, name=file.uri, layout="arrow")
            return mapped_table(target)

        first = table_of(0, options)
        # what is text in one file, as 00123, is text in the next, whose codes may all be without zeros
        texts = {field.name: field.type for field in first.schema if pa.types.is_string(field.type)}
        found = dialect_in(first) or options.dialect
        options = replace(options, dialect=found, frozen={**texts, **options.frozen})
        with ThreadPoolExecutor(_READERS) as pool:
            tables = [first, *pool.map(lambda number: table_of(number, options), range(1, len(files)))]
    rows = stacked([table.replace_schema_metadata() for table in tables], files)
    effective = spec.model_copy(update={"dialect": options.dialect})
    return ReadRows(with_values_read(rows, effective, frozen.dtypes if frozen else {}), options, dialect_in(first))


def dataset_of(
    rows: ReadRows,
    spec: DatasetSpec,
    *,
    partition_key: str | None,
    where: str,
    frozen: FrozenSchema | None = None,
) -> ReadDataset:
    """Prepare the rows of one partition; those of others may be cut from the same ones.

    Args:
        rows: of all files.
        spec: the dataset.
        partition_key: the partition; None without partitions.
        where: asset and partition, for messages.
        frozen: the version's schema, if there is one.

    Raises:
        DataContractError: the rows do not have what the spec needs.
    """
    dtypes = frozen.dtypes if frozen else {}
    effective = spec.model_copy(update={"dialect": rows.options.dialect})
    dataset = prepare(rows.table, effective, partition_key=partition_key, where=where, frozen=dtypes)
    return ReadDataset(dataset, rows.dialect or (frozen.dialect if frozen else None))


def is_same_for_all_partitions(spec: DatasetSpec) -> bool:
    """Return whether every partition is cut from the same files, by a column."""
    told = (spec.source, *(value for value in spec.parameters.values() if isinstance(value, str)))
    return spec.partitions.column is not None and not any("{partition}" in text for text in told)


def options_of(spec: DatasetSpec, frozen: FrozenSchema | None) -> ReadOptions:
    """Return how to read a dataset's files.

    Args:
        spec: the dataset.
        frozen: the version's schema, if there is one.
    """
    dtypes = {name: arrow_type(dtype) for name, dtype in (frozen.dtypes if frozen else {}).items()}
    return ReadOptions(
        data_format=spec.format,
        dialect=(frozen.dialect if frozen else None) or spec.dialect,
        member=spec.member,
        sheet=spec.sheet,
        frozen={name: dtype for name, dtype in dtypes.items() if dtype is not None},
    )


def _of_file(options: ReadOptions, file: LocalFile) -> ReadOptions:
    return options if file.data_format is None else replace(options, data_format=file.data_format)


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
    dtypes = {
        name: [_dtype_of_values(table.column(name)) for table in tables if name in table.column_names]
        for name in tables[0].column_names
    }
    common = TableSchema(version=1, columns=tuple(common_column(name, found) for name, found in dtypes.items()))
    pairs = zip(tables, files, strict=True)
    conformed = [conform(table, common, where=file.uri, against=OTHER_FILES) for table, file in pairs]
    return pa.concat_tables(conformed)


def _dtype_of_values(column: pa.ChunkedArray) -> pa.DataType:
    return pa.null() if column.null_count == len(column) else column.type
