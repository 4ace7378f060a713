"""Feather and Arrow IPC files."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.feather as ft
import pytest

from assay.errors import MalformedDataError
from assay.reading import arrow_decoding as decoding
from assay.reading import defects
from assay.reading.arrow_decoding import value_lengths
from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.reading.formats.feather import feather_stream


def feather_bytes(columns, **options):
    buffer = io.BytesIO()
    ft.write_feather(pa.table(columns), buffer, **options)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    def of(content):
        path = tmp_path / "bytes"
        path.write_bytes(content)
        stream = feather_stream(path, ReadOptions())
        return pa.Table.from_batches(stream.batches, stream.schema)

    return of


ROWS = {"n": [1, None, 3], "s": ["é", "", None], "d": pa.array(["x", None, "x"]).dictionary_encode()}


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_rows_come_back(read, compression):
    assert read(feather_bytes(ROWS, compression=compression)).equals(pa.table(ROWS))


def test_rows_of_many_batches_come_back(read):
    table = pa.table({"a": range(200_000)})
    assert read(feather_bytes(table, chunksize=1000)).equals(table)


def run_ends(values, ends):
    return pa.RunEndEncodedArray.from_arrays(pa.array(ends, pa.int32()), pa.array(values))


LAYOUTS = {
    "dictionary": (pa.array(["xyz", None, "x", "xyz"]).dictionary_encode(), [3, 0, 1, 3]),
    "dictionary with a null entry": (pa.DictionaryArray.from_arrays([0, 1, 0], [None, "xy"]), [0, 2, 0]),
    "runs": (run_ends(["xyz", None, "x"], [2, 3, 5]), [3, 3, 0, 1, 1]),
    "runs, cut": (run_ends(["xyz", None, "x"], [2, 3, 5]).slice(1, 3), [3, 0, 1]),
    "views": (pa.array(["x" * 20, None, "x"], pa.string_view()), [20, 0, 1]),
    "views, cut": (pa.array(["x" * 20, None, "x"], pa.string_view()).slice(1), [0, 1]),
    "large": (pa.array(["é", None], pa.large_string()), [2, 0]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lengths_are_known_before_values_are_unfolded(layout):
    values, expected = LAYOUTS[layout]
    assert value_lengths(values).tolist() == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_text_is_read(read, layout):
    values, _ = LAYOUTS[layout]
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, pa.schema([("s", values.type)])) as writer:
        writer.write_batch(pa.record_batch([values], names=["s"]))
    assert read(buffer.getvalue())["s"].to_pylist() == values.to_pylist()


SWOLLEN = {
    "dictionary": pa.DictionaryArray.from_arrays(np.zeros(2000, dtype=np.int32), ["x" * (1 << 16)]),
    "runs": run_ends(["x" * (1 << 16)], [2000]),
}


@pytest.mark.parametrize("layout", SWOLLEN)
def test_one_long_text_for_all_rows_is_counted_row_by_row(read, monkeypatch, layout):
    monkeypatch.setattr(defects, "_LEAST_DECODED_BYTES", 1 << 20)
    monkeypatch.setattr(defects, "MAX_DECODED_RATIO", 10)
    with pytest.raises(MalformedDataError) as caught:
        read(feather_bytes({"s": SWOLLEN[layout]}))
    assert caught.value.defect == Defect.TOO_LARGE


def with_text(old, new, **columns):
    content = feather_bytes(columns, compression="uncompressed")
    assert old in content
    return content.replace(old, new)


def stream_bytes():
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, pa.schema([("a", pa.int64())])) as writer:
        writer.write_table(pa.table({"a": [1]}))
    return buffer.getvalue()


def with_declared(size, **columns):
    """Return a compressed file whose longest buffer declares this decoded size."""
    rows = 10_000
    content = feather_bytes(columns or {"a": np.arange(rows)}, compression="zstd")
    declared = (rows * 8).to_bytes(8, "little")
    assert declared in content
    return content.replace(declared, size.to_bytes(8, "little", signed=True))


ENDLESS = pa.DictionaryArray.from_arrays(pa.array([0]), np.arange(10_000))
REFUSED = {
    "an endless declared size": (with_declared(1 << 40), Defect.TOO_LARGE),
    "a dictionary of endless declared size": (with_declared(1 << 40, a=ENDLESS), Defect.TOO_LARGE),
    "a false declared size": (with_declared(80_008), Defect.UNREADABLE),
    "a negative declared size": (with_declared(-9), Defect.UNREADABLE),
    "other bytes": (b"a,b\n1,2\n", Defect.UNREADABLE),
    "half a file": (feather_bytes(ROWS)[:-20], Defect.UNREADABLE),
    "bytes after it": (feather_bytes(ROWS) + b"x", Defect.UNREADABLE),
    "version 1": (b"FEA1" + b"\0" * 100 + b"FEA1", Defect.UNREADABLE),
    "a stream": (stream_bytes(), Defect.UNREADABLE),
    "bytes that are no UTF-8": (with_text(b"XXXX", b"\xff" * 4, a=["XXXX"]), Defect.WRONG_ENCODING),
    "a position outside of the dictionary": (
        with_text(
            np.array([0, 1, 0, 1], np.int32).tobytes(),
            np.array([0, 9, 0, 1], np.int32).tobytes(),
            a=pa.array(["x", "y", "x", "y"]).dictionary_encode(),
        ),
        Defect.UNREADABLE,
    ),
    "a text that ends before it begins": (
        with_text(
            np.array([0, 1, 2, 3], np.int32).tobytes(), np.array([0, 9, 2, 3], np.int32).tobytes(), a=list("xyz")
        ),
        Defect.UNREADABLE,
    ),
    "an endless field": (feather_bytes({"a": ["x" * ((1 << 20) + 1)]}), Defect.FIELD_TOO_LONG),
    "too many columns": (feather_bytes({f"c{n}": [1] for n in range(5001)}), Defect.TOO_MANY_COLUMNS),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(read, case):
    content, defect = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content)
    assert caught.value.defect == defect


def test_rows_of_nothing_are_counted(read, monkeypatch):
    monkeypatch.setattr(defects, "MAX_VALUES", 1000)
    with pytest.raises(MalformedDataError) as caught:
        read(feather_bytes({"a": pa.nulls(1001)}))
    assert caught.value.defect == Defect.TOO_LARGE


@pytest.mark.parametrize("layout", SWOLLEN)
def test_every_piece_has_a_bounded_decoded_size(tmp_path, monkeypatch, layout):
    monkeypatch.setattr(decoding, "BATCH_BYTES", 1 << 20)
    path = tmp_path / "bytes"
    path.write_bytes(feather_bytes({"s": SWOLLEN[layout]}))
    rows = [batch.num_rows for batch in feather_stream(path, ReadOptions()).batches]
    assert sum(rows) == 2000
    assert max(rows) <= 17
