"""The retention policy on every store: what is beyond it loses its files, and nothing that is needed does."""

import datetime as dt
import hashlib
import time

import pytest

from assay.data.dataset import Dataset
from assay.errors import ArtifactExpiredError, ArtifactNotFoundError, StoreUnavailableError
from assay.gate.report import GateReport
from assay.promotion.champion import ChampionEntry
from assay.specs.base import Spec
from resources.artifacts.retention import ArtifactRetention, runs_of_models
from resources.artifacts.store import ArtifactStore, Attempt
from resources.champion_journal import ChampionJournal
from resources.store.commit_log import CommitLog, collect_garbage
from resources.store.commit_record import Commit, CommittedObject, object_key
from resources.store.expiry import RetentionPolicy, _claim, expire, restore_files

ASSET = ("bank", "raw_dataset")
DAY = 86400.0


class Numbers(Spec):
    value: int


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.full)])
def backend(request, backend_named):
    return backend_named(request.param)


@pytest.fixture
def publish(artifacts, make_dataset):
    """Return a function that publishes versions of a table, or other values."""

    def done(*values, asset=ASSET, partition=None, inputs=None, pages=None, run="run"):
        return [
            artifacts.publish(
                asset,
                partition,
                make_dataset(x=[value]) if isinstance(value, int) else value,
                Attempt(run, f"attempt-{value}", inputs=inputs or {}),
                pages,
            )
            for value in values
        ]

    return done


def numbers(commits):
    return [(commit.asset[-1], commit.number) for commit in commits]


def applied(store, grace=0.0, **policy):
    """Apply a policy; return what went."""
    retention = ArtifactRetention(store, RetentionPolicy(**policy), grace)
    going = retention.beyond()
    retention.remove(going)
    return numbers(going)


def refusal(make_receipt, artifacts, attempt="refused"):
    facts = dict.fromkeys(("rows_read", "rows_dropped", "rows_judged"), 1)
    report = GateReport(pipeline="bank", partition="", where="", passed=False, rules=(), profile=(), **facts)
    receipt = make_receipt(verdict="failed", failed_rules=("min_rows",))
    return artifacts.reject(ASSET, None, receipt, report, Attempt("run", attempt), {"profile.html": "page"})


def test_the_newest_never_goes_and_without_bounds_nothing_does():
    year = 365 * DAY
    assert not RetentionPolicy(days=1).lets_go(0, 0.0, year)
    assert not RetentionPolicy().lets_go(5, 0.0, year)
    assert RetentionPolicy(days=1).lets_go(1, 0.0, year)


def test_everything_stays_unless_a_bound_is_set(store, publish):
    publish(1, 2, 3)
    assert applied(store) == []


def test_beyond_a_count_the_oldest_lose_their_files_and_keep_their_records(store, artifacts, publish):
    commits = publish(1, 2, 3, 4)
    assert applied(store, versions=2) == [("raw_dataset", 1), ("raw_dataset", 2)]
    assert artifacts.log.history(ASSET, None) == commits
    named = {item.key for commit in commits[2:] for item in commit.objects}
    assert {item.key for item in store.list_objects("bank/raw_dataset/@whole/data/")} == named
    assert artifacts.load(ASSET, None, Dataset).table["x"].to_pylist() == [4]
    assert applied(store, versions=2) == []


def test_what_was_removed_says_so_when_it_is_read(store, artifacts, publish):
    first, _ = publish(1, 2)
    applied(store, versions=1)
    with pytest.raises(ArtifactExpiredError, match="beyond the retention policy") as refused:
        artifacts.read(first, Dataset)
    assert refused.value.where == "bank/raw_dataset, version 1"
    assert "materialise" in refused.value.remedy


def test_what_is_missing_for_no_reason_is_no_expiry(store, artifacts, publish):
    first, _ = publish(1, 2)
    for item in first.objects:
        store.delete(item.key)
    with pytest.raises(ArtifactNotFoundError):
        artifacts.read(first, Dataset)


