"""All files of a source as one table of rows."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from assay.data.contract import OTHER_FILES, common_schema, conform
from assay.data.frozen_schema import FrozenSchema
from assay.data.source_rows import SchemaVersion, SourceRows, source_rows
from assay.errors import EmptyDataError, Remedy, SourceChangedError
from assay.reading.batches import Layout, ReadOptions
from assay.reading.files import dialect_in, mapped_table, unseen_in
from assay.reading.sandbox import transcribe_in_child
from assay.scratch import scratch_folder
from assay.specs.dataset import CsvDialect, DataFormat, DatasetSpec

_READERS = 2
"""Files read at once; each has a process of its own."""


class LocalFile(Protocol):
    """A file of the source on this machine."""

    @property
    def path(self) -> Path:
        """The local path."""

    @property
    def uri(self) -> str:
        """The address that it came from."""

    @property
    def data_format(self) -> DataFormat | None:
        """Its format where the source knows it; None where the spec's format applies."""


class Transcriber(Protocol):
    """Reads one file into an Arrow file: `reading.transcribe`, or the same in a child process."""

    def __call__(self, path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout) -> None:
        """Write the rows of `path` to `target`."""


def read_rows(
    files: Sequence[LocalFile],
    spec: DatasetSpec,
    version: SchemaVersion | None = None,
    *,
    where: str,
    labelled: bool = True,
    transcriber: Transcriber | None = None,
) -> SourceRows:
    """Read the files in order, each in a process of its own, as rows from which partitions are cut.

    Args:
        files: at least one file; later ones must keep the first one's columns.
        spec: the dataset.
        version: its schema version: texts are read as text where they are frozen as text, and a frozen dialect is used;
            None where no schema is kept.
        where: asset and partition, for messages.
        labelled: whether the rows have a target, see `SourceRows`.
        transcriber: what reads a file; a confined child process unless given.

    Raises:
        SourceError: a file cannot be read.
        SchemaDriftError: a later file has other columns than the first.
        DataContractError: a column declared as datetime holds other text.
    """
    if not files:
        raise EmptyDataError("the source has no files", where=where, remedy=Remedy("check {}", "dataset.source"))
    frozen = version.frozen() if version is not None else None
    read = transcriber or partial(transcribe_in_child, limits=spec.limits)
    table, detected, unseen = _read_files(
        files, read_options_of(spec, frozen), set(frozen.dtypes) if frozen else set(), read
    )
    rows = source_rows(table, spec, version, frozen=frozen, detected=detected, labelled=labelled)
    return replace(rows, unseen=unseen)


def _read_files(
    files: Sequence[LocalFile], options: ReadOptions, frozen: set[str], transcriber: Transcriber
) -> tuple[pa.Table, CsvDialect | None, tuple[str, ...]]:
    """Return all rows, the dialect detected in the first file, and the texts for missing values that no file has."""
    with scratch_folder("rows") as folder:

        def table_of(number: int, options: ReadOptions) -> pa.Table:
            file, target = files[number], Path(folder, f"{number}.arrow")
            with unchanged(file.path, name=file.uri):
                transcriber(file.path, options_for(file, options), target, name=file.uri, layout="arrow")
            return mapped_table(target)

        first = table_of(0, options)
        # what is text in one file, as 00123, is text in the next, whose codes may all be without zeros
        texts = {field.name for field in first.schema if pa.types.is_string(field.type)} - frozen
        detected = dialect_in(first)
        later = replace(options, dialect=detected or options.dialect, texts=options.texts | texts)
        with ThreadPoolExecutor(_READERS) as pool:
            tables = [first, *pool.map(lambda number: table_of(number, later), range(1, len(files)))]
    unseen = set.intersection(*(set(unseen_in(table)) for table in tables))
    return _stacked([table.replace_schema_metadata() for table in tables], files), detected, tuple(sorted(unseen))


@contextmanager
def unchanged(path: Path, *, name: str) -> Iterator[None]:
    """Require that a file or folder is the same before and after it is read in the body of a `with`.

    Raises:
        SourceChangedError: it was written to; also in place of the body's error, whose cause may be half a file.
    """
    before = _states(path)
    failure: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised again below
        failure = error
    after = _states(path)
    if after != before:
        raise SourceChangedError(
            "the file changed while it was read",
            where=name,
            found=f"{_size(before):,} bytes before, {_size(after):,} bytes after",
            expected="a file that is complete",
            remedy="run again when the writer has finished; writers should rename a file once it is complete",
        )
    if failure is not None:
        raise failure


def _states(path: Path) -> dict[str, tuple[int, int, int]]:
    """Return size, time of change and time of status of a file, or of all files of a folder."""
    parts = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
    found = {}
    for part in parts:
        with suppress(FileNotFoundError):  # removed: its absence is the change
            state = part.stat()
            found[str(part)] = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return found


def _size(states: dict[str, tuple[int, int, int]]) -> int:
    return sum(size for size, *_ in states.values())


def is_same_for_all_partitions(spec: DatasetSpec) -> bool:
    """Return whether every partition is cut from the same files, by a column."""
    texts = (spec.source, *(value for value in spec.parameters.values() if isinstance(value, str)))
    is_cut = spec.partitions.column is not None and spec.reference is None
    return is_cut and not any("{partition}" in text for text in texts)


def read_options_of(spec: DatasetSpec, frozen: FrozenSchema | None = None) -> ReadOptions:
    """Return how the files of a dataset are read; by a frozen schema's dialect and texts where there is one."""
    dtypes = frozen.dtypes if frozen else {}
    return ReadOptions(
        data_format=spec.format,
        dialect=(frozen.dialect if frozen else None) or spec.dialect,
        member=spec.member,
        sheet=spec.sheet,
        orient=spec.orient,
        texts=frozenset(name for name, dtype in dtypes.items() if dtype == "string"),
    )


def options_for(file: LocalFile, options: ReadOptions) -> ReadOptions:
    """Return the options of one file: a source that knows its format decides it."""
    return options if file.data_format is None else replace(options, data_format=file.data_format)


def _stacked(tables: Sequence[pa.Table], files: Sequence[LocalFile]) -> pa.Table:
    """Append tables under the columns of the first; whole numbers widen to floats where a later file has fractions.

    Raises:
        SchemaDriftError: a later file has other columns, or values that the first one's dtypes cannot hold.
    """
    if len(tables) == 1:
        return tables[0]
    dtypes = {
        name: [_dtype_of_values(table.column(name)) for table in tables if name in table.column_names]
        for name in tables[0].column_names
    }
    common = common_schema(dtypes)
    pairs = zip(tables, files, strict=True)
    conformed = [conform(table, common, where=file.uri, origin=OTHER_FILES) for table, file in pairs]
    return pa.concat_tables(conformed)


def _dtype_of_values(column: pa.ChunkedArray) -> pa.DataType:
    return pa.null() if column.null_count == len(column) else column.type
