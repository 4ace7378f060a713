"""What every storage of the shell's commands does, local or not."""

import json
import tempfile
from pathlib import Path

import pytest

from assay.errors import AssayError, SourceNotFoundError, StorageError, TargetExistsError
from assay.results.bundle import MANIFEST_FILE, folder_of
from assay.shell.storage import AnyStorage, LocalStorage, put_text
from resources.settings import Settings
from resources.shell_storage import PlatformStorage
from resources.store.s3 import S3Store


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path, monkeypatch):
    """Give a storage and the address of a folder in it."""
    if request.param == "local":
        return LocalStorage(), str(tmp_path / "there")
    request.getfixturevalue("aws")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return PlatformStorage(Settings(_env_file=None)), "s3://bucket/some/prefix"


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def fetched(storage, uri, folder):
    return [file.path.read_text() for file in storage.fetch(uri, folder)]


def bundle(here, name, **files):
    folder = here / name
    folder.mkdir()
    for file, text in {"model.skops": f"model {name}", **files}.items():
        (folder / file).write_text(text)
    (folder / MANIFEST_FILE).write_text(json.dumps({"family": name, "files": {"model.skops": f"digest {name}"}}))
    return folder


def model_at(storage, root, here):
    """Read as a user of a bundle does: the manifest first, then the file where it says."""
    back = Path(tempfile.mkdtemp(dir=here))
    [manifest] = storage.fetch(f"{root}/{MANIFEST_FILE}", back)
    folder = folder_of(manifest.path.read_bytes())
    [model] = storage.fetch("/".join(filter(None, (root, folder, "model.skops"))), back)
    return json.loads(manifest.path.read_text())["family"], model.path.read_text()


def names_below(storage, root, client):
    if isinstance(storage, LocalStorage):
        return sorted(path.name for path in Path(root).rglob("*") if path.is_file())
    listed = client.list_objects_v2(Bucket="bucket", Prefix=root.removeprefix("s3://bucket/"))["Contents"]
    return sorted(item["Key"].rpartition("/")[2] for item in listed)


def test_what_is_put_is_fetched(place, here):
    storage, root = place
    put_text(storage, "first", f"{root}/a.json")
    put_text(storage, "second", f"{root}/a.json")
    assert fetched(storage, f"{root}/a.json", here) == ["second"]


def test_a_glob_names_its_files_in_order(place, here):
    storage, root = place
    for name in ("b.csv", "a.csv", "c.txt"):
        put_text(storage, name, f"{root}/{name}")
    assert fetched(storage, f"{root}/*.csv", here) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("name", ["absent.csv", "absent*.csv"])
def test_what_is_not_there_is_a_typed_error(place, here, name):
    storage, root = place
    with pytest.raises(SourceNotFoundError):
        storage.fetch(f"{root}/{name}", here)


def test_a_bundle_replaces_a_former_one_and_removes_its_files(place, here, request):
    storage, root = place
    client = None if isinstance(storage, LocalStorage) else request.getfixturevalue("aws")
    storage.put_bundle(bundle(here, "old"), f"{root}/x/1")
    storage.put_bundle(bundle(here, "new"), f"{root}/x/1", overwrite=True)
    assert model_at(storage, f"{root}/x/1", here) == ("new", "model new")
    assert names_below(storage, f"{root}/x/1", client) == [MANIFEST_FILE, "model.skops"]


def test_a_version_is_replaced_only_where_that_is_asked_for(place, here):
    storage, root = place
    storage.put_bundle(bundle(here, "old"), f"{root}/x/1")
    assert storage.has_file(f"{root}/x/1/{MANIFEST_FILE}")
    with pytest.raises(TargetExistsError, match="immutable"):
        storage.put_bundle(bundle(here, "new"), f"{root}/x/1")
    assert model_at(storage, f"{root}/x/1", here) == ("old", "model old")
    storage.put_bundle(here / "old", f"{root}/x/1")  # a step that is run again exports the same model


def test_a_bundle_that_breaks_off_leaves_the_former_one(place, here, monkeypatch):
    storage, root = place
    storage.put_bundle(bundle(here, "old"), f"{root}/x/1")
    if isinstance(storage, LocalStorage):
        monkeypatch.setattr("shutil.copytree", _fails)
    else:
        monkeypatch.setattr(S3Store, "replace", _fails)
    with pytest.raises((AssayError, OSError)):
        storage.put_bundle(bundle(here, "new"), f"{root}/x/1", overwrite=True)
    assert model_at(storage, f"{root}/x/1", here) == ("old", "model old")


