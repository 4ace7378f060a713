"""Arrow's own file format, as Feather: damaged, with wrong counts or sizes, and dtypes in other layouts."""

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hostile_corpus.cases import EMPTY, UNSUPPORTED, Content, Exact, HostileCase, Refused, defect
from hostile_corpus.parquet_cases import broken_text, moments

from assay.reading.defects import Defect

_DATA = pa.table({"a": list(range(1000)), "b": [f"text of {number}" for number in range(1000)]})
_MARK = b"ARROW1"


def feather_of(tables: Sequence[pa.Table], compression: str | None = None) -> bytes:
    """Return tables of one schema as a file."""
    file = io.BytesIO()
    with pa.ipc.new_file(file, tables[0].schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for table in tables:
            writer.write_table(table)
    return file.getvalue()


def feather(name: str, content: Content, expected: Exact | Refused, *, confined: bool = False) -> HostileCase:
    """Return a case of an Arrow file."""
    return HostileCase(name, "rows.feather", content, expected, confined=confined)


def kept(name: str, table: pa.Table, expected: pa.Table | None = None, **writing: Any) -> HostileCase:
    """Return a case whose rows come back as they are, or in the dtypes of `expected`."""
    return feather(name, lambda: feather_of([table], **writing), Exact(lambda: table if expected is None else expected))


def _replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    return content.replace(old, new)


def _with_offset(last: int) -> bytes:
    """Return texts of which the last ends at a given position."""
    content = feather_of([pa.table({"a": ["x", "yy", "zzz"]})])
    return _replaced(content, struct.pack("<4i", 0, 1, 3, 6), struct.pack("<4i", 0, 1, 3, last))


def _with_code(code: int) -> bytes:
    """Return encoded texts of which one has a code that the dictionary lacks."""
    codes = pa.array([7, 8, 9, 7], pa.int32())
    table = pa.table({"a": pa.DictionaryArray.from_arrays(codes, pa.array([f"t{number}" for number in range(10)]))})
    return _replaced(feather_of([table]), struct.pack("<4i", 7, 8, 9, 7), struct.pack("<4i", 7, 8, code, 7))


def _with_unpacked_length(claimed: int) -> bytes:
    """Return a compressed buffer that claims another length of what is in it."""
    content = feather_of([pa.table({"a": np.zeros(12_345, np.int64)})], "zstd")
    return _replaced(content, struct.pack("<q", 12_345 * 8), struct.pack("<q", claimed))


def _with_footer_length(claimed: int) -> bytes:
    return feather_of([_DATA])[:-10] + struct.pack("<i", claimed) + _MARK


def _zeros() -> bytes:
    table = pa.table({"a": np.zeros(1 << 23, np.int64)})
    return feather_of([table] * 16, "zstd")


def _stream() -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_stream(file, _DATA.schema) as writer:
        writer.write_table(_DATA)
    return file.getvalue()


DAMAGE = [
    feather("cut off", lambda: feather_of([_DATA])[:-100], defect(Defect.UNREADABLE)),
    feather("cut off in the rows", lambda: feather_of([_DATA])[:3000], defect(Defect.UNREADABLE)),
    feather("the mark of the format and nothing else", _MARK, defect(Defect.UNREADABLE)),
    feather("text named .feather", "a,b\n1,2\n", defect(Defect.UNREADABLE)),
    feather("the first version of the format", b"FEA1" + bytes(64) + b"FEA1", defect(Defect.UNREADABLE, byte=0)),
    feather("a footer longer than the file", lambda: _with_footer_length(2**31 - 1), defect(Defect.UNREADABLE)),
    feather("a footer of negative length", lambda: _with_footer_length(-1), defect(Defect.UNREADABLE)),
    feather("a text that ends outside of the file", lambda: _with_offset(2**30), defect(Defect.UNREADABLE)),
    feather("a text that ends before it begins", lambda: _with_offset(1), defect(Defect.UNREADABLE)),
    feather("a code that the dictionary lacks", lambda: _with_code(2**30), defect(Defect.UNREADABLE)),
    feather("a negative code", lambda: _with_code(-5), defect(Defect.UNREADABLE)),
    feather(
        "a buffer that claims 2^40 bytes",
        lambda: _with_unpacked_length(2**40),
        defect(Defect.TOO_LARGE),
        confined=True,
    ),
    feather(
        "a buffer that claims fewer bytes than it has",
        lambda: _with_unpacked_length(800),
        defect(Defect.UNREADABLE),
        confined=True,
    ),
    feather("zeros: 1 GiB in 37 kB", _zeros, defect(Defect.TOO_LARGE), confined=True),
    feather(
        "texts that are not UTF-8",
        lambda: feather_of([pa.table({"a": broken_text()})]),
        defect(Defect.WRONG_ENCODING, column="a"),
    ),
]

SHAPES = [
    feather("no rows", lambda: feather_of([_DATA.slice(0, 0)]), EMPTY),
    feather("lists", lambda: feather_of([pa.table({"a": [[1, 2]]})]), defect(Defect.NESTED_VALUES, column="a")),
    feather(
        "two columns of one name",
        lambda: feather_of([pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])]),
        defect(Defect.REPEATED_COLUMN, column="a"),
    ),
    feather(
        "5,001 columns",
        lambda: feather_of([pa.table({f"c{number}": [number] for number in range(5_001)})]),
        defect(Defect.TOO_MANY_COLUMNS),
    ),
    feather(
        "spans of months",
        lambda: feather_of([pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})]),
        UNSUPPORTED,
    ),
    feather("the form of a stream, which may be cut off", _stream, defect(Defect.UNREADABLE, byte=0)),
    kept("uncompressed", _DATA),
    kept("compressed by zstd", _DATA, compression="zstd"),
    kept("compressed by lz4", _DATA, compression="lz4"),
    feather("several batches", lambda: feather_of([_DATA, _DATA]), Exact(lambda: pa.concat_tables([_DATA, _DATA]))),
    kept(
        "texts of long offsets", pa.table({"a": pa.array(["x", None], pa.large_string())}), pa.table({"a": ["x", None]})
    ),
    kept("texts as views", pa.table({"a": pa.array(["x", None], pa.string_view())}), pa.table({"a": ["x", None]})),
    kept(
        "run ends",
        pa.table({"a": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([7, 8]))}),
        pa.table({"a": [7, 7, 8]}),
    ),
    kept(
        "seconds with a zone",
        pa.table({"a": moments([1], "s", "UTC")}),
        pa.table({"a": moments([1_000_000], "us", "UTC")}),
    ),
]

CASES: list[HostileCase] = [*DAMAGE, *SHAPES]
