"""Delimited text: exact values, or a refusal that says where."""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import EmptyDataError, MalformedDataError
from assay.reading.batches import ReadOptions
from assay.reading.files import read_table

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=6)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_whatever_a_strict_writer_wrote_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([("a", "b"), ("x", "x"), *rows])
    path.write_bytes(written.getvalue().encode())
    table = read_table(path, ReadOptions())
    assert list(zip(*table.to_pydict().values(), strict=True))[1:] == rows


def test_types_are_inferred_from_all_rows(read):
    table = read("i,f,s,b,t\n1,1.5,x,true,2024-01-31 10:00:00\n,,,,\n")
    assert [str(kind) for kind in table.schema.types] == ["int64", "double", "string", "bool", "timestamp[us]"]
    assert [column.null_count for column in table.columns] == [1, 1, 1, 1, 1]


def test_words_that_look_like_missing_or_boolean_stay_text(read):
    assert read('a,b,c\nNA,"no",NULL\nx,yes,""\n').to_pydict() == {
        "a": ["NA", "x"],
        "b": ["no", "yes"],
        "c": ["NULL", ""],
    }


@pytest.mark.parametrize("code", ["00123", "-01", "+07", " 08", "00.5", "0x1F"])
def test_a_leading_zero_keeps_the_whole_column_as_text(read, code):
    table = read(f"code,n\n12,1\n{code},0\n")
    assert table["code"].to_pylist() == ["12", code]
    assert table["n"].type == pa.int64()


def test_zero_alone_is_a_number(read):
    assert read("a,b\n0,0.5\n10,-0.25\n").schema.types == [pa.int64(), pa.float64()]


def test_digits_beyond_64_bits_stay_text(read):
    table = read("id,x\n12345678901234567890,1e300\n1,2\n")
    assert table["id"].to_pylist() == ["12345678901234567890", "1"]
    assert table["x"].type == pa.float64()


def test_a_number_past_the_floats_stays_text(read):
    assert read("a,b\n1e999,inf\n2,1\n").to_pydict() == {"a": ["1e999", "2"], "b": [float("inf"), 1.0]}


def test_truth_mixed_with_numbers_stays_text(read):
    assert read("a,b\ntrue,True\n1,FALSE\n").to_pydict() == {"a": ["true", "1"], "b": [True, False]}


def test_one_missing_cell_leaves_whole_numbers_whole(read):
    table = read("a,b\n9007199254740993,1\n,2\n")
    assert table["a"].to_pylist() == [9007199254740993, None]


def test_times_of_several_zones_are_the_same_moments_in_utc(read):
    table = read("t,b\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00+02:00,2\n")
    assert [str(moment) for moment in table["t"].to_pylist()] == [
        "2024-01-01 00:00:00+00:00",
        "2023-12-31 22:00:00+00:00",
    ]


def test_times_with_and_without_zone_stay_text(read):
    assert read("t,b\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00,2\n")["t"].type == pa.string()


def test_dialects(read):
    table = read("\ufeffprix;é\n1,5;ü\n".encode("utf-8"), delimiter=";", decimal=",")
    assert table.to_pydict() == {"prix": [1.5], "é": ["ü"]}
    assert read("a;b\n1,5;é\n".encode("cp1252"), delimiter=";", decimal=",", encoding="cp1252")["b"][0].as_py() == "é"
    assert read("a,b\n1,é\n".encode("utf-16"), encoding="utf-16")["b"][0].as_py() == "é"
    assert read("a\tb\n1\t2\n", name="rows.tsv").column_names == ["a", "b"]
    assert read("a,b\n'x,y',2\n", quote="'")["a"][0].as_py() == "x,y"


REFUSED = {
    "a short row": ("a,b\n1,2\n3\n", {}, "rows.csv, row 3\n  found: 1 fields"),
    "a long row": ("a,b\n1,2\n3,4,5\n", {}, "rows.csv, row 3\n  found: 3 fields"),
    "every row longer than the header": ("a,b\n1,2,3\n4,5,6\n", {}, "rows.csv, row 2\n  found: 3 fields"),
    "a repeated header": ("a,b,a\n1,2,3\n", {}, "columns 1 and 3"),
    "an unnamed column": ("a,\n1,2\n", {}, "column 2"),
    "a NUL": ("a,b\n1,2\n3,\0\n", {}, "rows.csv, row 3, byte 10"),
    "bytes of another encoding": (b"a,b\n1,x\n2,\xe9\n", {}, "row 3, column 'b', byte 10"),
    "a header of another encoding": (b"a\xe9,b\n1,2\n", {}, "set dataset.dialect.encoding"),
    "bytes that the code page lacks": (b"a,b\n1,\x81\n", {"encoding": "cp1252"}, "text in cp1252"),
    "an unknown encoding": ("a,b\n1,2\n", {"encoding": "utf-99"}, "correct dataset.dialect.encoding"),
    "semicolons": ("a;b\n1;2\n", {}, "set dataset.dialect.delimiter to ';'"),
    "semicolons and decimal commas": ("a;b\n1,5;2,5\n", {}, "set dataset.dialect.delimiter to ';'"),
    "tabs": ("a\tb\n1\t2\n", {}, "set dataset.dialect.delimiter to '\\t'"),
    "bars": ("a|b\n1|2\n", {}, "set dataset.dialect.delimiter to '|'"),
    "a quote that is never closed": ('a,b\n1,"x\n2,y\n3,z\n', {}, "rows.csv, row 2"),
    "a quote closed by a later row's": ('a,b\n1,"x\n2,"y\n', {}, "rows.csv, row 3"),
    "a quote inside a field": ('a,b\n1,x\n2,5" pipe\n', {}, "rows.csv, row 3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_remedy(read, case):
    content, dialect, message = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content, **dialect)
    assert message in str(caught.value)


def test_a_refusal_does_not_quote_the_row(read):
    with pytest.raises(MalformedDataError) as caught:
        read("a,b\n1,2\nsecret,4,5\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "a,b\n", "\n\n", "\ufeff"])
def test_no_rows_are_refused(read, content):
    with pytest.raises(EmptyDataError, match=r"empty|no rows"):
        read(content)


def test_a_long_file_is_checked_across_blocks(read, monkeypatch):
    monkeypatch.setattr("assay.reading.delimited.blocks.BLOCK_BYTES", 7)
    good = "a,b\n" + '1,"x ""y"" z"\n2,"p,q"\n' * 20
    assert read(good).num_rows == 40
    with pytest.raises(MalformedDataError, match="never closed") as caught:
        read(good + '3,5" pipe\n')
    assert caught.value.location.row == 42
    assert caught.value.location.byte == len(good) + 3
