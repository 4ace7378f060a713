"""Reported: one column by `detect`, `.csv.bz2`, `.data`, a query beside a CSV, and copies of files that need a setting."""

import bz2
import lzma

import pytest
from pydantic import ValidationError

from assay.errors import MalformedDataError, UnsupportedFormatError
from assay.reading.batches import ReadOptions
from assay.reading.files import read_table
from assay.reading.registry import chosen_format
from assay.specs.dataset import QUERIED_SCHEMES, CsvDialect, DataFormat, DatasetSpec
from resources.sources.opening import SOURCES

pytestmark = pytest.mark.confined
DETECT = ReadOptions(DataFormat.AUTO, dialect=CsvDialect(detect=True))


def test_a_file_of_one_column_is_detected(tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("a\n1\n2\n")

    assert read_table(file, DETECT).to_pydict() == {"a": [1, 2]}


@pytest.mark.parametrize(
    "values",
    [
        ["hello, world", "good day", "one, two, three; four"],
        ["a | b", "plain", "x\ty"],
        ["plain", "first, second"],
    ],
)
def test_a_file_of_one_column_may_hold_delimiters_in_its_values(tmp_path, values):
    file = tmp_path / "one.csv"
    file.write_text("\n".join(["text", *values, ""]))

    assert read_table(file, DETECT).to_pydict() == {"text": values}


def test_one_column_or_a_title_above_rows_is_not_guessed_and_the_remedy_helps(tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("name\nDoe, John\nRoe, Jane\n")
    with pytest.raises(MalformedDataError) as refused:
        read_table(file, DETECT)
    assert "set it to ';', which occurs in no row" in refused.value.remedy
    advised = ReadOptions(DataFormat.AUTO, dialect=CsvDialect(detect=True, delimiter=";"))
    assert read_table(file, advised).to_pydict() == {"name": ["Doe, John", "Roe, Jane"]}
    file.write_text("last, first\nDoe\nRoe\n")
    with pytest.raises(MalformedDataError, match="ambiguous"):
        read_table(file, DETECT)


@pytest.mark.parametrize(("ending", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_text_is_read(tmp_path, ending, pack):
    file = tmp_path / f"rows.csv.{ending}"
    file.write_bytes(pack(b"a,b\n1,x\n2,y\n"))

    assert read_table(file, ReadOptions(DataFormat.AUTO)).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize("name", ["rows.tar.gz", "rows.tgz", "rows.csv.7z", "rows.csv.lz4", "rows.csv.Z"])
def test_a_packing_that_is_not_unpacked_says_to_unpack(tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"x")
    with pytest.raises(UnsupportedFormatError) as refused:
        chosen_format(name, file)
    assert refused.value.remedy.startswith("unpack the file")


def test_data_is_an_ending_of_delimited_text(tmp_path):
    file = tmp_path / "iris.data"
    file.write_text("a,b\n1,x\n")

    assert read_table(file, ReadOptions(DataFormat.AUTO)).to_pydict() == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "rows.csv", "query": "select 1"}, "a query needs a database"),
        ({"source": "s3://b/rows.csv", "query": "select 1"}, "a query needs a database, sql://, sqlite://, duckdb://"),
        ({"source": "duckdb:rows.duckdb", "query": "select 1"}, "the address of a database begins with duckdb://"),
        ({"source": "rows.csv", "watermark": "select 1"}, "belong to a query"),
        ({"source": "rows.csv", "parameters": {"a": 1}}, "belong to a query"),
        ({"source": "sql://shop"}, "needs dataset.query"),
        ({"source": "duckdb:///rows.duckdb"}, "needs dataset.query"),
    ],
)
def test_a_query_that_does_not_fit_the_source_is_refused_at_load(fields, message):
    with pytest.raises(ValidationError, match=message):
        DatasetSpec(target="y", **fields)


def test_a_source_known_at_run_time_may_be_either():
    assert DatasetSpec(target="y", source="${SOURCE}", query="select 1").query
    assert DatasetSpec(target="y", source="duckdb:///${FOLDER}/rows.duckdb", query="select 1").query
    assert DatasetSpec(target="y", source="${FOLDER}/rows.csv")


def test_the_schemes_of_databases_are_those_of_the_sources():
    assert set(QUERIED_SCHEMES) == {scheme for kind in SOURCES if kind.query for scheme in kind.schemes}
