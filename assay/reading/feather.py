"""Feather files, which are Arrow IPC files.

They have no checksums, so that every batch is validated in full.

What an Arrow IPC file says that its compressed buffers unfold to, before Arrow takes its word and allocates it.

The layout is that of the Arrow columnar format, "IPC file format" and "Compression", and of FlatBuffers' binary format.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assay.reading.arrow_decoding import arrow_errors, checked
from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.bounds import Unfolded, require_few_columns
from assay.reading.defects import Defect, malformed

_MARK = b"ARROW1"
_CONTINUATION = 0xFFFFFFFF
_BLOCK_BYTES, _BUFFER_BYTES = 24, 16
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_KIND_DICTIONARY = 2
_DICTIONARY_DATA = 1
_BATCH_BUFFERS, _BATCH_COMPRESSION = 2, 3
_PLAIN = -1


def require_honest_claims(path: Path, name: str, count: Unfolded) -> None:
    """Refuse a file of which a dictionary or batch says that it unfolds to more than the whole file may.

    Args:
        path: the file.
        name: how it is called in messages.
        count: the bounds of the file.

    Raises:
        MalformedDataError: such a claim, or places outside of the file.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            claims = max((_claimed(data, *block) for block in _blocks(data)), default=0)
        except (struct.error, IndexError, ValueError) as error:
            raise malformed(
                Defect.UNREADABLE,
                "the file is not readable as Feather",
                name,
                found="metadata that lead outside of the file",
                expected="an undamaged Feather file",
                remedy="fetch it again, or mend dataset.format",
            ) from error
    Unfolded(name, count.size).add(0, 0, claims)


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a FlatBuffer: fields by their number, found through the table of offsets in front."""

    data: mmap.mmap
    place: int

    def field(self, number: int) -> int | None:
        offsets = self.place - _read("<i", self.data, self.place)
        entry = 4 + 2 * number
        if entry >= _read("<H", self.data, offsets):
            return None
        offset = _read("<H", self.data, offsets + entry)
        return self.place + offset if offset else None

    def table(self, number: int) -> "_Table | None":
        place = self.field(number)
        return None if place is None else _Table(self.data, place + _read("<I", self.data, place))

    def items(self, number: int, size: int) -> Iterator[int]:
        """Yield the places of the items of a vector of structs."""
        place = self.field(number)
        if place is None:
            return
        start = place + _read("<I", self.data, place)
        for item in range(_read("<I", self.data, start)):
            yield start + 4 + item * size


def _read(layout: str, data: mmap.mmap, place: int) -> int:
    if place < 0:  # else Python counts from the end
        raise IndexError(place)
    return int(struct.unpack_from(layout, data, place)[0])


def _root(data: mmap.mmap, place: int) -> _Table:
    return _Table(data, place + _read("<I", data, place))


def _blocks(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield where every dictionary and batch begins, and how long its metadata are."""
    end = len(data) - len(_MARK) - 4
    footer = _root(data, end - _read("<i", data, end))
    for number in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES):
        for block in footer.items(number, _BLOCK_BYTES):
            yield _read("<q", data, block), _read("<i", data, block + 8)


def _claimed(data: mmap.mmap, start: int, metadata: int) -> int:
    prefix = 8 if _read("<I", data, start) == _CONTINUATION else 4
    message = _root(data, start + prefix)
    batch = message.table(_MESSAGE_HEADER)
    kind = message.field(_MESSAGE_KIND)
    if batch is not None and kind is not None and _read("<B", data, kind) == _KIND_DICTIONARY:
        batch = batch.table(_DICTIONARY_DATA)
    if batch is None or batch.field(_BATCH_COMPRESSION) is None:
        return 0
    claimed = 0
    for buffer in batch.items(_BATCH_BUFFERS, _BUFFER_BYTES):
        if _read("<q", data, buffer + 8) > 0:
            size = _read("<q", data, start + metadata + _read("<q", data, buffer))
            claimed += 0 if size == _PLAIN else size
            if size < _PLAIN:
                raise ValueError(size)
    return claimed


_FORMAT = "Feather"
_VERSION_1 = b"FEA1"
_STREAM = b"\xff\xff\xff\xff"


def feather_stream(path: Path, _: ReadOptions, name: str) -> BatchStream:
    """Read a Feather (version 2) or Arrow IPC file, compressed or not.

    Args:
        path: the file.
        name: how it is called in messages; rows are counted from 1.

    Raises:
        MalformedDataError: no such file, truncated, not what its metadata says, or too much inside.
    """
    _require_file_layout(path, name)
    count = Unfolded(name, path.stat().st_size)
    with arrow_errors(name, _FORMAT), pa.memory_map(str(path)) as source:
        schema = pa.ipc.open_file(source).schema
        require_few_columns(len(schema), name)
        require_honest_claims(path, name, count)
        for column in schema.names:  # names that are no UTF-8 fail here, and not later
            column.encode()
        return BatchStream(schema, _batches(path, name, count))


def _batches(path: Path, name: str, count: Unfolded) -> Iterator[pa.RecordBatch]:
    with arrow_errors(name, _FORMAT), pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        row = 1
        for place in range(reader.num_record_batches):
            batch = reader.get_batch(place)
            yield from checked(batch, name, count, row=row)
            row += batch.num_rows


def _require_file_layout(path: Path, name: str) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    others = {_VERSION_1: "Feather version 1", _STREAM: "an Arrow stream, which does not tell whether it is whole"}
    if start in others:
        raise malformed(
            Defect.UNREADABLE,
            "the file is not readable as Feather",
            name,
            byte=0,
            found=others[start],
            expected="Feather version 2 (an Arrow IPC file)",
            remedy="write it again as Feather version 2, or as Parquet",
        )
