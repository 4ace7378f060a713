import datetime as dt

import pytest

from assay.errors import ArtifactNotFoundError, CommitConflictError, StorageError, StoreUnavailableError
from resources.store.commit_log import CommitLog, collect_garbage, restore
from resources.store.commit_record import Commit, CommittedObject, commit_key, object_key
from resources.store.local import LocalStore

ASSET = ("demo", "trained_model")
PARTITION = "2024-01"


@pytest.fixture
def log(store):
    return CommitLog(store)


@pytest.fixture
def put_data(store, tmp_path):
    def put(attempt, data=b"data", asset=ASSET, partition=PARTITION):
        path = tmp_path / "put"
        path.write_bytes(data)
        key = object_key(asset, partition, attempt, data.hex().ljust(64, "0"), "value.json")
        store.put_file(key, path)
        return key

    return put


def _draft(attempt, *, asset=ASSET, partition=PARTITION, keys=()):
    def draft(number):
        return Commit(
            asset=asset,
            partition=partition,
            number=number,
            status="published",
            attempt_id=attempt,
            run_id="run",
            created_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
            codec="spec",
            objects=tuple(CommittedObject(name="value.json", key=key, sha256="0" * 64, size=4) for key in keys),
            data_version=attempt,
        )

    return draft


def _append(log, attempt, **options):
    return log.append(_draft(attempt), ASSET, PARTITION, **options)


def test_before_the_first_commit_there_is_nothing(log):
    assert log.newest(ASSET, PARTITION) is None
    assert log.newest_number(ASSET, PARTITION) == 0
    assert log.history(ASSET, PARTITION) == []
    with pytest.raises(ArtifactNotFoundError):
        log.read(ASSET, PARTITION, 1)


def test_commits_are_numbered_and_read_back(log):
    first, second = _append(log, "a"), _append(log, "b")
    assert (first.number, second.number) == (1, 2)
    assert log.newest(ASSET, PARTITION) == second
    assert log.history(ASSET, PARTITION) == [first, second]


def test_partitions_and_assets_do_not_see_each_other(log):
    _append(log, "a")
    assert log.newest(ASSET, None) is None
    assert log.newest(ASSET, "2024-02") is None
    assert log.newest(ASSET[:1], None) is None


@pytest.mark.parametrize("repeated", [True, False])
def test_racing_writers_get_numbers_without_gaps(log, repeated, in_threads):
    made = in_threads(8, lambda number: _append(log, f"attempt-{number}", repeated=repeated).number)
    assert sorted(made) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert {commit.attempt_id for commit in log.history(ASSET, PARTITION)} == {f"attempt-{n}" for n in range(8)}


def test_one_attempt_commits_once(log):
    assert _append(log, "a") == _append(log, "a")
    assert len(log.history(ASSET, PARTITION)) == 1


def test_an_attempt_is_recognised_though_others_committed_since(log):
    mine = _append(log, "mine")
    for number in range(5):
        _append(log, f"other-{number}")
    assert _append(log, "mine") == mine
    assert log.newest_number(ASSET, PARTITION) == 6


def test_the_same_attempt_in_two_racing_processes_commits_once(log, in_threads):
    made = in_threads(4, lambda _: _append(log, "mine", repeated=False).number)
    assert made == [1, 1, 1, 1]


def test_a_lost_acknowledgement_is_recognised(store, wrapped):
    class Deaf(wrapped):
        def put_if_absent(self, key, data):
            super().put_if_absent(key, data)
            raise StoreUnavailableError("the answer was lost")

    log = CommitLog(Deaf(store))
    assert _append(log, "a").number == 1
    assert _append(log, "b").number == 2
    assert [commit.attempt_id for commit in log.history(ASSET, PARTITION)] == ["a", "b"]


def test_a_put_that_the_client_repeated_by_itself_is_recognised(store, wrapped):
    class Repeating(wrapped):
        def put_if_absent(self, key, data):
            super().put_if_absent(key, data)
            return super().put_if_absent(key, data)

    log = CommitLog(Repeating(store))
    assert [_append(log, name, repeated=False).number for name in ("a", "b")] == [1, 2]


def test_a_put_repeated_by_the_client_is_recognised_though_another_committed_since(store, wrapped):
    class Overtaken(wrapped):
        def put_if_absent(self, key, data):
            super().put_if_absent(key, data)
            _append(CommitLog(store), "other")
            return False

    assert _append(CommitLog(Overtaken(store)), "mine", repeated=False).number == 1
    assert [commit.attempt_id for commit in CommitLog(store).history(ASSET, PARTITION)] == ["mine", "other"]


def test_a_store_that_fails_before_storing_leaves_nothing_visible(store, wrapped):
    class Broken(wrapped):
        def put_if_absent(self, key, data):
            raise StoreUnavailableError("no answer")

    with pytest.raises(StoreUnavailableError, match="no answer"):
        _append(CommitLog(Broken(store)), "a")
    assert CommitLog(store).newest(ASSET, PARTITION) is None


def test_another_writers_record_is_not_taken_for_a_lost_acknowledgement(store, wrapped):
    class Overtaken(wrapped):
        def put_if_absent(self, key, data):
            _append(CommitLog(store), "other")
            raise StoreUnavailableError("no answer")

    with pytest.raises(StoreUnavailableError):
        _append(CommitLog(Overtaken(store)), "mine")
    assert [commit.attempt_id for commit in CommitLog(store).history(ASSET, PARTITION)] == ["other"]


