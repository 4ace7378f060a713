import io
import os
import time
from pathlib import Path

import pytest
from object_stores import object_store_at

from assay.errors import (
    ArtifactNotFoundError,
    DigestMismatchError,
    MissingCredentialsError,
    StorageError,
    StoreUnavailableError,
)
from resources.store.local import LocalStore
from resources.store.overlay import OverlayStore
from resources.store.s3 import S3Store, open_store


@pytest.fixture(params=["itself", "over another"])
def store(request, backend, tmp_path):
    """A store, and the same over another one, which keeps all promises of a store."""
    if request.param == "itself":
        return backend.store
    below = LocalStore(tmp_path / "below")
    below.put_if_absent("below/object", b"x")
    return OverlayStore(backend.store, below)


@pytest.fixture
def file(tmp_path):
    def write(data, name="file"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_what_is_put_is_got(store, file):
    store.put_file("a/b.bin", file(b"\0some bytes"))
    assert store.get_bytes("a/b.bin") == b"\0some bytes"


def test_an_empty_object_is_an_object(store, file):
    store.put_file("a/empty", file(b""))
    assert store.get_bytes("a/empty") == b""
    with store.open("a/empty") as reader:
        assert reader.read() == b""
    assert store.stat("a/empty").size == 0


def test_a_put_replaces_what_was_there(store, file):
    store.put_file("k", file(b"first"))
    store.put_file("k", file(b"second, longer"))
    assert store.get_bytes("k") == b"second, longer"


def test_bytes_are_replaced_where_the_former_ones_are_still_there(store):
    assert not store.replace("a/k", b"new", b"")
    store.put_if_absent("a/k", b"first")
    assert not store.replace("a/k", b"new", b"other")
    assert store.replace("a/k", b"second", b"first")
    assert not store.replace("a/k", b"third", b"first")
    assert store.get_bytes("a/k") == b"second"


def test_of_racing_replacements_one_succeeds(store, in_threads, monkeypatch):
    store.put_if_absent("k", b"first")
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: (read(path), time.sleep(0.05))[0]
    )  # all read before one writes
    results = in_threads(6, lambda number: store.replace("k", b"new %d" % number, b"first"))
    assert sorted(results) == [False] * 5 + [True]
    assert store.get_bytes("k") == b"new %d" % results.index(True)


def test_an_object_that_is_replaced_between_reading_and_putting_is_kept(aws, monkeypatch):
    store = S3Store(aws, "bucket", "")
    store.put_if_absent("k", b"first")
    put = aws.put_object

    def late(**arguments):
        put(Bucket="bucket", Key="k", Body=b"by another")
        return put(**arguments)

    monkeypatch.setattr(aws, "put_object", late)
    assert not store.replace("k", b"mine", b"first")
    assert store.get_bytes("k") == b"by another"


def test_uploads_in_parts_of_killed_writers_are_aborted_and_no_others(aws):
    """Their parts are paid for, and no listing of objects shows them."""
    store = S3Store(aws, "bucket", "some/prefix")
    for key in ("some/prefix/a/big", "elsewhere/big"):
        upload = aws.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        aws.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=b"half")
    [started] = {item["Initiated"].timestamp() for item in aws.list_multipart_uploads(Bucket="bucket")["Uploads"]}
    assert store.remove_unfinished(before=started) == []
    assert store.remove_unfinished(before=started + 1) == ["a/big"]
    left = aws.list_multipart_uploads(Bucket="bucket")["Uploads"]
    assert [item["Key"] for item in left] == ["elsewhere/big"]


def test_a_reader_seeks_from_start_position_and_end(store, file):
    data = bytes(range(256)) * 4096
    store.put_file("big", file(data))
    with store.open("big") as reader:
        assert reader.seekable()
        assert reader.read(3) == data[:3]
        assert reader.seek(-5, io.SEEK_END) == len(data) - 5
        assert reader.read() == data[-5:]
        assert reader.read(1) == b""
        reader.seek(1000)
        reader.seek(24, io.SEEK_CUR)
        assert (reader.tell(), reader.read(600_000)) == (1024, data[1024:601_024])


