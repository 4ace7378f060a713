"""What a name tells of a format."""

import pytest

from assay.errors import UnsupportedFormatError
from assay.reading.compression import detect_format
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
def test_a_name_tells_the_format(name, expected):
    assert detect_format(name) is DataFormat(expected)


@pytest.mark.parametrize("name", ["a.ods", "a", "a.csv.bz2", "csv", "a.zip"])
def test_an_unknown_ending_lists_what_is_known(name):
    with pytest.raises(UnsupportedFormatError) as caught:
        detect_format(name, where="s3://b/rows.zip")
    assert caught.value.where == "s3://b/rows.zip"
    assert ".parquet" in caught.value.expected
    assert "dataset.format" in caught.value.remedy


def test_a_folder_of_parquet_files_is_parquet(tmp_path):
    with pytest.raises(UnsupportedFormatError):
        detect_format("rows", tmp_path)
    (tmp_path / "k=1").mkdir()
    (tmp_path / "k=1" / "part-0.parquet").touch()
    assert detect_format("rows", tmp_path) is DataFormat.PARQUET