def test_a_writer_that_always_loses_gives_up(tmp_path, wrapped):
    store = LocalStore(tmp_path)

    class Overtaken(wrapped):
        count = 0

        def put_if_absent(self, key, data):
            self.count += 1
            _append(CommitLog(store), f"other-{self.count}", repeated=False)
            return super().put_if_absent(key, data)

    with pytest.raises(CommitConflictError, match="in every attempt"):
        _append(CommitLog(Overtaken(store)), "mine")


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"{}", b"[1]", b'{"format_version": 2}'])
def test_a_damaged_record_is_reported_by_its_uri(damage, log, backend):
    _append(log, "a")
    key = commit_key(ASSET, PARTITION, 1)
    backend.overwrite(key, damage)
    for act in (lambda: log.newest(ASSET, PARTITION), lambda: _append(log, "b"), lambda: log.history(ASSET, PARTITION)):
        with pytest.raises(StorageError, match="damaged") as refused:
            act()
        assert refused.value.where == backend.store.uri(key)


def test_a_record_copied_from_elsewhere_is_damage(log, backend):
    _append(log, "a")
    _append(log, "b")
    backend.overwrite(commit_key(ASSET, PARTITION, 2), backend.store.get_bytes(commit_key(ASSET, PARTITION, 1)))
    with pytest.raises(StorageError, match="damaged"):
        log.newest(ASSET, PARTITION)


@pytest.mark.parametrize("name", ["../escape", "a/b", "..", ".hidden", ""])
def test_a_record_cannot_name_a_file_outside_its_folder(name, log, backend):
    _append(log, "a")
    commit = log.newest(ASSET, PARTITION).model_dump_json()
    bad = commit.replace('"objects":[]', f'"objects":[{{"name":"{name}","key":"k","sha256":"0","size":1}}]')
    backend.overwrite(commit_key(ASSET, PARTITION, 1), bad.encode())
    with pytest.raises(StorageError, match="damaged"):
        log.newest(ASSET, PARTITION)


def test_restoring_makes_an_earlier_version_the_newest(log):
    first = log.append(_draft("a", keys=["k1"]), ASSET, PARTITION)
    log.append(_draft("b", keys=["k2"]), ASSET, PARTITION)
    restored = restore(log, ASSET, PARTITION, 1, attempt_id="by hand")
    assert log.newest(ASSET, PARTITION) == restored
    assert (restored.number, restored.objects, restored.data_version) == (3, first.objects, first.data_version)
    assert restored.properties["restored_from"] == 1
    assert restored.created_at > first.created_at
    assert restore(log, ASSET, PARTITION, 1, attempt_id="by hand") == restored
    assert log.newest_number(ASSET, PARTITION) == 3


def test_restoring_what_is_not_there_is_refused(log):
    with pytest.raises(ArtifactNotFoundError):
        restore(log, ASSET, PARTITION, 7, attempt_id="by hand")


@pytest.mark.parametrize(
    ("asset", "partition"), [(ASSET, PARTITION), (ASSET, None), (("demo", "data"), None), (("commits",), "data")]
)
def test_the_janitor_deletes_old_objects_that_no_commit_names_and_nothing_else(asset, partition, log, store, put_data):
    named = put_data("a", b"named", asset, partition)
    left = put_data("crashed", b"left", asset, partition)
    log.append(_draft("a", asset=asset, partition=partition, keys=[named]), asset, partition)
    store.put_if_absent("demo/@schemas/1.json", b"{}")
    before = {item.key for item in store.list_objects("")}
    assert collect_garbage(store, older_than_seconds=3600) == []
    assert collect_garbage(store, older_than_seconds=-60) == [left]
    assert {item.key for item in store.list_objects("")} == before - {left}


def test_the_janitor_keeps_what_an_older_version_names(log, store, put_data):
    keys = [put_data(name, name.encode()) for name in ("a", "b")]
    for name, key in zip(("a", "b"), keys, strict=True):
        log.append(_draft(name, keys=[key]), ASSET, PARTITION)
    assert collect_garbage(store, older_than_seconds=-60) == []


def test_the_janitor_keeps_what_is_named_for_any_prefix(log, store, put_data):
    key = put_data("a")
    log.append(_draft("a", keys=[key]), ASSET, PARTITION)
    assert collect_garbage(store, older_than_seconds=-60, prefix=key) == []


def test_the_janitor_deletes_nothing_when_a_record_is_damaged(log, store, backend, put_data):
    left = put_data("crashed", b"left")
    log.append(_draft("a", keys=[put_data("a")]), ASSET, PARTITION)
    backend.overwrite(commit_key(ASSET, PARTITION, 1), b"{")
    with pytest.raises(StorageError, match="damaged"):
        collect_garbage(store, older_than_seconds=-60)
    assert store.get_bytes(left) == b"left"


def test_the_janitor_sees_a_commit_made_during_its_scan(log, store, wrapped, put_data):
    key = put_data("a")

    class Late(wrapped):
        def list_objects(self, prefix):
            yield from super().list_objects(prefix)
            if log.newest_number(ASSET, PARTITION) == 0:
                log.append(_draft("a", keys=[key]), ASSET, PARTITION)

    assert collect_garbage(Late(store), older_than_seconds=-60) == []
