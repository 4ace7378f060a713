"""One file of any format, transcribed to an Arrow or Parquet file of plain dtypes in bounded memory."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import EmptyDataError, Remedy, SourceError, SourceNotFoundError, UnsupportedFormatError
from assay.reading.batches import BatchStream, Layout, ReadOptions, TypesTooNarrowError, with_plain_types
from assay.reading.compression import unpacked
from assay.reading.defects import Defect, defect_error, named, require_few_columns, require_unique
from assay.reading.delimited.detection import detect_dialect
from assay.reading.registry import chosen_format, is_known
from assay.scratch import scratch_folder
from assay.specs.dataset import CsvDialect, DataFormat

_DIALECT = "assay.dialect"
_UNSEEN = "assay.unseen_null_values"


def transcribe(path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout) -> None:
    """Read a file and write its rows, at least one, to `target`, which appears only when all rows are written.

    Args:
        path: a local file, or a folder of Parquet files.
        options: how to read it.
        target: the file to write.
        name: how the source is called in messages, e.g. its URI.
        layout: of the target.

    Raises:
        SourceError: missing file, unknown format, a defect of the bytes, unnamed, repeated or nested columns.
        EmptyDataError: no row.
    """
    try:
        with scratch_folder("files") as folder, named(name):
            if not path.exists():
                raise SourceNotFoundError("the file does not exist", remedy=Remedy("correct {}", "dataset.source"))
            plain, inner = unpacked(path, name, Path(folder), options.member)
            # an archive's own name says the format where its member's does not
            chosen = chosen_format(inner if is_known(inner) else name, plain, options.data_format)
            if plain.is_file() and plain.stat().st_size == 0:
                raise EmptyDataError("the file is empty", found="0 bytes", expected="a header and rows")
            _require_json_for_orient(chosen.name, options)
            notes = {}
            if options.dialect.detect and chosen.delimiter:
                detected = detect_dialect(plain, options.dialect, delimiter=chosen.delimiter)
                options, notes = replace(options, dialect=detected), {_DIALECT: detected.model_dump_json()}
            _write(chosen.reader(plain, options), target, layout, notes)
    except OSError as error:
        raise SourceError("the file cannot be read", where=name, found=str(error.strerror or error)) from error


def _require_json_for_orient(found: str, options: ReadOptions) -> None:
    if options.orient is not None and found != DataFormat.JSON:
        raise UnsupportedFormatError(
            "a layout of JSON is set, and the file has another format",
            found=f"format {found}, orient {options.orient}",
            expected="a JSON document",
            remedy=Remedy("leave out {}, or set {} to json", "dataset.orient", "dataset.format"),
        )


def read_table(path: Path, options: ReadOptions, *, name: str = "") -> pa.Table:
    """Return what `transcribe` reads in a local file, in this process, without a limit of memory or time."""
    with scratch_folder("files") as folder:
        target = Path(folder) / "table.arrow"
        transcribe(path, options, target, name=name or str(path), layout="arrow")
        return mapped_table(target)


def mapped_table(path: Path) -> pa.Table:
    """Return an Arrow file's table, mapped into memory; it stays usable after the file is unlinked."""
    with pa.memory_map(str(path)) as file:
        reader = pa.ipc.open_file(file)
        table, batches = reader.read_all(), reader.num_record_batches
        found = dict(reader.get_batch_with_custom_metadata(batches - 1)[1] or {}) if batches else {}
        return table.replace_schema_metadata({**(table.schema.metadata or {}), **found}) if found else table


def dialect_in(table: pa.Table) -> CsvDialect | None:
    """Return the dialect that was detected when a table was transcribed; None where none was."""
    recorded = (table.schema.metadata or {}).get(_DIALECT.encode())
    return CsvDialect.model_validate_json(recorded) if recorded else None


def unseen_in(table: pa.Table) -> tuple[str, ...]:
    """Return the texts for missing values that no field of a transcribed file has."""
    recorded = (table.schema.metadata or {}).get(_UNSEEN.encode())
    return tuple(json.loads(recorded)) if recorded else ()