def test_stat_returns_size_and_time(store, file):
    store.put_file("a/b", file(b"12345"))
    found = store.stat("a/b")
    assert (found.key, found.size) == ("a/b", 5)
    assert abs(found.modified - file(b"now", "other").stat().st_mtime) < 60


def test_objects_are_listed_by_key_below_a_prefix_alone(store, file):
    keys = ["a/2", "a/10", "a/1/x", "a-b", "a/1.json", "b/1", "aa"]
    for key in keys:
        store.put_file(key, file(key.encode()))
    assert [item.key for item in store.list_objects("")] == sorted(keys)
    assert [item.key for item in store.list_objects("a/")] == ["a/1.json", "a/1/x", "a/10", "a/2"]
    assert [item.key for item in store.list_objects("a/1")] == ["a/1.json", "a/1/x", "a/10"]
    assert [(item.key, item.size) for item in store.list_objects("b")] == [("b/1", 3)]
    assert list(store.list_objects("none/")) == []


def test_listings_of_several_pages_are_whole(aws, file, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    store = S3Store(aws, "bucket", "")
    for number in range(25):
        aws.put_object(Bucket="bucket", Key=f"n/{number:05d}", Body=b"")
    assert len(list(store.list_objects("n/"))) == 25


def test_deleting_removes_and_repeating_it_is_no_error(store, file):
    store.put_file("a/b", file(b"x"))
    store.delete("a/b")
    store.delete("a/b")
    assert store.stat("a/b") is None
    assert list(store.list_objects("")) == []


@pytest.mark.parametrize("key", ["none", "folder", "folder/object/below"])
def test_a_missing_key_is_reported_as_not_found(key, store, file):
    store.put_file("folder/object", file(b"x"))
    with pytest.raises(ArtifactNotFoundError) as refused:
        store.get_bytes(key)
    assert refused.value.where == store.uri(key)
    with pytest.raises(ArtifactNotFoundError):
        store.open(key).read()
    assert store.stat(key) is None
    if key != "folder/object/below":
        store.delete("none")


def test_a_uri_names_the_object(backend, file):
    backend.store.put_file("a/b", file(b"x"))
    where = {"local": f"{backend.root}/a/b", "s3": "s3://bucket/some/prefix/a/b"}
    assert backend.store.uri("a/b") == where[backend.name]


def test_only_the_first_conditional_put_stores(store):
    assert store.put_if_absent("a/1.json", b"first") is True
    assert store.put_if_absent("a/1.json", b"second") is False
    assert store.get_bytes("a/1.json") == b"first"


def test_of_racing_conditional_puts_exactly_one_wins(store, in_threads):
    for turn in range(20):
        key = f"race/{turn}"
        won = in_threads(8, lambda number, key=key: store.put_if_absent(key, str(number).encode() * 100))
        assert sorted(won, key=str) == [False] * 7 + [True]
        assert store.get_bytes(key) == str(won.index(True)).encode() * 100


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd", "a/.."])
def test_no_key_leaves_the_folder(key, tmp_path, file):
    store = LocalStore(tmp_path / "root")
    for act in (store.get_bytes, store.open, store.stat, store.delete, store.uri):
        with pytest.raises(StorageError, match="may not leave"):
            act(key)
    with pytest.raises(StorageError, match="may not leave"):
        store.put_file(key, file(b"x"))
    with pytest.raises(StorageError, match="may not leave"):
        store.put_if_absent(key, b"x")
    assert not (tmp_path / "outside").exists()


def _failing_midway(monkeypatch, backend):
    if backend.name == "local":
        monkeypatch.setattr(os, "fsync", _raise)
    else:
        send = type(backend.client)._make_api_call

        def interrupted(self, operation, arguments):
            if operation in {"UploadPart", "PutObject"}:
                _raise(operation)
            return send(self, operation, arguments)

        monkeypatch.setattr(type(backend.client), "_make_api_call", interrupted)


def _raise(*_):
    raise OSError(28, "No space left on device")


def test_a_write_that_fails_midway_leaves_what_was_there(backend, file, monkeypatch):
    backend.store.put_file("k", file(b"old"))
    with monkeypatch.context() as patch:
        _failing_midway(patch, backend)
        for put in (
            lambda: backend.store.put_file("k", file(b"new" * 4_000_000)),
            lambda: backend.store.put_file("other", file(b"new" * 4_000_000)),
            lambda: backend.store.put_if_absent("third", b"new"),
        ):
            with pytest.raises((StorageError, OSError)):
                put()
    assert backend.store.get_bytes("k") == b"old"
    assert [item.key for item in backend.store.list_objects("")] == ["k"]
    assert backend.raw_keys() == ["k"]


def test_a_full_disk_says_so(tmp_path, file, monkeypatch):
    monkeypatch.setattr(os, "fsync", _raise)
    with pytest.raises(StorageError, match="disk is full"):
        LocalStore(tmp_path / "root").put_file("k", file(b"x"))


@pytest.mark.parametrize("put", ["put_file", "put_if_absent"])
def test_a_new_object_is_on_the_disk_with_every_folder_made_for_it(put, tmp_path, file, monkeypatch):
    flushed, fsync = [], os.fsync

    def seen(handle):
        flushed.append(os.fstat(handle).st_ino)
        fsync(handle)

    def store_at(key):
        flushed.clear()
        store.put_file(key, file(b"x")) if put == "put_file" else store.put_if_absent(key, b"x")
        return flushed

    monkeypatch.setattr(os, "fsync", seen)
    root = tmp_path / "root"
    store = LocalStore(root)
    made = [root / "a" / "b" / "k", root / "a" / "b", root / "a", root, tmp_path]
    assert store_at("a/b/k") == [path.stat().st_ino for path in made]
    assert store_at("a/b/other") == [path.stat().st_ino for path in (root / "a" / "b" / "other", root / "a" / "b")]


def test_temporary_files_are_never_listed(tmp_path, file, monkeypatch):
    store = LocalStore(tmp_path / "root")
    seen = []
    flush = os.fsync

    def listed_while_writing(handle):
        seen.append([path.name for path in (tmp_path / "root").rglob("*") if path.is_file()])
        seen.append([item.key for item in store.list_objects("")])
        flush(handle)

    monkeypatch.setattr(os, "fsync", listed_while_writing)
    store.put_file("k", file(b"x"))
    assert len(seen[0]) == 1
    assert seen[1] == []


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    (tmp_path / "root" / "a").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be used"):
        list(LocalStore(tmp_path / "root").list_objects("a/"))


def test_a_rewritten_object_is_never_mixed_with_the_one_that_was_opened(backend, file):
    first, second = b"1" * 1_000_000, b"2" * 1_000_000
    backend.store.put_file("k", file(first))
    with backend.store.open("k") as reader:
        assert reader.read(10) == b"1" * 10
        backend.store.put_file("k", file(second))
        if backend.name == "local":  # the old file lives on for those who have it open
            assert reader.read() == first[10:]
        else:
            with pytest.raises(DigestMismatchError, match="rewritten while it was read"):
                reader.read()


def _answers(monkeypatch, client, *codes):
    """Let S3 answer the next puts with these error codes, and truly afterwards."""
    from botocore.exceptions import ClientError

    send, left = type(client)._make_api_call, list(codes)

    def answer(self, operation, arguments):
        if operation == "PutObject" and left:
            code, status = left.pop(0)
            facts = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(facts, operation)
        return send(self, operation, arguments)

    monkeypatch.setattr(type(client), "_make_api_call", answer)


def test_an_undecided_conditional_put_is_put_again(aws, monkeypatch):
    store = S3Store(aws, "bucket", "")
    _answers(monkeypatch, aws, *[("ConditionalRequestConflict", 409)] * 3)
    assert store.put_if_absent("k", b"mine") is True
    _answers(monkeypatch, aws, *[("ConditionalRequestConflict", 409)] * 30)
    with pytest.raises(StoreUnavailableError, match="could not decide"):
        store.put_if_absent("k2", b"mine")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 503, StoreUnavailableError),
        ("InternalError", 500, StoreUnavailableError),
        ("AccessDenied", 403, StorageError),
    ],
)
def test_answers_of_s3_are_reported_by_kind(code, status, kind, aws, monkeypatch):
    _answers(monkeypatch, aws, (code, status))
    with pytest.raises(StorageError) as refused:
        S3Store(aws, "bucket", "").put_if_absent("k", b"x")
    assert type(refused.value) is kind
    assert code in refused.value.found


