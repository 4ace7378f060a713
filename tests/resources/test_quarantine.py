"""Refused bytes are kept whole beside the reason, on every store, and the refusal goes on."""

import dataclasses
import hashlib
import json

import pytest
from object_stores import object_store_at

from assay.errors import (
    EmptyDataError,
    Location,
    MalformedDataError,
    MissingColumnError,
    SchemaDriftError,
    SourceUnreachableError,
    StorageError,
    UnsupportedFormatError,
)
from assay.reading.defects import Defect, defect_error
from assay.specs import PipelineSpec
from resources import quarantine as quarantine_module
from resources.quarantine import Quarantine, expire
from resources.sources.interface import FetchedFile
from resources.store.commit_log import collect_garbage
from resources.store.s3 import open_store

SPEC = PipelineSpec.model_validate_json(
    json.dumps({"name": "demo", "task": "regression", "dataset": {"source": "x.csv", "target": "y"}})
)


@pytest.fixture(params=["local", "s3"])
def kept(request, tmp_path):
    """The quarantine and its store."""
    if request.param == "local":
        uri, client = str(tmp_path / "store"), None
    else:
        uri, client = "s3://bucket/some/prefix", request.getfixturevalue("aws")
    return Quarantine(object_store=object_store_at(uri)), open_store(uri, lambda: client)


@pytest.fixture
def fetched(tmp_path):
    """Return a function that makes a fetched file."""

    def make(name="a.csv", content=b"a,b\n1\n", version="etag-1"):
        path = tmp_path / f"fetched-{name}"
        path.write_bytes(content)
        return FetchedFile(path, f"s3://source/{name}", version)

    return make


def refuse(quarantine, files, error):
    """Refuse inside the context; return the error that comes out."""
    with pytest.raises(type(error)) as caught, quarantine.refusals(files, SPEC, where="demo/raw_dataset"):
        raise error
    return caught.value


def keys(store):
    return [item.key for item in store.list_objects("")]


def ragged(where="s3://source/a.csv, row 2"):
    return MalformedDataError(
        "a row is ragged",
        defect="ragged_row",
        location=Location(row=2, column="b", byte=4),
        where=where,
        found="1 field",
        expected="2 fields",
        remedy="correct the row",
    )


def folder_of(content):
    return f"demo/@quarantine/{hashlib.sha256(content).hexdigest()}"


def test_the_bytes_and_the_reason_are_kept(kept, fetched):
    quarantine, store = kept
    refuse(quarantine, [fetched()], ragged())
    folder = folder_of(b"a,b\n1\n")
    assert keys(store) == [f"{folder}/data", f"{folder}/refusal.json"]
    assert store.get_bytes(f"{folder}/data") == b"a,b\n1\n"
    reason = json.loads(store.get_bytes(f"{folder}/refusal.json"))
    assert reason.pop("refused_at").endswith("+00:00")
    assert reason == {
        "uri": "s3://source/a.csv",
        "version": "etag-1",
        "sha256": hashlib.sha256(b"a,b\n1\n").hexdigest(),
        "asset": "demo/raw_dataset",
        "code": "data_malformed",
        "defect": "ragged_row",
        "place": {"row": 2, "column": "b", "byte": 4},
        "what": "a row is ragged",
        "where": "s3://source/a.csv, row 2",
        "found": "1 field",
        "expected": "2 fields",
        "remedy": "correct the row",
    }


def test_the_refusal_goes_on_and_names_the_copy(kept, fetched):
    quarantine, store = kept
    error = refuse(quarantine, [fetched()], ragged())
    assert (error.defect, error.location) == ("ragged_row", Location(row=2, column="b", byte=4))
    copy = store.uri(f"{folder_of(fetched().path.read_bytes())}/data")
    assert error.remedy == f"correct the row; the refused bytes are kept as {copy}"


@pytest.mark.parametrize("kind", [EmptyDataError, SchemaDriftError])
def test_every_refusal_of_bytes_is_kept(kept, fetched, kind):
    quarantine, store = kept
    assert "kept as" in refuse(quarantine, [fetched()], kind("what", where="s3://source/a.csv")).remedy
    assert len(keys(store)) == 2


