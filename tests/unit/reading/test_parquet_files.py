"""Parquet files and folders of them."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import EmptyDataError, MalformedDataError, SchemaDriftError, UnsupportedFormatError
from assay.reading import arrow_decoding as decoding
from assay.reading import defects
from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect, named
from assay.reading.formats.parquet import parquet_stream


def parquet_bytes(columns, **options):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def table_of(path, name="a.parquet", **options):
    with named(name):
        stream = parquet_stream(path, ReadOptions(**options))
        return pa.Table.from_batches(stream.batches, stream.schema)


@pytest.fixture
def read(tmp_path):
    def of(content, name="a.parquet"):
        path = tmp_path / "bytes"
        path.write_bytes(content)
        return table_of(path, name)

    return of


@pytest.fixture
def folder(tmp_path):
    def of(parts, **options):
        for name, content in parts.items():
            path = tmp_path / "rows" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else parquet_bytes(content))
        return table_of(tmp_path / "rows", "rows", **options)

    return of


LAYOUTS = {
    "plain": {"use_dictionary": False},
    "dictionary": {"use_dictionary": True, "compression": "zstd"},
    "small row groups": {"row_group_size": 7},
    "pages of the second version": {"data_page_version": "2.0", "write_page_checksum": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_come_back(read, layout):
    table = pa.table({"n": range(100), "s": [None, "é", ""] * 33 + ["x"], "f": np.arange(100) / 3, "z": pa.nulls(100)})
    assert read(parquet_bytes(table, **LAYOUTS[layout])).equals(table)


@pytest.mark.parametrize("dtype", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())])
def test_every_layout_of_text_is_read(read, dtype):
    values = pa.array(["a", None, "b"]).cast(dtype)
    assert read(parquet_bytes({"s": values}))["s"].to_pylist() == ["a", None, "b"]


def swollen(rows, size):
    """Texts that are one dictionary entry."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), ["x" * size])


def defect_of(caught):
    return caught.value.defect


@pytest.mark.parametrize("store_schema", [True, False])
def test_one_long_text_for_all_rows_is_counted_row_by_row(read, monkeypatch, store_schema):
    monkeypatch.setattr(defects, "_LEAST_DECODED_BYTES", 10 << 20)
    content = parquet_bytes({"s": swollen(100_000, 1 << 16)}, store_schema=store_schema, compression="zstd")
    assert len(content) < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(MalformedDataError, match="more than is allowed") as caught:
        read(content)
    assert defect_of(caught) == Defect.TOO_LARGE
    assert pa.total_allocated_bytes() - before < 200 << 20


def test_batches_stay_small_where_texts_are_long(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "BATCH_BYTES", 1 << 20)
    monkeypatch.setattr("assay.reading.formats.parquet.BATCH_BYTES", 1 << 20)
    path = tmp_path / "a"
    path.write_bytes(parquet_bytes({"s": swollen(1000, 1 << 14)}, store_schema=False))
    sizes = [batch.nbytes for batch in parquet_stream(path, ReadOptions()).batches]
    assert sum(sizes) > 16_000_000
    assert max(sizes) < 2 << 20


def test_values_are_counted(read, monkeypatch):
    monkeypatch.setattr(defects, "MAX_VALUES", 10)
    with pytest.raises(MalformedDataError) as caught:
        read(parquet_bytes({"a": range(11)}))
    assert (defect_of(caught), caught.value.found) == (Defect.TOO_LARGE, "11 rows x 1 columns")


def with_flipped_page_bit(checksum):
    values = {"a": np.arange(1000.0)}
    content = bytearray(parquet_bytes(values, write_page_checksum=checksum, compression="none", use_dictionary=False))
    content[content.index(np.arange(500.0, 504.0).tobytes())] ^= 1
    return bytes(content)


REFUSED = {
    "other bytes": (b"x", Defect.UNREADABLE),
    "only the marks": (b"PAR1 is no Parquet PAR1", Defect.UNREADABLE),
    "half a file": (parquet_bytes({"a": range(1000)})[:-100], Defect.UNREADABLE),
    "a flipped bit": (with_flipped_page_bit(checksum=True), Defect.CHECKSUM_MISMATCH),
    "an encrypted footer": (parquet_bytes({"a": [1]})[:-4] + b"PARE", Defect.ENCRYPTED),
    "bytes that are no UTF-8": (
        parquet_bytes({"a": ["aXXXXa"]}, compression="none", write_statistics=False).replace(b"XXXX", b"\xff" * 4),
        Defect.WRONG_ENCODING,
    ),
    "an endless field": (parquet_bytes({"a": ["x", "x" * ((1 << 20) + 1)]}), Defect.FIELD_TOO_LONG),
    "too many columns": (parquet_bytes({f"c{n}": [1] for n in range(5001)}), Defect.TOO_MANY_COLUMNS),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(read, case):
    content, defect = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content)
    assert defect_of(caught) == defect
    assert caught.value.where.startswith("a.parquet")