def test_an_s3_address_has_a_whole_bundle_at_every_moment_of_an_overwrite(aws, here, monkeypatch):
    """There was a moment without a manifest: readers found no model."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    storage, root, seen = PlatformStorage(Settings(_env_file=None)), "s3://bucket/x/1", []
    for path in bundle(here, "old").iterdir():  # as earlier versions put it: the files beside the manifest
        aws.upload_file(str(path), "bucket", f"x/1/{path.name}")

    def watched(act):
        def acting(store, *arguments):
            seen.append(model_at(storage, root, here))
            result = act(store, *arguments)
            seen.append(model_at(storage, root, here))
            return result

        return acting

    for name in ("put_file", "put_if_absent", "replace"):
        monkeypatch.setattr(S3Store, name, watched(getattr(S3Store, name)))
    delete, deleted = S3Store.delete, []
    monkeypatch.setattr(S3Store, "delete", lambda store, key: deleted.append(key) or delete(store, key))
    storage.put_bundle(bundle(here, "new"), root, overwrite=True)
    storage.put_bundle(bundle(here, "newest"), root, overwrite=True)
    assert all(model == f"model {name}" for name, model in seen)
    assert list(dict.fromkeys(name for name, _ in seen)) == ["old", "new", "newest"]
    assert deleted[0] == "x/1/model.skops"
    assert names_below(storage, root, aws) == [MANIFEST_FILE, "model.skops"]


def test_what_a_killed_export_left_is_removed_by_a_later_one(aws, here, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    storage = PlatformStorage(Settings(_env_file=None))
    for key in (f"x/1/{'a' * 32}/model.skops", "x/1/notes/model.skops", "x/1/notes.txt"):
        aws.put_object(Bucket="bucket", Key=key, Body=b"")
    storage.put_bundle(bundle(here, "young"), "s3://bucket/x/1")
    assert len(names_below(storage, "s3://bucket/x/1", aws)) == 5
    monkeypatch.setattr("resources.store.bundles._DAY", -60.0)
    storage.put_bundle(bundle(here, "old"), "s3://bucket/x/1", overwrite=True)
    assert names_below(storage, "s3://bucket/x/1", aws) == [MANIFEST_FILE, "model.skops", "model.skops", "notes.txt"]


def test_two_first_writers_of_a_version_leave_one_whole_bundle(place, here, in_threads, request):
    """Files of two models lay under one manifest."""
    storage, root = place
    folders = [bundle(here, f"m{number}") for number in range(4)]
    results = in_threads(4, lambda number: storage.put_bundle(folders[number], f"{root}/x/1"))
    refused = [result for result in results if result is not None]
    assert [type(error) for error in refused] == [TargetExistsError] * 3
    name, model = model_at(storage, f"{root}/x/1", here)
    assert model == f"model {name}"
    assert results[int(name[1])] is None
    client = None if isinstance(storage, LocalStorage) else request.getfixturevalue("aws")
    assert names_below(storage, f"{root}/x/1", client) == [MANIFEST_FILE, "model.skops"]


def test_writers_that_overwrite_at_once_leave_one_whole_bundle(place, here, in_threads, request):
    storage, root = place
    client = None if isinstance(storage, LocalStorage) else request.getfixturevalue("aws")
    folders = [bundle(here, f"m{number}") for number in range(4)]
    results = in_threads(4, lambda number: storage.put_bundle(folders[number], f"{root}/x/1", overwrite=True))
    assert results == [None] * 4
    name, model = model_at(storage, f"{root}/x/1", here)
    assert model == f"model {name}"
    assert names_below(storage, f"{root}/x/1", client) == [MANIFEST_FILE, "model.skops"]


def _fails(*_, **__):
    raise StorageError("no room")


def test_nothing_is_left_beside_a_local_file(tmp_path):
    put_text(LocalStorage(), "text", str(tmp_path / "new" / "a.json"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def test_a_local_target_below_a_file_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        LocalStorage().require_target(str(tmp_path / "file" / "a.json"))
    LocalStorage().require_target(str(tmp_path / "new" / "folder" / "a.json"))


@pytest.mark.parametrize("uri", ["https://example.org/a.json", "s3://bucket", "s3://bucket/"])
def test_addresses_that_cannot_be_written_are_refused(uri):
    with pytest.raises(StorageError, match="nothing can be written"):
        PlatformStorage(Settings(_env_file=None)).require_target(uri)


def test_credentials_in_a_target_are_refused_and_not_shown():
    with pytest.raises(AssayError) as refused:
        AnyStorage().require_target("s3://user:swordfish@bucket/a.json")
    assert "swordfish" not in str(refused.value)


def test_variables_of_an_address_come_from_the_environment(tmp_path, here, monkeypatch):
    (tmp_path / "a.csv").write_text("rows")
    monkeypatch.setenv("ROWS_AT", str(tmp_path))
    assert fetched(AnyStorage(), "${ROWS_AT}/a.csv", here) == ["rows"]


def test_the_shell_shares_the_cache_of_the_deployment(aws, here, tmp_path, caplog):
    caplog.set_level("INFO", "assay.shell")
    storage = PlatformStorage(Settings(_env_file=None, cache_dir=tmp_path / "cache", cache_megabytes=1))
    aws.put_object(Bucket="bucket", Key="a.csv", Body=b"a\n1\n")
    for number in range(2):
        folder = here / str(number)
        folder.mkdir()
        assert [file.path.read_bytes() for file in storage.fetch("s3://bucket/a.csv", folder)] == [b"a\n1\n"]
    assert caplog.text.count("s3://bucket/a.csv: unchanged since") == 1
