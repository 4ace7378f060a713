"""Feather files, which are Arrow IPC files.

They have no checksums, so that every batch is validated in full. Before Arrow allocates what a file's compressed
buffers declare as their decoded size, the sizes are read from the file's own metadata and limited (why by hand:
docs/adr/0007-own-readers-that-stay.md). The layout is that of the Arrow columnar format, "IPC file format" and
"Compression", and of FlatBuffers' binary format.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assay.errors import Remedy
from assay.reading.arrow_decoding import arrow_errors, checked
from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.defects import DecodedSize, Defect, defect_error, require_few_columns
from assay.reading.registry import Format

_MARK = b"ARROW1"
_CONTINUATION = 0xFFFFFFFF
_BLOCK_BYTES, _BUFFER_BYTES = 24, 16
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_KIND_DICTIONARY = 2
_DICTIONARY_DATA = 1
_BATCH_BUFFERS, _BATCH_COMPRESSION = 2, 3
_PLAIN = -1


def require_bounded_buffers(path: Path, count: DecodedSize) -> None:
    """Refuse a file with a dictionary or batch that declares a larger decoded size than the whole file may have.

    Raises:
        MalformedDataError: such a size, or positions outside of the file.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            declared = max((_declared_size(data, *block) for block in _blocks(data)), default=0)
        except (struct.error, IndexError, ValueError) as error:
            raise defect_error(
                Defect.UNREADABLE,
                "the file is not readable as Feather",
                found="metadata that point outside of the file",
                expected="an undamaged Feather file",
                remedy=Remedy("fetch it again, or correct {}", "dataset.format"),
            ) from error
    DecodedSize(count.size).add(0, 0, declared)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a FlatBuffer: its fields by number, found through its table of offsets."""

    data: mmap.mmap
    position: int

    def field(self, number: int) -> int | None:
        offsets = self.position - _read("<i", self.data, self.position)
        entry = 4 + 2 * number
        if entry >= _read("<H", self.data, offsets):
            return None
        offset = _read("<H", self.data, offsets + entry)
        return self.position + offset if offset else None

    def table(self, number: int) -> "_Table | None":
        position = self.field(number)
        return None if position is None else _Table(self.data, position + _read("<I", self.data, position))

    def items(self, number: int, size: int) -> Iterator[int]:
        """Yield the positions of the items of a vector of structs."""
        position = self.field(number)
        if position is None:
            return
        start = position + _read("<I", self.data, position)
        for item in range(_read("<I", self.data, start)):
            yield start + 4 + item * size


def _read(layout: str, data: mmap.mmap, position: int) -> int:
    if position < 0:  # else Python counts from the end
        raise IndexError(position)
    return int(struct.unpack_from(layout, data, position)[0])


def _root(data: mmap.mmap, position: int) -> _Table:
    return _Table(data, position + _read("<I", data, position))


def _blocks(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield the start of every dictionary and batch, and the length of its metadata."""
    end = len(data) - len(_MARK) - 4
    footer = _root(data, end - _read("<i", data, end))
    for number in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES):
        for block in footer.items(number, _BLOCK_BYTES):
            yield _read("<q", data, block), _read("<i", data, block + 8)


def _declared_size(data: mmap.mmap, start: int, metadata: int) -> int:
    prefix = 8 if _read("<I", data, start) == _CONTINUATION else 4
    message = _root(data, start + prefix)
    batch = message.table(_MESSAGE_HEADER)
    kind = message.field(_MESSAGE_KIND)
    if batch is not None and kind is not None and _read("<B", data, kind) == _KIND_DICTIONARY:
        batch = batch.table(_DICTIONARY_DATA)
    if batch is None or batch.field(_BATCH_COMPRESSION) is None:
        return 0
    declared = 0
    for buffer in batch.items(_BATCH_BUFFERS, _BUFFER_BYTES):
        if _read("<q", data, buffer + 8) > 0:
            size = _read("<q", data, start + metadata + _read("<q", data, buffer))
            declared += 0 if size == _PLAIN else size
            if size < _PLAIN:
                raise ValueError(size)
    return declared


_FORMAT = "Feather"
_VERSION_1 = b"FEA1"
_STREAM = b"\xff\xff\xff\xff"


def feather_stream(path: Path, _: ReadOptions) -> BatchStream:
    """Read a Feather (version 2) or Arrow IPC file, compressed or not; rows are counted from 1.

    Raises:
        MalformedDataError: another format, truncated, contents that differ from its metadata, or too much inside.
    """
    _require_file_layout(path)
    count = DecodedSize(path.stat().st_size)
    with arrow_errors(_FORMAT), pa.memory_map(str(path)) as source:
        schema = pa.ipc.open_file(source).schema
        require_few_columns(len(schema))
        require_bounded_buffers(path, count)
        for column in schema.names:  # names that are not UTF-8 fail here, and not later
            column.encode()
        return BatchStream(schema, _batches(path, count))


def _batches(path: Path, count: DecodedSize) -> Iterator[pa.RecordBatch]:
    with arrow_errors(_FORMAT), pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        row = 1
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            yield from checked(batch, count, row=row)
            row += batch.num_rows


def _require_file_layout(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    others = {_VERSION_1: "Feather version 1", _STREAM: "an Arrow stream, which does not say whether it is complete"}
    if start in others:
        raise defect_error(
            Defect.UNREADABLE,
            "the file is not readable as Feather",
            byte=0,
            found=others[start],
            expected="Feather version 2 (an Arrow IPC file)",
            remedy="write it again as Feather version 2, or as Parquet",
        )


FORMATS = (Format("feather", (".feather", ".arrow"), feather_stream),)
