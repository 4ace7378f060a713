"""Parquet: damaged, with wrong counts or sizes, and dtypes that readers change."""

import io
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hostile_corpus.cases import EMPTY, Content, Exact, HostileCase, Refused, defect

from assay.reading.defects import Defect

NAN = float("nan")
_TAIL = 8
_DATA = pa.table({"a": list(range(1000)), "b": [f"text of {number}" for number in range(1000)]})
_LONG_TEXT = 1 << 16
_GROUP = 5_000_000


def parquet_of(table: pa.Table, **writing: Any) -> bytes:
    """Return a table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file, **writing)
    return file.getvalue()


def parquet(name: str, content: Content, expected: Exact | Refused, *, confined: bool = False) -> HostileCase:
    """Return a case of a Parquet file."""
    return HostileCase(name, "rows.parquet", content, expected, confined=confined)


def kept(name: str, table: pa.Table, expected: pa.Table | None = None, **writing: Any) -> HostileCase:
    """Return a case whose rows come back as they are, or in the dtypes of `expected`."""
    return parquet(name, lambda: parquet_of(table, **writing), Exact(lambda: table if expected is None else expected))


def moments(values: list[int | None], unit: str, zone: str | None = None) -> pa.Array:
    """Return times by their number since 1970."""
    return pa.array(values, pa.timestamp(unit, zone))


def broken_text() -> pa.Array:
    """Return texts of which the second is not UTF-8."""
    offsets = pa.py_buffer(np.array([0, 1, 3], np.int32))
    return pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"x\xff\xfe"))


def _varint(value: int) -> bytes:
    value, written = value << 1, b""
    while value > 0x7F:
        written, value = written + bytes([value & 0x7F | 0x80]), value >> 7
    return written + bytes([value])


def _with_rows(claimed: int) -> bytes:
    """Return a file of 1,000 rows whose footer claims another number: the field before the list of row groups."""
    content = parquet_of(_DATA)
    length = struct.unpack("<I", content[-_TAIL:-4])[0]
    footer = content[-_TAIL - length : -_TAIL]
    changed = footer.replace(b"\x16" + _varint(1000) + b"\x19", b"\x16" + _varint(claimed) + b"\x19", 1)
    assert changed != footer
    return content[: -_TAIL - length] + changed + struct.pack("<I", len(changed)) + b"PAR1"


def _with_footer_length(claimed: int) -> bytes:
    return parquet_of(_DATA)[:-_TAIL] + struct.pack("<I", claimed) + b"PAR1"


def _flipped() -> bytes:
    content = parquet_of(
        _DATA, compression="none", use_dictionary=False, write_page_checksum=True, write_statistics=False
    )
    number = content.index(b"text of 500") + 10
    return content[:number] + b"9" + content[number + 1 :]


def _torn() -> bytes:
    content = parquet_of(_DATA, compression="zstd", use_dictionary=False)
    return content[:2000] + bytes(500) + content[2500:]


def _run_lengths() -> bytes:
    file = io.BytesIO()
    schema = pa.schema([("a", pa.int64())])
    rows = pa.table({"a": pa.array(np.zeros(_GROUP, np.int64))}, schema)
    sizes = {"data_page_size": 1 << 30, "max_rows_per_page": _GROUP}
    with pq.ParquetWriter(file, schema, compression="zstd", write_statistics=False, **sizes) as writer:
        for _ in range(12):
            writer.write_table(rows, row_group_size=_GROUP)
    return file.getvalue()


def _repeated_text() -> bytes:
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * _LONG_TEXT]))
    return parquet_of(pa.table({"a": texts}), compression="zstd", write_statistics=False, store_schema=False)


DAMAGE = [
    parquet("cut off in the footer", lambda: parquet_of(_DATA)[:-20], defect(Defect.UNREADABLE)),
    parquet("cut off in the rows", lambda: parquet_of(_DATA)[:500], defect(Defect.UNREADABLE)),
    parquet("the first bytes missing", lambda: parquet_of(_DATA)[100:], defect(Defect.UNREADABLE)),
    parquet("text named .parquet", "a,b\n1,2\n", defect(Defect.UNREADABLE)),
    parquet("an empty file", b"", EMPTY),
    parquet("the mark of the format and nothing else", b"PAR1", defect(Defect.UNREADABLE)),
    parquet("a page with a changed byte", _flipped, defect(Defect.CHECKSUM_MISMATCH)),
    parquet("a compressed page with lost bytes", _torn, defect(Defect.UNREADABLE)),
    parquet("a footer longer than the file", lambda: _with_footer_length(2**31 - 1), defect(Defect.UNREADABLE)),
    parquet("a footer of no bytes", lambda: _with_footer_length(0), defect(Defect.UNREADABLE)),
    parquet("a footer of zeros", b"PAR1" + bytes(100) + struct.pack("<I", 100) + b"PAR1", defect(Defect.UNREADABLE)),
    parquet("a footer that claims fewer rows", lambda: _with_rows(999), defect(Defect.UNREADABLE)),
    parquet("a footer that claims more rows", lambda: _with_rows(1001), defect(Defect.UNREADABLE)),
    parquet("a footer that claims 2^50 rows", lambda: _with_rows(2**50), defect(Defect.TOO_LARGE)),
    parquet("an encrypted footer", b"PARE" + bytes(100) + struct.pack("<I", 96) + b"PARE", defect(Defect.ENCRYPTED)),
    parquet("run lengths: 480 MB in 2 kB", _run_lengths, defect(Defect.TOO_LARGE), confined=True),
    parquet("one text 20,000 times: 1.3 GB in 252 bytes", _repeated_text, defect(Defect.TOO_LARGE), confined=True),
]

SHAPES = [
    parquet("lists", lambda: parquet_of(pa.table({"a": [[1, 2], [3]]})), defect(Defect.NESTED_VALUES, column="a")),
    parquet("records", lambda: parquet_of(pa.table({"a": [{"b": 1}]})), defect(Defect.NESTED_VALUES, column="a")),
    parquet("no rows", lambda: parquet_of(_DATA.slice(0, 0)), EMPTY),
    parquet("no columns", lambda: parquet_of(pa.table({})), EMPTY),
    parquet(
        "two columns of one name",
        lambda: parquet_of(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])),
        defect(Defect.REPEATED_COLUMN, column="a"),
    ),
    parquet(
        "a column without a name",
        lambda: parquet_of(pa.table({"a": [1], "": [2]})),
        defect(Defect.UNNAMED_COLUMN, column="2"),
    ),
    parquet(
        "5,001 columns",
        lambda: parquet_of(pa.table({f"c{number}": [number] for number in range(5_001)}), write_statistics=False),
        defect(Defect.TOO_MANY_COLUMNS),
    ),
    parquet(
        "texts that are not UTF-8",
        lambda: parquet_of(pa.table({"a": broken_text()})),
        defect(Defect.WRONG_ENCODING, column="a"),
    ),
    kept("names with dots, beside what they seem to be inside of", pa.table({"a": [1], "a.b": [2], "a.b.c": ["x"]})),
    kept("names that differ in case", pa.table({"a": [1], "A": [2]})),
    kept("many row groups", _DATA, row_group_size=7),
    kept("pages of a few bytes", _DATA, data_page_size=16, use_dictionary=False),
]

VALUES = [
    kept("NaN and missing are two things", pa.table({"a": [NAN, None, -0.0, 0.5]})),
    kept("a column without any value", pa.table({"a": pa.nulls(2), "b": [1, 2]})),
    kept("a text column without any value", pa.table({"a": pa.nulls(2, pa.string()), "b": [1, 2]})),
    kept("the largest whole numbers", pa.table({"a": pa.array([2**64 - 1], pa.uint64()), "b": [-(2**63)]})),
    kept("decimals", pa.table({"a": [Decimal("12345678901234567890.12"), None, Decimal("-0.01")]})),
    kept("floats of 16 bits", pa.table({"a": pa.array(np.array([0.5, 65504, NAN], np.float16))})),
    kept(
        "encoded texts",
        pa.table({"a": pa.array(["x", None, "y", "x"]).dictionary_encode()}),
        pa.table({"a": ["x", None, "y", "x"]}),
    ),
    kept("an empty text and a missing one", pa.table({"a": ["", None, "NA"]})),
    kept("NULs and line breaks in texts", pa.table({"a": ["x\0y", "\r\n", "\ufeff"]})),
    kept("nanoseconds", pa.table({"a": moments([1, None, 2**62], "ns")})),
    kept("nanoseconds with a zone", pa.table({"a": moments([1, None], "ns", "Europe/Berlin")})),
    kept(
        "nanoseconds in 96 bits",
        pa.table({"a": moments([1_000_000_001, None], "ns")}),
        use_deprecated_int96_timestamps=True,
    ),
    kept("milliseconds", pa.table({"a": moments([1, None], "ms")}), pa.table({"a": moments([1000, None], "us")})),
    kept(
        "milliseconds with a zone",
        pa.table({"a": moments([1, None], "ms", "UTC")}),
        pa.table({"a": moments([1000, None], "us", "UTC")}),
    ),
    kept("seconds", pa.table({"a": moments([1, None], "s")}), pa.table({"a": moments([1_000_000, None], "us")})),
    parquet(
        "a time that microseconds cannot hold",
        lambda: parquet_of(pa.table({"a": moments([2**62], "ms")})),
        defect(Defect.VALUE_OUT_OF_RANGE, column="a"),
    ),
    kept("dates before 1970 and far off", pa.table({"a": pa.array([-719162, 2932896], pa.date32())})),
]

CASES: list[HostileCase] = [*DAMAGE, *SHAPES, *VALUES]