def test_versions_age_and_the_newest_stays(store, publish, monkeypatch):
    publish(1, 2, 3)
    assert applied(store, days=1) == []
    monkeypatch.setattr(store, "clock", lambda: time.time() + 2 * DAY)
    assert applied(store, days=3) == []
    assert applied(store, days=1) == [("raw_dataset", 1), ("raw_dataset", 2)]


def test_a_version_goes_only_if_neither_bound_keeps_it(store, publish, monkeypatch):
    publish(1, 2, 3)
    assert applied(store, days=1, versions=1) == []
    monkeypatch.setattr(store, "clock", lambda: time.time() + 2 * DAY)
    assert applied(store, days=1, versions=2) == [("raw_dataset", 1)]


def test_what_passed_before_a_refusal_stays(store, artifacts, publish, make_receipt):
    publish(1, 2)
    refusal(make_receipt, artifacts)
    refusal(make_receipt, artifacts, "again")
    assert applied(store, versions=1) == [("raw_dataset", 1), ("raw_dataset", 3)]


def test_what_was_replaced_a_moment_ago_stays_for_who_reads_it(store, publish, monkeypatch):
    publish(1, 2, 3)
    assert applied(store, grace=DAY, versions=1) == []
    monkeypatch.setattr(store, "clock", lambda: time.time() + 2 * DAY)
    assert applied(store, grace=DAY, versions=1) == [("raw_dataset", 1), ("raw_dataset", 2)]


def test_partitions_count_for_themselves(store, publish):
    publish(1, 2, partition="2024-01")
    publish(1, partition="2024-02")
    assert applied(store, versions=1) == [("raw_dataset", 1)]


def test_small_records_stay_and_reports_with_a_page_go(store, publish):
    publish(Numbers(value=1), Numbers(value=2), asset=("bank", "drift_report"))
    publish(Numbers(value=1), Numbers(value=2), asset=("bank", "validation_report"), pages={"profile.html": "page"})
    assert applied(store, versions=1) == [("validation_report", 1)]


def model(store, number_of_attempt, inputs, digest):
    """Publish what the policy sees of a model."""
    asset, attempt = ("bank", "trained_model"), f"model-{number_of_attempt}"
    data = b'{"annotations": {"mlflow_run_id": "run-%d"}}' % number_of_attempt
    sha256 = hashlib.sha256(data).hexdigest()
    key = object_key(asset, None, attempt, sha256, "manifest.json")
    store.put_if_absent(key, data)
    item = CommittedObject(name="manifest.json", key=key, sha256=sha256, size=len(data))

    def draft(number):
        return Commit(
            asset=asset,
            partition=None,
            number=number,
            status="published",
            attempt_id=attempt,
            run_id=f"training-{number}",
            created_at=dt.datetime.now(dt.UTC),
            codec="trained_model",
            objects=(item,),
            data_version=digest,
            inputs=inputs,
        )

    return CommitLog(store).append(draft, asset, None)


def crown(store, version, digest, event="promoted"):
    journal = ChampionJournal(store, "bank")
    entry = ChampionEntry(
        number=1,
        event=event,
        registered_name="bank",
        version=version,
        digest=digest,
        created_at=dt.datetime.now(dt.UTC),
    )
    return journal.append(entry, expected=journal.current())


def read(*commits):
    return {"/".join(each.asset): f"{each.number}:{each.data_version}" for each in commits}


def trained(store, publish, count):
    """Publish raw rows, validated rows and a model of them so many times."""
    for number in range(1, count + 1):
        run = f"gate-{number}"
        (raw,) = publish(number, run=run)
        publish(Numbers(value=number), asset=("bank", "validation_report"), pages={"profile.html": "page"}, run=run)
        (gated,) = publish(number, asset=("bank", "validated_dataset"), inputs=read(raw), run=run)
        model(store, number, read(gated), f"digest-{number}")


