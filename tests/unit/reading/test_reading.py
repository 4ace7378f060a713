"""Formats, compression and dtypes of any file."""

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import EmptyDataError, MalformedDataError, SourceError, SourceNotFoundError
from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.reading.files import read_table
from assay.specs.dataset import DataFormat


def parquet_bytes(table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def zip_bytes(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_declared_format_wins(read):
    assert read("a,b\n1,2\n", name="rows.txt", data_format=DataFormat.CSV).num_rows == 1


def test_compressed_files_are_unpacked(read):
    assert read(gzip.compress(b"a,b\n1,2\n"), name="rows.csv.gz").to_pydict() == {"a": [1], "b": [2]}
    assert read(zip_bytes(x="a,b\n1,2\n"), name="rows.csv.zip").to_pydict() == {"a": [1], "b": [2]}


def test_an_archive_of_nothing_is_empty(read):
    with pytest.raises(EmptyDataError, match="the file is empty"):
        read(gzip.compress(b""), name="a.csv.gz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceNotFoundError) as caught:
        read_table(tmp_path / "no.csv", ReadOptions(), name="s3://b/no.csv")
    assert caught.value.where == "s3://b/no.csv"


def test_a_file_without_permission_to_read_is_refused(read, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    open_path = Path.open
    monkeypatch.setattr(
        "pathlib.Path.open",
        lambda path, *how, **more: open_path(path, *how, **more) if path.name == ".lock" else refuse(),
    )
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda path, data: None)
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: True)
    monkeypatch.setattr("pathlib.Path.stat", lambda path: type("Stat", (), {"st_size": 1}))
    with pytest.raises(SourceError, match="cannot be read") as caught:
        read("a,b\n1,2\n")
    assert caught.value.found == "Permission denied"


def test_parquet_is_read_whatever_its_folder_is_called(tmp_path):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    path = folder / "a.parquet"
    path.write_bytes(parquet_bytes(pa.table({"a": [1]})))
    assert read_table(path, ReadOptions()).column_names == ["a"]


def test_a_table_of_too_many_columns_is_refused(read):
    with pytest.raises(MalformedDataError, match="too many columns"):
        read(",".join(f"c{n}" for n in range(5001)) + "\n" + ",".join(["1"] * 5001) + "\n")


def test_dtypes_become_plain_without_loss(read):
    table = pa.table(
        {
            "s": pa.array([7], pa.timestamp("s")),
            "ms": pa.array([7], pa.timestamp("ms", "UTC")),
            "ns": pa.array([7], pa.timestamp("ns")),
            "numbers": pa.array([7]).dictionary_encode(),
            "texts": pa.array(["x"]).dictionary_encode(),
        }
    )
    read_back = read(parquet_bytes(table), name="a.parquet")
    kinds = dict(zip(read_back.column_names, map(str, read_back.schema.types), strict=True))
    assert kinds.pop("texts") == "string"
    assert kinds == {"s": "timestamp[us]", "ms": "timestamp[us, tz=UTC]", "ns": "timestamp[ns]", "numbers": "int64"}
    assert read_back["s"][0].as_py() == table["s"][0].as_py()


def test_nested_columns_are_refused_by_name(read):
    with pytest.raises(MalformedDataError) as caught:
        read(parquet_bytes(pa.table({"a": [1], "b": [[1, 2]]})), name="a.parquet")
    assert (caught.value.defect, caught.value.location.column) == (Defect.NESTED_VALUES, "b")
