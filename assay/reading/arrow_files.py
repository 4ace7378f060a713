"""Where batches are written: one Arrow or Parquet file, which appears when it is complete."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

Layout: TypeAlias = Literal["arrow", "parquet"]
_GROUP_BYTES = 32 << 20
_MOST_ROWS = 1 << 20


class TableSink:
    """Gathers batches to row groups, so that memory stays bounded and Parquet stays efficient.

    A group is encoded in a thread of its own while the next one gathers.

    Attributes:
        rows: written so far.
    """

    def __init__(self, writer: pq.ParquetWriter | pa.RecordBatchFileWriter, schema: pa.Schema, layout: Layout) -> None:
        self.rows = 0
        self._writer = writer
        self._schema = schema
        self._gathers = layout == "parquet"
        self._waiting: list[pa.RecordBatch] = []
        self._held = 0
        self._encoder = ThreadPoolExecutor(1)
        self._encoding: Future[None] | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch of the file's schema."""
        self.rows += batch.num_rows
        if not self._gathers:
            self._writer.write_batch(batch)
            return
        self._waiting.append(batch)
        self._held += batch.nbytes
        if self._held >= _GROUP_BYTES or sum(waiting.num_rows for waiting in self._waiting) >= _MOST_ROWS:
            self._encode()

    def close(self) -> None:
        """Write what is still held; afterwards everything is with the writer."""
        if self._waiting:
            self._encode()
        if self._encoding is not None:
            self._encoding.result()

    def abandon(self) -> None:
        """Wait for the encoder, whose file is about to go."""
        self._encoder.shutdown(cancel_futures=True)

    def _encode(self) -> None:
        group, self._waiting, self._held = pa.Table.from_batches(self._waiting, self._schema), [], 0
        if self._encoding is not None:
            self._encoding.result()
        self._encoding = self._encoder.submit(self._writer.write_table, group, row_group_size=_MOST_ROWS)


@contextmanager
def table_sink(target: Path, schema: pa.Schema, layout: Layout) -> Iterator[TableSink]:
    """Open a file for batches; it is at `target` after the `with`, and nowhere if that was left by an exception.

    Args:
        target: the file; one that is there is replaced.
        schema: of all batches.
        layout: `arrow` (uncompressed, fit to be mapped into memory) or `parquet` (zstd, page checksums).
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
        os.replace(partial, target)  # noqa: PTH105 - the same in both spellings, and this one says that it replaces
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _writer(path: Path, schema: pa.Schema, layout: Layout) -> pq.ParquetWriter | pa.RecordBatchFileWriter:
    if layout == "arrow":
        return pa.ipc.new_file(str(path), schema)
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, write_page_checksum=True, use_dictionary=_texts(schema)
    )


def _texts(schema: pa.Schema) -> list[str]:
    # a dictionary of mostly different numbers is built in vain
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