def test_the_row_of_an_endless_field_is_named(read):
    with pytest.raises(MalformedDataError) as caught:
        read(parquet_bytes({"a": [*["x"] * 100, "x" * ((1 << 20) + 1)]}, row_group_size=7))
    assert (caught.value.location.row, caught.value.location.column) == (101, "a")


def test_parts_are_appended_in_the_order_of_their_names(folder):
    parts = {"part-1.parquet": {"a": [3], "b": ["z"]}, "part-0.parquet": {"a": [1, 2], "b": ["x", "y"]}}
    assert folder(parts).to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", "z"]}


def test_hidden_files_are_no_parts(folder):
    others = {"_SUCCESS": b"", ".part.crc": b"?", "_temporary/0/part.parquet": b"?", ".x/part.parquet": b"?"}
    assert folder({"part-0.parquet": {"a": [1]}, **others}).to_pydict() == {"a": [1]}


def test_folders_of_key_and_value_are_columns(folder):
    parts = {
        "y=2020/m=01/p": {"a": [1, 2]},
        "y=2021/m=02/p": {"a": [3]},
        "y=__HIVE_DEFAULT_PARTITION__/m=a%2Fb/p": {"a": [4]},
    }
    assert folder(parts).to_pydict() == {
        "a": [1, 2, 3, 4],
        "y": [2020, 2020, 2021, None],
        "m": ["01", "01", "02", "a/b"],
    }


def test_a_key_that_would_lose_a_zero_stays_text(folder):
    assert folder({"m=01/p": {"a": [1]}, "m=12/p": {"a": [2]}})["m"].to_pylist() == ["01", "12"]


def test_a_key_frozen_as_text_stays_text(folder):
    assert folder({"y=2020/p": {"a": [1]}}, texts=frozenset({"y"}))["y"].to_pylist() == ["2020"]


def test_whole_numbers_widen_where_a_later_part_has_fractions(folder):
    table = folder({"0": {"a": [1], "b": pa.nulls(1)}, "1": {"b": ["x"], "a": [0.5]}})
    assert table.to_pydict() == {"a": [1.0, 0.5], "b": [None, "x"]}


DRIFTED = {
    "a missing column": ({"0": {"a": [1], "b": [1]}, "1": {"a": [1]}}, "rows/1"),
    "a new column": ({"0": {"a": [1]}, "1": {"a": [1], "b": [1]}}, "rows/1"),
    "another type": ({"0": {"a": [1]}, "1": {"a": ["x"]}}, "rows/1"),
    "a number that does not fit": ({"0": {"a": [2**53 + 1]}, "1": {"a": [0.5]}}, "rows/0"),
    "other keys": ({"k=1/0": {"a": [1]}, "z=1/0": {"a": [1]}}, "rows/z=1/0"),
}


@pytest.mark.parametrize("case", DRIFTED)
def test_parts_that_differ_are_refused_by_name(folder, case):
    parts, where = DRIFTED[case]
    with pytest.raises(SchemaDriftError) as caught:
        folder(parts)
    assert caught.value.where == where


def test_a_damaged_part_is_named(folder):
    with pytest.raises(MalformedDataError) as caught:
        folder({"0.parquet": {"a": [1]}, "1.parquet": b"?"})
    assert caught.value.where == "rows/1.parquet"


def test_a_key_that_the_file_has_too_is_refused(folder):
    with pytest.raises(MalformedDataError) as caught:
        folder({"a=1/p": {"a": [1]}})
    assert (defect_of(caught), caught.value.location.column) == (Defect.REPEATED_COLUMN, "a")


def test_values_of_all_parts_are_counted_together(folder, monkeypatch):
    monkeypatch.setattr(defects, "MAX_VALUES", 3)
    with pytest.raises(MalformedDataError) as caught:
        folder({"0": {"a": [1, 2]}, "1": {"a": [3, 4]}})
    assert defect_of(caught) == Defect.TOO_LARGE


def test_a_table_with_a_log_is_more_than_its_files(folder):
    with pytest.raises(UnsupportedFormatError, match="Delta"):
        folder({"0.parquet": {"a": [1]}, "_delta_log/0.json": b"{}"})


def test_a_folder_of_nothing_is_empty(folder):
    with pytest.raises(EmptyDataError):
        folder({"_SUCCESS": b""})