def _each_request(store, path):
    return (
        lambda: store.put_file("k", path),
        lambda: store.put_if_absent("k", b"x"),
        lambda: store.get_bytes("k"),
        lambda: store.open("k"),
        lambda: store.stat("k"),
        lambda: list(store.list_objects("")),
        lambda: store.delete("k"),
    )


UNREACHABLE = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1", "max_attempts": 1}


def test_a_store_that_does_not_answer_is_unavailable(file, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    store = object_store_at("s3://bucket/prefix", **UNREACHABLE).open()
    for request in _each_request(store, file(b"x")):
        with pytest.raises(StoreUnavailableError, match="does not answer") as refused:
            request()
        assert "very-secret" not in str(refused.value)


@pytest.fixture
def no_credentials(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def test_missing_credentials_are_a_typed_error(no_credentials, file):
    for request in _each_request(object_store_at("s3://bucket", **UNREACHABLE).open(), file(b"x")):
        with pytest.raises(MissingCredentialsError):
            request()


def test_an_unknown_profile_is_named(no_credentials):
    with pytest.raises(MissingCredentialsError) as refused:
        object_store_at("s3://bucket", profile_name="nobody", region_name="us-east-1").open()
    assert "nobody" in refused.value.found


def test_a_missing_bucket_is_a_storage_error_and_never_created(aws, file):
    store = S3Store(aws, "missing", "")
    put_file, put_if_absent, get, _, _, listing, _ = _each_request(store, file(b"x"))
    for request in (put_file, put_if_absent, get, listing):
        with pytest.raises(StorageError, match="no such bucket") as refused:
            request()
        assert not isinstance(refused.value, ArtifactNotFoundError)
    assert [bucket["Name"] for bucket in aws.list_buckets()["Buckets"]] == ["bucket"]


def test_a_uri_opens_its_store(aws, tmp_path):
    assert open_store(str(tmp_path), lambda: aws).uri("k") == f"{tmp_path}/k"
    assert open_store(f"file://{tmp_path}", lambda: aws).uri("k") == f"{tmp_path}/k"
    assert open_store("s3://bucket/p/q/", lambda: aws).uri("k") == "s3://bucket/p/q/k"
    assert open_store("s3://bucket", lambda: aws).uri("k") == "s3://bucket/k"


@pytest.mark.parametrize("uri", ["s3://", "gs://bucket", "s3:///prefix"])
def test_an_unknown_uri_is_refused(uri, aws):
    with pytest.raises(StorageError, match="no store behind"):
        open_store(uri, lambda: aws)


@pytest.mark.parametrize("put", ["put_file", "put_if_absent", "replace"])
def test_a_folder_with_the_name_of_an_object_is_named(put, tmp_path, file):
    """A folder named like the next commit ended a run after a minute, with another reason."""
    (tmp_path / "root" / "a").mkdir(parents=True)
    given = {"put_file": (file(b"x"),), "put_if_absent": (b"x",), "replace": (b"x", b"w")}[put]
    with pytest.raises(StorageError) as refused:
        getattr(LocalStore(tmp_path / "root"), put)("a", *given)
    assert "folder has the name of an object" in refused.value.what
    assert refused.value.where == str(tmp_path / "root" / "a")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["a"]
