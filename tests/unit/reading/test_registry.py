"""Formats: declared once, and found by the names of files."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from assay.errors import UnsupportedFormatError
from assay.reading import registry
from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.files import read_table
from assay.reading.registry import Format, chosen_format, known_formats
from assay.specs.dataset import DataFormat


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "csv"),
        ("https://h/x/A.TSV", "tsv"),
        ("a.csv.gz", "csv"),
        ("a.csv.zst", "csv"),
        ("a.pq", "parquet"),
        ("s3://b/a.parquet/", "parquet"),
        ("a.ndjson", "jsonl"),
        ("a.xlsx", "xlsx"),
        ("a.XLS", "xlsx"),
        ("a.feather", "feather"),
        ("a.arrow", "feather"),
    ],
)
def test_a_files_name_says_its_format(name, expected):
    assert chosen_format(name).name == expected


@pytest.mark.parametrize("name", ["a.ods", "a", "csv", "a.zip"])
def test_an_unknown_ending_lists_what_is_known(name):
    with pytest.raises(UnsupportedFormatError) as caught:
        chosen_format(name)
    assert ".parquet" in caught.value.expected
    assert "dataset.format" in caught.value.remedy


def test_a_folder_of_parquet_files_is_parquet(tmp_path):
    with pytest.raises(UnsupportedFormatError):
        chosen_format("rows", tmp_path)
    (tmp_path / "k=1").mkdir()
    (tmp_path / "k=1" / "part-0.parquet").touch()
    assert chosen_format("rows", tmp_path).name == "parquet"


def test_an_archives_own_name_says_the_format_where_its_members_does_not(tmp_path):
    with zipfile.ZipFile(tmp_path / "rows.csv.zip", "w") as archive:
        archive.writestr("data", "a\n1\n")
    assert read_table(tmp_path / "rows.csv.zip", ReadOptions()).to_pydict() == {"a": [1]}


def test_every_format_of_a_spec_has_a_reader_and_is_named_in_the_how_to():
    names = {entry.name for entry in known_formats()}
    assert names == {str(name) for name in DataFormat} - {"auto"}
    how_to = (Path(__file__).parents[3] / "docs" / "how-to" / "read-any-file.md").read_text()
    assert not {name for name in names if name not in how_to}


def test_no_two_formats_have_an_ending_in_common():
    endings = [ending for entry in known_formats() for ending in entry.endings]
    assert len(set(endings)) == len(endings)


def toy_stream(path, options):
    """Read one number from each line."""
    numbers = pa.record_batch({"n": [int(line) for line in path.read_text().split()]})
    return BatchStream(numbers.schema, iter([numbers]))


def test_a_format_needs_its_entry_alone_to_be_read_by_name(monkeypatch, tmp_path):
    formats = (*known_formats(), Format("toy", (".toy",), toy_stream))
    monkeypatch.setattr(registry, "known_formats", lambda: formats)
    path = tmp_path / "rows.toy"
    path.write_text("1\n2\n")
    assert read_table(path, ReadOptions()).to_pydict() == {"n": [1, 2]}
    (tmp_path / "rows.toy.gz").write_bytes(gzip.compress(b"3"))
    assert read_table(tmp_path / "rows.toy.gz", ReadOptions()).to_pydict() == {"n": [3]}
