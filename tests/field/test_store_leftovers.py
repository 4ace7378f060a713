"""Foreign objects, long names, wrong clocks, flipped bits and remains of killed processes in the store."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws
from moto.s3.responses import S3Response

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DigestMismatchError, SourceError, StorageError
from assay.scratch import remove_abandoned, scratch_beside, scratch_folder
from assay.shell.main import main
from assay.shell.storage import LocalStorage, put_text
from assay.specs.dataset import ColumnRole
from resources.artifacts.store import ArtifactStore, Attempt
from resources.sources.s3 import S3Source
from resources.store.commit_log import collect_garbage
from resources.store.interface import decoded, encoded
from resources.store.local import LocalStore
from resources.store.numbered_records import newest_number
from resources.store.s3 import S3Store

JAPANESE = "\u6771" * 54


def dataset():
    table = pa.table({"x": [1, 2, 3]})
    column = ColumnSchema(name="x", dtype="int64", role=ColumnRole.NUMERIC)
    return Dataset(
        table=table, schema=TableSchema(version=1, columns=(column,)), fingerprint=fingerprint(table), notes={}
    )


def aged(path, hours=72):
    os.utime(path, (time.time() - hours * 3600,) * 2)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.mark.parametrize(
    "foreign", [".DS_Store", "._00000002.json", "00000002.json/copy", "old/00000099.json", "notes"]
)
def test_a_foreign_file_below_records_is_passed_over(foreign, store, tmp_path):
    """One below `commits/` stopped the janitor, one below a champion's records every promotion."""
    artifacts = ArtifactStore(store)
    artifacts.publish(("a",), None, dataset(), Attempt("r", "r-1"))
    for folder in ("a/@whole/commits/", "@champion_journals/m/"):
        store.put_if_absent(folder + foreign, b"")
    left = "a/@whole/data/r-2/left"
    store.put_if_absent(left, b"")
    aged(tmp_path / "store" / left)
    assert newest_number(store, "@champion_journals/m/") == 0
    assert artifacts.log.newest_number(("a",), None) == 1
    assert collect_garbage(store, older_than_seconds=48 * 3600) == [left]


def test_a_damaged_record_protects_its_own_series_alone(store, tmp_path):
    artifacts = ArtifactStore(store)
    for asset in ("a", "b"):
        artifacts.publish((asset,), None, dataset(), Attempt("r", "r-1"))
        store.put_if_absent(f"{asset}/@whole/data/r-2/left", b"")
        aged(tmp_path / "store" / asset / "@whole/data/r-2/left")
    (tmp_path / "store/a/@whole/commits/00000001.json").write_text("{}")
    with pytest.raises(StorageError, match="damaged"):
        collect_garbage(store, older_than_seconds=48 * 3600)
    assert store.stat("a/@whole/data/r-2/left") is not None
    assert store.stat("b/@whole/data/r-2/left") is None


@pytest.mark.parametrize("name", [JAPANESE, "\u0434" * 43, "\U0001f600" * 22, "a" * 256])
def test_a_long_name_in_any_script_is_stored_and_read(name, store):
    """54 Japanese characters exceeded 255 bytes, and the error said to check permissions."""
    artifacts = ArtifactStore(store)
    artifacts.publish(("p", name), name, dataset(), Attempt("r", "r-1"))
    commit = artifacts.newest(("p", name), name)
    assert (commit.asset, commit.partition) == (("p", name), name)
    assert artifacts.load(("p", name), name, Dataset).table.num_rows == 3
    assert len(encoded(name)) <= 255
    assert encoded(name) != encoded(name + "x")
    assert encoded(name[:-1] + "x").split("%_")[0][:100] == encoded(name)[:100]


def test_a_name_that_fits_keeps_its_component():
    name = "\u6771" * 28
    assert encoded(name) == "%e6%9d%b1" * 28
    assert decoded(encoded(name)) == name


def test_a_janitor_whose_clock_is_ahead_removes_nothing_that_is_new(store, monkeypatch):
    """A clock two days ahead removed the objects of a commit on its way, and the newest version was unreadable."""
    store.put_if_absent("a/@whole/data/r-1/on-its-way", b"")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86400 + 60)
    assert collect_garbage(store, older_than_seconds=48 * 3600) == []
    assert [item.key for item in store.list_objects("")] == ["a/@whole/data/r-1/on-its-way"]


def test_temporary_files_of_killed_writers_are_removed(store, tmp_path):
    folder = tmp_path / "store" / "a"
    folder.mkdir(parents=True)
    for name in (".assay-old", ".assay-new"):
        (folder / name).write_bytes(b"half")
    aged(folder / ".assay-old")
    assert collect_garbage(store, older_than_seconds=48 * 3600) == ["a/.assay-old"]
    assert [path.name for path in folder.iterdir()] == [".assay-new"]


class Flipping(LocalStore):
    """Flips a bit of the first bodies that it gives."""

    def __init__(self, root, times):
        super().__init__(root)
        self.times = times

    def get_bytes(self, key):
        data = super().get_bytes(key)
        if self.times and "/data/" in key:
            self.times -= 1
            return bytes([data[0] ^ 1]) + data[1:]
        return data