@pytest.mark.parametrize(
    "error",
    [
        SourceUnreachableError("down"),
        MissingColumnError("no column"),
        KeyError("bug"),
        StorageError("full"),
        UnsupportedFormatError("a setting says the format"),
        defect_error(Defect.SHEET_AMBIGUOUS, "a setting says the sheet", name="s3://source/a.xlsx"),
        defect_error(Defect.WRONG_DELIMITER, "a setting says the delimiter", name="s3://source/a.csv"),
    ],
)
def test_what_is_no_refusal_of_bytes_passes_untouched(kept, fetched, error):
    quarantine, store = kept
    assert refuse(quarantine, [fetched()], error) is error
    assert keys(store) == []


def test_without_a_refusal_nothing_is_kept(kept, fetched):
    quarantine, store = kept
    with quarantine.refusals([fetched()], SPEC, where="demo/raw_dataset"):
        pass
    assert keys(store) == []


def test_the_same_bytes_are_kept_once_with_the_first_reason(kept, fetched):
    quarantine, store = kept
    refuse(quarantine, [fetched()], ragged())
    before = {key: store.get_bytes(key) for key in keys(store)}
    again = refuse(quarantine, [fetched("b.csv", version="etag-2")], EmptyDataError("no rows"))
    assert {key: store.get_bytes(key) for key in keys(store)} == before
    assert "kept as" in again.remedy


def test_a_copy_without_its_reason_is_made_whole(kept, fetched, tmp_path):
    quarantine, store = kept
    (tmp_path / "half").write_bytes(b"a")
    store.put_file(f"{folder_of(b'same')}/data", tmp_path / "half")
    refuse(quarantine, [fetched(content=b"same")], ragged())
    assert store.get_bytes(f"{folder_of(b'same')}/data") == b"same"
    assert f"{folder_of(b'same')}/refusal.json" in keys(store)


def test_only_the_file_that_the_refusal_names_is_kept(kept, fetched):
    quarantine, store = kept
    files = [fetched("a.csv", b"1"), fetched("a.csv.gz", b"2"), fetched("b.csv", b"3")]
    refuse(quarantine, files, ragged("s3://source/a.csv.gz, row 2"))
    assert keys(store) == [f"{folder_of(b'2')}/data", f"{folder_of(b'2')}/refusal.json"]
    refuse(quarantine, files, ragged("s3://source/a.csv, row 2"))
    assert {key.split("/")[2] for key in keys(store)} == {folder_of(each).split("/")[2] for each in (b"1", b"2")}


def test_a_refusal_that_names_no_file_keeps_all_and_names_some(kept, fetched):
    quarantine, store = kept
    files = [fetched(f"{number}.csv", b"%d" % number) for number in range(5)]
    error = refuse(quarantine, files, SchemaDriftError("column 'x' is missing", where="demo/raw_dataset"))
    assert len(keys(store)) == 10
    assert error.remedy.count("/data") == 3
    assert error.remedy.endswith("and 2 more")


def test_the_janitor_leaves_the_quarantine_alone(kept, fetched):
    quarantine, store = kept
    refuse(quarantine, [fetched()], ragged())
    assert collect_garbage(store, older_than_seconds=-60) == []
    assert len(keys(store)) == 2


DAY = 86400


@pytest.fixture
def aged(kept, fetched, wrapped):
    """Three copies of 1 MB beside a published object, made one, two and three days ago."""
    quarantine, store = kept
    contents = [bytes([letter]) * 1_000_000 for letter in b"abc"]
    for content in contents:
        refuse(quarantine, [fetched(content=content)], ragged())
    store.put_if_absent("demo/raw_dataset/@whole/commits/00000001.json", b"{}")
    ages = {folder_of(content): age for age, content in enumerate(contents, start=1)}

    class Aged(wrapped):
        def list_objects(self, prefix):
            for item in super().list_objects(prefix):
                age = ages.get(item.key.rpartition("/")[0], 99)
                yield dataclasses.replace(item, modified=100 * DAY - age * DAY)

    return Aged(store), [folder_of(content) for content in contents]


def test_copies_are_kept_for_ever_unless_the_deployment_says_otherwise(aged):
    store, _ = aged
    assert expire(store, days=None, megabytes=None, now=1e12) == []
    assert len(keys(store)) == 7