def _write(stream: BatchStream, target: Path, layout: Layout, notes: dict[str, str]) -> None:
    while True:
        plain = with_plain_types(stream)
        _require_usable_names(plain.schema.names)
        try:
            with table_sink(target, plain.schema.with_metadata(notes), layout) as sink:
                for batch in plain.batches:
                    sink.write(batch)
                if sink.rows == 0:
                    raise EmptyDataError(
                        "there are no rows",
                        found=f"a header of {len(plain.schema)} columns",
                        expected="at least one row",
                        remedy="check what wrote the file",
                    )
                if plain.unseen:
                    sink.note({_UNSEEN: json.dumps(sorted(plain.unseen))})
                return
        except TypesTooNarrowError as narrow:
            if stream.again is None:
                raise
            stream = stream.again(narrow)


def _require_usable_names(names: list[str]) -> None:
    require_few_columns(len(names))
    if not names:
        raise EmptyDataError("there are no columns", expected="at least one column")
    if "" in names:
        number, what = str(names.index("") + 1), "a column has no name"
        raise defect_error(Defect.UNNAMED_COLUMN, what, column=number, remedy="name every column")
    require_unique(names)


_GROUP_BYTES = 32 << 20
_MOST_ROWS = 1 << 20


class TableSink:
    """Collects batches into row groups: memory stays bounded and Parquet efficient.

    A thread of its own encodes a group while the next one is collected.

    Attributes:
        rows: written so far.
    """

    def __init__(self, writer: pq.ParquetWriter | pa.RecordBatchFileWriter, schema: pa.Schema, layout: Layout) -> None:
        self.rows = 0
        self._writer = writer
        self._schema = schema
        self._collects = layout == "parquet"
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self._encoder = ThreadPoolExecutor(1)
        self._encoding: Future[None] | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch of the file's schema."""
        self.rows += batch.num_rows
        if not self._collects:
            self._writer.write_batch(batch)
            return
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        if self._pending_bytes >= _GROUP_BYTES or sum(pending.num_rows for pending in self._pending) >= _MOST_ROWS:
            self._encode()

    def note(self, texts: dict[str, str]) -> None:
        """Record texts that are known only after the last batch: of an Arrow file, beside an empty batch."""
        if isinstance(self._writer, pq.ParquetWriter):
            self._writer.add_key_value_metadata(texts)
        else:
            self._writer.write_batch(pa.RecordBatch.from_pylist([], self._schema.remove_metadata()), texts)

    def close(self) -> None:
        """Pass all pending batches to the writer."""
        if self._pending:
            self._encode()
        if self._encoding is not None:
            self._encoding.result()

    def abandon(self) -> None:
        """Wait for the encoder before its file is removed."""
        self._encoder.shutdown(cancel_futures=True)

    def _encode(self) -> None:
        group, self._pending, self._pending_bytes = pa.Table.from_batches(self._pending, self._schema), [], 0
        if self._encoding is not None:
            self._encoding.result()
        self._encoding = self._encoder.submit(self._writer.write_table, group, row_group_size=_MOST_ROWS)


@contextmanager
def table_sink(target: Path, schema: pa.Schema, layout: Layout) -> Iterator[TableSink]:
    """Open a file for batches; it appears at `target`, or replaces it, when the `with` ends without an exception.

    The layout `arrow` is uncompressed, to be mapped into memory; `parquet` has zstd and page checksums.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        with _writer(partial, schema, layout) as writer:
            sink = TableSink(writer, schema, layout)
            try:
                yield sink
                sink.close()
            finally:
                sink.abandon()
        os.replace(partial, target)  # noqa: PTH105 - its name says that it replaces
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _writer(path: Path, schema: pa.Schema, layout: Layout) -> pq.ParquetWriter | pa.RecordBatchFileWriter:
    if layout == "arrow":
        return pa.ipc.new_file(str(path), schema)
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    # a dictionary of mostly different numbers saves nothing
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, write_page_checksum=True, use_dictionary=texts
    )
