"""What every storage of the shell's commands does, local or not."""

import pytest

from assay.errors import AssayError, SourceNotFoundError, StorageError, TargetExistsError
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
    for file, text in files.items():
        (folder / file).write_text(text)
    return folder


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


def test_a_folder_replaces_a_former_one(place, here):
    storage, root = place
    storage.put_folder(bundle(here, "old", model="m1", manifest="f1"), f"{root}/x/1", last="manifest")
    storage.put_folder(bundle(here, "new", model="m2", manifest="f2"), f"{root}/x/1", last="manifest", overwrite=True)
    (here / "back").mkdir()
    assert fetched(storage, f"{root}/x/1/*", here / "back") == ["f2", "m2"]


def test_a_version_is_replaced_only_where_that_is_asked_for(place, here):
    storage, root = place
    storage.put_folder(bundle(here, "old", model="m1", manifest="f1"), f"{root}/x/1", last="manifest")
    assert storage.has_file(f"{root}/x/1/manifest")
    with pytest.raises(TargetExistsError, match="immutable"):
        storage.put_folder(bundle(here, "new", model="m2", manifest="f2"), f"{root}/x/1", last="manifest")
    (here / "back").mkdir()
    assert fetched(storage, f"{root}/x/1/*", here / "back") == ["f1", "m1"]


def test_a_folder_that_breaks_off_is_never_taken_for_whole(place, here, monkeypatch):
    storage, root = place
    storage.put_folder(bundle(here, "old", model="m1", manifest="f1"), f"{root}/x/1", last="manifest")
    if isinstance(storage, LocalStorage):
        monkeypatch.setattr("shutil.copytree", _fails)
    else:
        monkeypatch.setattr(S3Store, "put_if_absent", _fails)
    with pytest.raises((AssayError, OSError)):
        storage.put_folder(
            bundle(here, "new", model="m2", manifest="f2"), f"{root}/x/1", last="manifest", overwrite=True
        )
    (here / "back").mkdir()
    left = fetched(storage, f"{root}/x/1/*", here / "back")
    assert left in (["f1", "m1"], ["m2"])


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