def test_champions_and_what_they_were_made_of_stay(store, publish):
    trained(store, publish, 4)
    crown(store, "1", "digest-1")
    crown(store, "2", "digest-3")
    names = ("raw_dataset", "trained_model", "validated_dataset", "validation_report")
    assert sorted(applied(store, versions=1)) == [(name, 2) for name in names]


def test_what_waits_for_a_person_stays(store, publish):
    trained(store, publish, 3)
    crown(store, "1", "digest-1", event="awaiting_approval")
    assert {number for _, number in applied(store, versions=1)} == {2}


def test_runs_of_models_that_stay_are_in_use(store, publish):
    trained(store, publish, 3)
    retention = ArtifactRetention(store, RetentionPolicy(versions=2), 0.0)
    assert runs_of_models(store, without=retention.beyond()) == {"run-2", "run-3"}
    retention.remove(retention.beyond())
    assert runs_of_models(store, without=[]) == {"run-2", "run-3"}


def test_a_removal_that_was_killed_is_finished_by_the_next(store, artifacts, publish, wrapped):
    publish(1, 2, 3)

    class Killed(wrapped):
        deleted = 0

        def delete(self, key):
            if "/data/" in key:
                self.deleted += 1
                if self.deleted == 2:
                    raise StoreUnavailableError("killed", where=key)
            super().delete(key)

    with pytest.raises(StoreUnavailableError):
        applied(Killed(store), versions=1)
    left = [item.key for item in store.list_objects("bank/raw_dataset/@whole/data/")]
    assert len(left) == 5
    assert artifacts.load(ASSET, None, Dataset).table["x"].to_pylist() == [3]
    assert applied(store, versions=1) == []
    assert len(list(store.list_objects("bank/raw_dataset/@whole/data/"))) == 2


def test_files_that_a_restored_version_shares_stay(store, artifacts, publish):
    first, _ = publish(1, 2)
    restored = restore_files(store, first, attempt_id="restore")
    assert applied(store, versions=1) == [("raw_dataset", 1), ("raw_dataset", 2)]
    assert artifacts.read(restored, Dataset).table["x"].to_pylist() == [1]
    # a file that is named is no leftover
    collect_garbage(store, older_than_seconds=-DAY)
    assert artifacts.load(ASSET, None, Dataset).table["x"].to_pylist() == [1]


def test_a_removal_leaves_the_files_of_a_version_that_is_being_restored(store, artifacts, publish):
    first, _ = publish(1, 2)
    with _claim(store, first):
        assert expire(store, [first], "a test") == []
        restored = restore_files(store, publish(3)[0], attempt_id="other")
    assert restored.number == 4
    assert len(expire(store, [first], "a test")) == 2


def test_a_removed_version_is_not_restored(store, artifacts, publish):
    first, second = publish(1, 2)
    applied(store, versions=1)
    with pytest.raises(ArtifactExpiredError):
        restore_files(store, first, attempt_id="restore")
    assert artifacts.log.newest(ASSET, None) == second


def test_a_claim_that_a_killed_restore_left_ends(store, publish, monkeypatch):
    first, _ = publish(1, 2)
    with _claim(store, first):
        monkeypatch.setattr(store, "clock", lambda: time.time() + 2 * 3600)
        assert len(expire(store, [first], "a test")) == 2


def test_readers_and_writers_beside_a_removal_lose_nothing(backend, store, make_dataset, in_threads):
    """Each writer publishes and reads back its own version, while another thread removes all but the newest."""
    artifacts = ArtifactStore(store)

    def act(number):
        if number == 0:
            return [applied(store, grace=3600.0, versions=1) for _ in range(5)] and None
        for turn in range(3):
            value = 10 * number + turn
            attempt = Attempt("run", f"attempt-{value}")
            commit = artifacts.publish(ASSET, None, make_dataset(x=[value]), attempt)
            assert artifacts.read(commit, Dataset).table["x"].to_pylist() == [value]
        return None

    assert in_threads(4, act) == [None] * 4
    assert len(artifacts.log.history(ASSET, None)) == 9
