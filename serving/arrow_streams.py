"""Arrow streams of strangers: nothing is unpacked, and every offset is verified before it is followed.

Format: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc. A stream is
small and may stand for much: compressed buffers, dictionaries whose long values many rows name, views. Buffers must
not be compressed, views and nested columns are not read, and decoded dictionaries count as what they would take.
"""

import struct
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import is_number
from assay.errors import Location
from serving.refusals import RequestError, too_many

_DICTIONARIES, _ROWS = 2, 3
"""Kinds of messages that have buffers, of `MessageHeader` in Arrow's Message.fbs."""
_HEADER_TYPE, _HEADER = 1, 2
"""Fields of `Message`."""
_DATA = 1
"""Field of `DictionaryBatch`."""
_COMPRESSION = 3
"""Field of `RecordBatch`."""


def rows_of_stream(data: bytes, wanted: Sequence[str], max_rows: int, max_bytes: int) -> pa.Table:
    """Read the wanted columns of a stream.

    Raises:
        RequestError: it is malformed, too large, or a column is of a type that is not read.
    """
    try:
        for metadata in _messages(data):
            _require_uncompressed(metadata)
        with pa.ipc.open_stream(data) as reader:
            names = [name for name in reader.schema.names if name in wanted]
            _require_once(names)
            batches = [batch.select(names) for batch in _bounded(reader, max_rows)]
            table = pa.Table.from_batches(batches, pa.schema([reader.schema.field(name) for name in names]))
        table.validate(full=True)
    except (pa.ArrowException, struct.error, OSError, ValueError, KeyError) as error:
        first = str(error).partition("\n")[0][:200]
        raise RequestError("the body is no Arrow stream", where="body", found=first) from error
    for name in table.column_names:
        _require_small(name, table.column(name), max_bytes)
    return table


def _require_once(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _not_read(name, "two columns of this name", "each column once")


def _bounded(reader: pa.RecordBatchReader, max_rows: int) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        if rows > max_rows:
            raise too_many(rows, max_rows)
        yield batch


def _messages(data: bytes) -> Iterator[pa.Buffer]:
    """Yield the metadata of each message."""
    source = pa.BufferReader(data)
    while True:
        try:
            message = pa.ipc.read_message(source)
        except EOFError:
            return
        yield message.metadata


def _require_uncompressed(metadata: pa.Buffer) -> None:
    """Refuse compressed buffers, by the flatbuffer that describes a message."""
    data = memoryview(metadata)
    message = _indirect(data, 0)
    kind = _field(data, message, _HEADER_TYPE)
    header = _field(data, message, _HEADER)
    if kind is None or header is None or data[kind] not in {_DICTIONARIES, _ROWS}:
        return
    batch = _indirect(data, header)
    if data[kind] == _DICTIONARIES:
        inner = _field(data, batch, _DATA)
        batch = batch if inner is None else _indirect(data, inner)
    if _field(data, batch, _COMPRESSION) is not None:
        raise RequestError(
            "the buffers of the Arrow stream are compressed",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            where="body",
            expected="plain buffers",
            remedy="write the stream without compression, and send it with Content-Encoding: gzip if it is large",
        )


def _field(data: memoryview, table: int, number: int) -> int | None:
    """Return where a field of a table begins; None where it is absent."""
    (to_vtable,) = struct.unpack_from("<i", data, table)
    vtable = table - to_vtable
    (size,) = struct.unpack_from("<H", data, vtable)
    slot = 4 + 2 * number
    if slot >= size:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + slot)
    return table + int(offset) if offset else None


def _indirect(data: memoryview, where: int) -> int:
    (offset,) = struct.unpack_from("<I", data, where)
    return where + int(offset)


def _require_small(name: str, column: pa.ChunkedArray, max_bytes: int) -> None:
    """Refuse a column of a type that is not read, or whose dictionary would take too much when decoded."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        plain = kind.value_type
        if _is_text(plain) and sum(map(_decoded_bytes, column.chunks)) > max_bytes:
            raise _not_read(name, "a dictionary whose values would take too much", "fewer rows, or shorter values")
    else:
        plain = kind
    known = (pa.types.is_boolean, pa.types.is_null, pa.types.is_timestamp, pa.types.is_date, is_number, _is_text)
    if not any(is_kind(plain) for is_kind in known):
        raise _not_read(name, str(kind)[:60], "numbers, texts, booleans, dates, times, or dictionaries of these")


def _decoded_bytes(chunk: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(chunk.dictionary)
    return int(pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _not_read(name: str, found: str, expected: str) -> RequestError:
    return RequestError(
        "the column is not read",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        location=Location(column=name),
        where=f"the rows to predict, column '{name}'",
        found=found,
        expected=expected,
    )
