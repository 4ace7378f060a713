"""Several files as one table."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from assay.errors import EmptyDataError, SchemaDriftError
from assay.reading.files import transcribe
from assay.reading.source_files import read_rows
from assay.specs.dataset import DataFormat, DatasetSpec


@dataclass(frozen=True)
class File:
    path: Path
    uri: str
    data_format: DataFormat | None = None


@pytest.fixture
def read_files(tmp_path):
    def read(*contents):
        files = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}.csv"
            path.write_text(content)
            files.append(File(path, f"s3://b/{number}.csv"))
        spec = DatasetSpec(source="s3://b/*.csv", target="y")
        return read_rows(files, spec, where="demo", transcriber=transcribe).table

    return read


def test_rows_follow_each_other_under_the_first_files_columns(read_files):
    table = read_files("a,y\n1,x\n", "y,a\nz,2\n")
    assert table.to_pydict() == {"a": [1, 2], "y": ["x", "z"]}


def test_whole_numbers_widen_where_a_later_file_has_fractions(read_files):
    assert read_files("a,y\n1,2\n", "a,y\n1.5,2\n").to_pydict() == {"a": [1.0, 1.5], "y": [2, 2]}


def test_what_is_text_in_the_first_file_is_text_in_all(read_files):
    assert read_files("a,y\n00123,1\n", "a,y\n456,2\n")["a"].to_pylist() == ["00123", "456"]


def test_a_column_that_is_empty_at_first_takes_the_later_files_type(read_files):
    assert read_files("a,y\n,1\n", "a,y\nx,2\n")["a"].to_pylist() == [None, "x"]


def test_files_whose_column_is_empty_take_the_others_type(read_files):
    table = read_files("a,y\n,1\n", "a,y\nx,2\n,3\n", "a,y\n,4\n")
    assert table["a"].to_pylist() == [None, "x", None, None]
    assert table["a"].type == pa.string()


@pytest.mark.parametrize("later", ["a,y\nx,1\n", "b,y\n1,1\n", "a,y,b\n1,1,1\n"])
def test_a_file_of_other_columns_is_named(read_files, later):
    with pytest.raises(SchemaDriftError) as caught:
        read_files("a,y\n1,1\n", later)
    assert caught.value.where == "s3://b/1.csv"
    assert "from one file to another" in caught.value.what
    assert "schema_version" not in caught.value.remedy


def test_no_files_are_refused(read_files):
    with pytest.raises(EmptyDataError, match="no files"):
        read_files()
