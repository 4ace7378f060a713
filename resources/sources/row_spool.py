"""Rows of a query in one Arrow file, written in batches."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from resources.sources.row_typing import TypedColumn

ROWS_PER_BATCH = 50_000
_CELLS_PER_BATCH = 1_000_000
"""Most Python values in memory; one takes about 100 bytes."""


def rows_per_batch(columns: int) -> int:
    """Return the batch size for a number of columns."""
    return max(1, min(ROWS_PER_BATCH, _CELLS_PER_BATCH // max(columns, 1)))


class RowSpool:
    """Writes rows of Python values. When a column's type widens, another file starts; `finish` merges the files.

    Types only ever widen, so there are few files.
    """

    def __init__(self, names: Sequence[str], where: str, path: Path) -> None:
        self._columns = [TypedColumn(name, where) for name in names]
        self._path = path
        self._parts: list[Path] = []
        self._sink: Any = None
        self._schema = pa.schema([])
        self._rows = 0

    def append(self, rows: Sequence[Sequence[object]]) -> None:
        """Write the next rows, at least one.

        Raises:
            MalformedDataError: a value that its column's type cannot hold.
        """
        first = self._rows + 1
        columns = zip(self._columns, zip(*rows, strict=True), strict=True)
        arrays = [column.array(values, first) for column, values in columns]
        self._rows += len(rows)
        batch = pa.record_batch(arrays, schema=self._typed())
        sink = self._sink
        if sink is None or batch.schema != self._schema:
            sink = self._opened(batch.schema)
        sink.write_batch(batch)

    def finish(self) -> Path:
        """Return the file with all rows under their final types."""
        if self._sink is None:
            self._opened(self._typed())
        self._close()
        if len(self._parts) > 1:
            write_arrow(self._path, self._schema, self._widened())
        else:
            self._parts[0].rename(self._path)
        return self._path

    def _widened(self) -> Iterable[pa.RecordBatch]:
        for part in self._parts:
            with pa.memory_map(str(part)) as file:
                reader = pa.ipc.open_file(file)
                for batch_number in range(reader.num_record_batches):
                    batch = reader.get_batch(batch_number)
                    arrays = [_cast(batch.column(number), field.type) for number, field in enumerate(self._schema)]
                    yield pa.record_batch(arrays, schema=self._schema)
            part.unlink()

    def _typed(self) -> pa.Schema:
        return pa.schema([(column.name, column.dtype) for column in self._columns])

    def _opened(self, schema: pa.Schema) -> Any:
        self._close()
        self._schema = schema
        self._parts.append(self._path.with_name(f"{self._path.name}.{len(self._parts)}"))
        self._sink = pa.ipc.new_file(str(self._parts[-1]), schema)
        return self._sink

    def _close(self) -> None:
        if self._sink is not None:
            self._sink.close()


def write_arrow(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches as one Feather (version 2) file."""
    with pa.ipc.new_file(str(path), schema) as sink:
        for batch in batches:
            sink.write_batch(batch)


def _cast(values: pa.Array, dtype: pa.DataType) -> pa.Array:
    if pa.types.is_integer(values.type) and pa.types.is_decimal(dtype):
        values = values.cast(pa.decimal128(19, 0))  # the digits of an int64
    return values.cast(dtype)