def test_copies_go_by_age_with_their_reason(aged):
    store, (young, middle, old) = aged
    assert expire(store, days=1.5, megabytes=None, now=100 * DAY) == [old, middle]
    left = {"demo/raw_dataset/@whole/commits/00000001.json", f"{young}/data", f"{young}/refusal.json"}
    assert set(keys(store)) == left
    assert expire(store, days=1.5, megabytes=None, now=100 * DAY) == []


def test_of_too_many_bytes_the_oldest_copies_go(aged):
    store, (young, middle, old) = aged
    assert expire(store, days=None, megabytes=2.5, now=100 * DAY) == [old]
    assert expire(store, days=99, megabytes=0.5, now=100 * DAY) == [middle, young]
    assert keys(store) == ["demo/raw_dataset/@whole/commits/00000001.json"]


def test_the_resource_removes_by_its_own_settings_and_a_file_refused_again_is_kept_again(kept, fetched):
    quarantine, store = kept
    refuse(quarantine, [fetched()], ragged())
    bounded = Quarantine(
        object_store=object_store_at(quarantine.object_store.uri), days=quarantine.days, megabytes=0.000001
    )
    assert quarantine.expire() == []
    assert bounded.expire() == [folder_of(fetched().path.read_bytes())]
    assert keys(store) == []
    refuse(quarantine, [fetched()], ragged())
    assert len(keys(store)) == 2


def test_a_copy_that_is_removed_by_half_has_no_reason_and_goes_the_next_time(aged, monkeypatch):
    store, (_, _, old) = aged
    delete = store.delete

    def delete_once(key):
        delete(key)
        raise StorageError("no answer")

    monkeypatch.setattr(store, "delete", delete_once)
    with pytest.raises(StorageError):
        expire(store, days=2.5, megabytes=None, now=100 * DAY)
    assert store.stat(f"{old}/data")
    assert store.stat(f"{old}/refusal.json") is None
    monkeypatch.setattr(store, "delete", delete)
    assert expire(store, days=2.5, megabytes=None, now=100 * DAY) == [old]


@pytest.mark.parametrize("broken", ["put_file", "stat"])
def test_a_failing_store_does_not_hide_the_refusal(kept, fetched, monkeypatch, broken):
    quarantine, store = kept

    def fail(*_, **__):
        raise StorageError("the disk is full")

    monkeypatch.setattr(type(store), broken, fail)
    error = refuse(quarantine, [fetched()], ragged())
    assert error.defect == "ragged_row"
    assert error.remedy.startswith("correct the row; the refused bytes could not be kept in ")
    assert error.remedy.endswith(": the disk is full")
    assert not any(key.endswith("refusal.json") for key in keys(store))


def test_a_file_that_is_gone_does_not_hide_the_refusal(kept, fetched):
    quarantine, _ = kept
    file = fetched()
    file.path.unlink()
    assert refuse(quarantine, [file], ragged()).remedy.endswith(": No such file or directory")


def test_an_unusable_store_does_not_hide_the_refusal(fetched):
    quarantine = Quarantine(object_store=object_store_at("ftp://me:swordfish@host/x"))
    error = refuse(quarantine, [fetched()], ragged())
    assert "could not be kept in ftp://host/x" in error.remedy
    assert "swordfish" not in str(error)


def test_bytes_that_change_meanwhile_are_not_kept_under_another_digest(kept, fetched, monkeypatch):
    quarantine, store = kept
    digests = iter(["0" * 64, "1" * 64])
    monkeypatch.setattr(quarantine_module, "file_sha256", lambda _: next(digests))
    assert "changes while it is copied" in refuse(quarantine, [fetched()], ragged()).remedy
    assert keys(store) == []


def test_the_record_shows_no_credentials_of_an_address(kept, fetched):
    quarantine, store = kept
    file = FetchedFile(fetched().path, "https://me:swordfish@host/a.csv?token=opensesame", "1")
    refuse(quarantine, [file], ragged("demo"))
    record = store.get_bytes(f"{folder_of(b'a,b' + bytes([10]) + b'1' + bytes([10]))}/refusal.json")
    assert json.loads(record)["uri"] == "https://host/a.csv"
    assert b"swordfish" not in record
    assert b"opensesame" not in record