def test_a_bit_that_flipped_on_its_way_is_fetched_again_once(store, tmp_path):
    ArtifactStore(store).publish(("a",), None, dataset(), Attempt("r", "r-1"))
    assert ArtifactStore(Flipping(tmp_path / "store", 1)).load(("a",), None, Dataset).table.num_rows == 3
    with pytest.raises(DigestMismatchError):
        ArtifactStore(Flipping(tmp_path / "store", 99)).load(("a",), None, Dataset)
    flipping = ArtifactStore(Flipping(tmp_path / "store", 1))
    flipping.write_files(flipping.newest(("a",), None), tmp_path / "files")
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["data.parquet", "schema.json"]


@pytest.fixture
def flipped(monkeypatch):
    """A client of S3, and a list with one bit mask for each next answer that is damaged."""
    answer, masks = S3Response._key_response_get, []

    def on_its_way(self, *given):
        status, headers, body = answer(self, *given)
        if masks:
            body = bytes([body[0] ^ masks.pop()]) + body[1:]
        return status, headers, body

    monkeypatch.setattr(S3Response, "_key_response_get", on_its_way)
    with mock_aws():
        client = boto3.Session("id", "secret", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket="bucket")
        yield client, masks


def _fetched(client, folder):
    source = S3Source("s3://bucket/rows.csv", client)
    return source.fetch(source.objects()[0], folder).path.read_bytes()


@pytest.mark.parametrize(
    ("read", "right"),
    [
        (lambda client, _: S3Store(client, "bucket", "").get_bytes("rows.csv"), b"a,b"),
        (lambda client, _: S3Store(client, "bucket", "").open("rows.csv").read(), b"a,b"),
        (lambda client, _: S3Store(client, "bucket", "").replace("rows.csv", b"1,2", b"a,b"), True),
        (_fetched, b"a,b"),
    ],
    ids=["get", "open", "replace", "source"],
)
def test_a_bit_that_flipped_on_its_way_from_s3_is_fetched_again_once(read, right, flipped, tmp_path):
    """botocore's own checksum refused such a body before the digests of the store were asked."""
    client, masks = flipped
    S3Store(client, "bucket", "").put_if_absent("rows.csv", b"a,b")
    masks[:] = [1, 1]
    with pytest.raises((StorageError, SourceError), match="arrived damaged, twice") as refused:
        read(client, tmp_path)
    assert "restore an earlier version" in refused.value.remedy
    masks[:] = [1]
    assert read(client, tmp_path) == right
    assert masks == []


def test_a_full_disk_of_temporary_files_is_a_typed_error(store, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(StorageError, match="temporary files is full") as refused:
        ArtifactStore(store).publish(("a",), None, dataset(), Attempt("r", "r-1"))
    assert refused.value.where == str(tmp_path)
    assert "TMPDIR" in refused.value.remedy


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    killed = (
        "import os\nfrom assay.scratch import scratch_folder\nwith scratch_folder('x'):\n    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed], check=False, cwd=Path(__file__).parents[2])
    (left,) = tmp_path.glob("assay-x-*")
    (tmp_path / "assay-of-somebody-else").mkdir()
    with scratch_folder("y") as used:
        assert remove_abandoned() == []
        assert remove_abandoned(older_than_seconds=-60) == [str(left)]
        assert Path(used).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["assay-of-somebody-else"]


def test_a_folder_of_another_user_does_not_stop_the_removal(tmp_path, monkeypatch):
    """In a shared /tmp the janitor ended with PermissionError."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "assay-rows.csv").write_text("a,y\n")
    for name in ("assay-x-another", "assay-x-own"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".lock").touch()
    state_of = Path.stat

    def refused(path, **options):
        if path.parent.name == "assay-x-another":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return state_of(path, **options)

    monkeypatch.setattr(Path, "stat", refused)
    assert remove_abandoned(older_than_seconds=-60) == [str(tmp_path / "assay-x-own")]


def test_a_command_of_the_shell_removes_what_killed_ones_left_in_tmpdir(tmp_path, monkeypatch):
    """Without Dagster no janitor runs, and each killed `assay train` left a folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "assay-bundle-old").mkdir()
    (tmp_path / "assay-bundle-old" / ".lock").touch()
    aged(tmp_path / "assay-bundle-old", hours=2)
    (tmp_path / "empty").mkdir()
    main(["check", str(tmp_path / "empty")])
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_what_killed_writers_left_beside_a_local_target_is_removed(tmp_path):
    """57 `.assay-*` files lay beside the targets of the shell, and nothing ever removed them."""
    killed = (
        "import os, sys\nfrom pathlib import Path\nfrom assay.scratch import scratch_beside\n"
        f"with scratch_beside(Path({str(tmp_path)!r}, 'x')) as folder:\n"
        "    (folder / 'new').write_text('half')\n    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed], check=False, cwd=Path(__file__).parents[2])
    [left] = tmp_path.iterdir()
    for name in (".assay-young000", ".assay-0l_d0000", ".assay-of-somebody"):
        (tmp_path / name).write_text("half")
    aged(tmp_path / ".assay-0l_d0000")
    aged(tmp_path / ".assay-of-somebody")
    with scratch_beside(tmp_path / "used") as used:
        aged(used.parent)
        aged(left)
        put_text(LocalStorage(), "text", str(tmp_path / "report.json"))
        assert used.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".assay-of-somebody", ".assay-young000", "report.json"]
