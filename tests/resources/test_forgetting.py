"""Rows of a person go from everything in a store, on every store, and what stays is readable and says what happened."""

import hashlib
import io
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from assay.data.dataset import Dataset, ValidatedDataset, require_passed
from assay.errors import (
    ArtifactExpiredError,
    CommitConflictError,
    DataContractError,
    MissingColumnError,
    SpecError,
    StoreUnavailableError,
)
from assay.gate.report import GateReport
from resources.artifacts.forget_journal import ForgetJournal
from resources.artifacts.forgetting import Forgetting
from resources.artifacts.retention import ArtifactRetention
from resources.artifacts.store import ArtifactStore, Attempt
from resources.store.commit_log import collect_garbage
from resources.store.expiry import RetentionPolicy
from resources.store.local import LocalStore
from resources.store.overlay import OverlayStore

RAW, GATED = ("shop", "raw_dataset"), ("shop", "validated_dataset")
REPORT, SCORED = ("shop", "validation_report"), ("shop", "batch_predictions")
PERSON = "customer_id = 17"
RULES = "r" * 64
ROOT = Path(__file__).parents[2]


def report():
    facts = dict.fromkeys(("rows_read", "rows_dropped", "rows_judged"), 1)
    return GateReport(pipeline="shop", partition="", where="", passed=False, rules=(), profile=(), **facts)


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.full)])
def backend(request, backend_named):
    return backend_named(request.param)


@pytest.fixture
def publish(artifacts, make_dataset, make_validated):
    """Return a function that publishes raw and validated rows of customers, and the report of the gate."""

    def done(*customers, partition=None, columns=("customer_id", "spent"), attempt=None):
        name = attempt or "-".join(map(str, customers))
        rows = {columns[0]: list(customers), columns[1]: [100 * (one or 0) for one in customers]}
        raw = artifacts.publish(RAW, partition, make_dataset(**rows), Attempt("dagster", f"raw-{name}", "code"))
        inputs = {
            "shop/raw_dataset" + (f"@{partition}" if partition else ""): f"{raw.number}:{raw.data_version}",
        }
        pages = {"profile.html": f"customers {customers}"}
        artifacts.publish(REPORT, partition, report(), Attempt("dagster", f"report-{name}"), pages)
        attempt = Attempt("dagster", f"gated-{name}", "code", inputs)
        return artifacts.publish(GATED, partition, make_validated(**rows), attempt)

    return done


def customers_in(artifacts, asset, number=None, partition=None):
    log = artifacts.log
    commit = log.newest(asset, partition) if number is None else log.read(asset, partition, number)
    return artifacts.read(commit, Dataset).table["customer_id"].to_pylist()


def stored_customers(store):
    """Return what any table in the store holds, found past the commits."""
    found = set()
    for item in list(store.list_objects("")):
        if item.key.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(store.get_bytes(item.key)))
            found |= set(table["customer_id"].to_pylist()) if "customer_id" in table.column_names else set()
    return found


def forget(artifacts, where=PERSON, pipeline=None):
    return Forgetting(artifacts, where, pipeline).remove()


def test_the_rows_go_from_every_version_and_all_others_stay(store, artifacts, publish):
    publish(17, 18)
    publish(16, 17, 18, 17)
    entry = forget(artifacts)
    assert entry.rows == {
        f"shop/{name}, version {number}": count
        for name in ("raw_dataset", "validated_dataset")
        for number, count in ((1, 1), (2, 2))
    }
    for asset in (RAW, GATED):
        assert [customers_in(artifacts, asset, number) for number in (1, 2, 3)] == [[18], [16, 18], [16, 18]]
        assert artifacts.log.newest_number(asset, None) == 3
    assert stored_customers(store) == {16, 18}


def test_a_version_without_such_rows_is_not_touched(store, artifacts, publish):
    publish(17, 18)
    publish(18, 19)
    forget(artifacts)
    assert [artifacts.log.newest_number(asset, None) for asset in (RAW, GATED)] == [2, 2]
    assert customers_in(artifacts, RAW, 1) == [18]
    assert customers_in(artifacts, RAW) == [18, 19]


def test_records_stay_and_what_stands_for_them_has_its_own_digests(artifacts, publish):
    before = publish(17, 18)
    forget(artifacts)
    assert artifacts.log.read(GATED, None, 1) == before
    rows, newest = artifacts.read(before, ValidatedDataset), artifacts.load(GATED, None, ValidatedDataset)
    for value in (rows, newest):
        assert value.fingerprint.digest != before.data_version
        require_passed(value.receipt, data_digest=value.fingerprint.digest, rules_digest=RULES, where="shop")
        assert (value.receipt.rows, value.receipt.forgotten_rows) == (1, 1)
    successor = artifacts.log.newest(GATED, None)
    assert successor.data_version == newest.fingerprint.digest
    facts = successor.properties["forgotten"]
    assert (facts["version"], facts["of"], facts["rows"]) == (1, before.data_version, 1)
    assert successor.code_version == before.code_version


def test_a_successor_was_made_of_the_successors_of_what_its_version_was_made_of(artifacts, publish):
    publish(17, 18)
    forget(artifacts)
    raw = artifacts.log.newest(RAW, None)
    assert artifacts.log.newest(GATED, None).inputs == {"shop/raw_dataset": f"2:{raw.data_version}"}


def test_finding_changes_nothing(backend, artifacts, publish):
    publish(17, 18)
    before = backend.raw_keys()
    found = Forgetting(artifacts, PERSON).find()
    assert [(each.commit.asset, each.rows.num_rows) for each in found.held] == [(RAW, 1), (GATED, 1)]
    assert backend.raw_keys() == before


def test_a_second_call_finds_nothing_and_changes_nothing(backend, artifacts, publish):
    publish(17, 18)
    forget(artifacts)
    before = backend.raw_keys()
    assert forget(artifacts) is None
    assert backend.raw_keys() == before


def test_another_person_is_forgotten_after_the_first(store, artifacts, publish):
    before = publish(16, 17, 18)
    forget(artifacts)
    entry = forget(artifacts, "customer_id = 18")
    assert entry.rows["shop/validated_dataset, version 1"] == 1
    assert stored_customers(store) == {16}
    assert customers_in(artifacts, GATED, 1) == [16]
    assert artifacts.read(before, ValidatedDataset).receipt.forgotten_rows == 2
    assert artifacts.load(GATED, None, ValidatedDataset).receipt.forgotten_rows == 2


def test_every_row_may_go(artifacts, publish):
    publish(17, 17)
    forget(artifacts)
    assert customers_in(artifacts, GATED) == []


def test_where_the_answer_is_null_the_row_stays(artifacts, publish):
    publish(17, None, 18)
    forget(artifacts)
    assert customers_in(artifacts, RAW) == [None, 18]


def test_only_the_named_pipeline_is_searched(store, artifacts, publish, make_dataset):
    publish(17, 18)
    artifacts.publish(("other", "raw_dataset"), None, make_dataset(customer_id=[17]), Attempt("r", "a"))
    forget(artifacts, pipeline="shop")
    assert customers_in(artifacts, ("other", "raw_dataset")) == [17]
    forget(artifacts)
    assert customers_in(artifacts, ("other", "raw_dataset")) == []


def test_partitions_without_the_rows_keep_their_reports(artifacts, publish):
    publish(17, 18, partition="2024-01")
    publish(18, partition="2024-02")
    forget(artifacts)
    assert customers_in(artifacts, GATED, partition="2024-01") == [18]
    artifacts.load(REPORT, "2024-02", GateReport)
    with pytest.raises(ArtifactExpiredError, match="rows that were forgotten"):
        artifacts.load(REPORT, "2024-01", GateReport)


def test_what_cannot_be_searched_and_may_quote_the_rows_goes_as_a_whole(
    store, artifacts, publish, make_dataset, make_receipt, tmp_path
):
    publish(17, 18)
    receipt = make_receipt(verdict="failed", failed_rules=("min_rows",))
    artifacts.reject(GATED, None, receipt, report(), Attempt("r", "refused"), {"profile.html": "customer 17"})
    artifacts.publish(SCORED, None, make_dataset(prediction=[1, 2]), Attempt("r", "scored"))
    copy = "shop/@quarantine/0123/"
    (tmp_path / "copy").write_text("17,broken\n")
    for name in ("data", "refusal.json"):
        store.put_file(copy + name, tmp_path / "copy")
    entry = forget(artifacts)
    assert set(entry.removed) == {
        "shop/validation_report, version 1",
        "shop/validated_dataset, version 2",
        "shop/batch_predictions, version 1",
        copy.rstrip("/"),
    }
    assert not [item.key for item in store.list_objects("") if item.key.endswith((".html", "/refusal.json"))]
    assert not list(store.list_objects(copy))
    with pytest.raises(ArtifactExpiredError):
        artifacts.load(SCORED, None, Dataset)
    # the refusal is still the newest version of the validated rows
    assert artifacts.log.newest(GATED, None).status == "rejected"


def test_predictions_that_have_the_columns_lose_the_rows_alone(artifacts, publish, make_dataset):
    publish(17, 18)
    scored = make_dataset(customer_id=[17, 18], prediction=[1.0, 2.0])
    artifacts.publish(SCORED, None, scored, Attempt("r", "scored"))
    forget(artifacts)
    assert artifacts.load(SCORED, None, Dataset).table.to_pylist() == [{"customer_id": 18, "prediction": 2.0}]


def test_rows_of_versions_that_lack_the_columns_are_named(artifacts, publish):
    publish(17, columns=("id", "spent"))
    publish(17, 18)
    found = Forgetting(artifacts, PERSON).find()
    assert [(each.asset, each.number) for each in found.unsearched] == [(RAW, 1), (GATED, 1)]


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ("customer_id =", DataContractError, "not a SQL expression"),
        ("customer_id = 17; drop table x", DataContractError, "not a SQL expression|more than one"),
        ("customer_id in (select 17)", DataContractError, "a subquery"),
        ("customer_id = 17 and now() > spent", DataContractError, "the function now"),
        ("true", DataContractError, "names no column"),
        ("customer_id + 1", DataContractError, "neither true nor false"),
        ("customer_id = 'abc'", DataContractError, "cannot be evaluated"),
        ("customr_id = 17", MissingColumnError, "did you mean.*customer_id"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_and_changes_nothing(
    backend, artifacts, publish, where, error, says
):
    publish(17, 18)
    before = backend.raw_keys()
    with pytest.raises(error, match=says):
        forget(artifacts, where)
    assert set(backend.raw_keys()) - {"@forgotten/salt"} == set(before)


def test_an_unknown_pipeline_is_refused(artifacts, publish):
    publish(17)
    with pytest.raises(SpecError, match=r"did you mean.*shop"):
        forget(artifacts, pipeline="shopp")


class Mortal:
    """A store that fails for good at its n-th change, as a killed process stops."""

    def __init__(self, inner, changes):
        self.inner, self.left = inner, changes

    def __getattr__(self, name):
        act = getattr(self.inner, name)
        if name not in {"put_file", "put_if_absent", "replace", "delete"}:
            return act

        def change(key, *arguments):
            if key.startswith("@clock"):
                return act(key, *arguments)
            self.left -= 1
            if self.left < 0:
                raise StoreUnavailableError("killed", where=key)
            return act(key, *arguments)

        return change


def test_killed_at_any_change_it_is_finished_by_repeating_it(store, artifacts, publish):
    publish(17, 18)
    publish(16, 17, 18)
    kills = 0
    while True:
        try:
            entry = forget(ArtifactStore(Mortal(store, kills)))
            break
        except StoreUnavailableError:
            kills += 1
        # at every moment the store is readable, and nobody else's rows are missing
        for asset in (RAW, GATED):
            assert [set(customers_in(artifacts, asset, number)) - {17} for number in (1, 2)] == [{18}, {16, 18}]
            assert set(customers_in(artifacts, asset)) - {17} == {16, 18}
    assert kills > 5
    assert stored_customers(store) == {16, 18}
    assert [artifacts.log.newest_number(asset, None) for asset in (RAW, GATED)] == [3, 3]
    names = [f"shop/{name}, version {number}" for name in ("raw_dataset", "validated_dataset") for number in (1, 2)]
    assert sorted(entry.rows) == sorted(names)
    assert set(entry.removed) == {f"shop/validation_report, version {number}" for number in (1, 2)}
    named = {
        item.key
        for history in (artifacts.log.history(asset, None) for asset in (RAW, GATED))
        for commit in history
        for item in artifacts.standing(commit).objects
    }
    assert {item.key for item in store.list_objects("shop/") if item.key.endswith(".parquet")} == {
        key for key in named if key.endswith(".parquet")
    }


KILLED = """
import os, signal, sys
from pathlib import Path
from resources.artifacts.forgetting import Forgetting
from resources.artifacts.store import ArtifactStore
from resources.store.local import LocalStore
from resources.store.overlay import OverlayStore

class Killed(LocalStore):
    def delete(self, key):
        if key.endswith(".parquet"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().delete(key)

Forgetting(ArtifactStore(Killed(Path(sys.argv[1]))), sys.argv[2]).remove()
"""


def test_a_process_that_is_killed_half_way_is_finished_by_another(tmp_path, make_dataset):
    store = LocalStore(tmp_path / "root")
    artifacts = ArtifactStore(store)
    for number, customers in enumerate(([17, 18], [16, 17, 18])):
        artifacts.publish(RAW, None, make_dataset(customer_id=customers), Attempt("r", f"raw-{number}"))
    done = subprocess.run([sys.executable, "-c", KILLED, store.uri(""), PERSON], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert 17 in stored_customers(store)
    assert [set(customers_in(artifacts, RAW, number)) - {17} for number in (1, 2)] == [{18}, {16, 18}]
    assert customers_in(artifacts, RAW) == [16, 18]
    entry = forget(artifacts)
    assert entry.rows == {"shop/raw_dataset, version 1": 1, "shop/raw_dataset, version 2": 1}
    assert stored_customers(store) == {16, 18}
    assert [customers_in(artifacts, RAW, number) for number in (1, 2, 3)] == [[18], [16, 18], [16, 18]]
    assert [each.event for each in ForgetJournal(store).entries()] == ["started", "started", "finished"]


def test_nothing_that_stands_for_a_version_is_a_leftover(store, artifacts, publish):
    publish(17, 18)
    forget(artifacts)
    assert collect_garbage(store, older_than_seconds=-86400) == []
    assert customers_in(artifacts, GATED, 1) == customers_in(artifacts, GATED) == [18]


def test_a_reader_under_whom_the_rows_go_gets_the_rows_that_stay(store, artifacts, publish, wrapped):
    """On disk an open file stays readable; on S3 its next range is missing."""
    commit = publish(17, 18)

    class Overtaken(wrapped):
        def open(self, key):
            opened = super().open(key)
            forget(artifacts)
            return opened

    value = ArtifactStore(Overtaken(store)).read(commit, ValidatedDataset)
    assert value.table["customer_id"].to_pylist() in ([17, 18], [18])
    require_passed(value.receipt, data_digest=value.fingerprint.digest, rules_digest=RULES, where="shop")
    assert customers_in(artifacts, GATED, 1) == [18]


def test_a_version_that_a_run_publishes_meanwhile_is_not_lost(store, artifacts, publish):
    publish(17, 18)
    forgetting = ArtifactStore(store)

    def race(attempt):
        if attempt.follows is not None:
            forgetting.before_publishing = lambda _: None
            publish(17, 18, 19, attempt="meanwhile")

    forgetting.before_publishing = race
    forget(forgetting)
    assert customers_in(artifacts, RAW) == customers_in(artifacts, GATED) == [18, 19]
    assert stored_customers(store) == {18, 19}


def test_runs_that_publish_the_rows_again_and_again_end_it_with_an_error(store, artifacts, publish):
    publish(17, 18)
    forgetting, turn = ArtifactStore(store), iter(range(100))
    forgetting.before_publishing = lambda attempt: attempt.follows and publish(17, attempt=f"again-{next(turn)}")
    with pytest.raises(CommitConflictError, match="as fast as"):
        forget(forgetting)


def test_who_resolved_a_version_before_reads_its_remainder_after(artifacts, publish):
    resolved = publish(17, 18)
    forget(artifacts)
    value = artifacts.read(resolved, ValidatedDataset, ["spent"])
    assert value.table.to_pydict() == {"spent": [1800]}


def test_an_experiment_reads_the_rows_that_stay_of_production(tmp_path, make_validated, make_dataset):
    production, above = LocalStore(tmp_path / "production"), LocalStore(tmp_path / "space")
    below, space = ArtifactStore(production), ArtifactStore(OverlayStore(above, production))
    resolved = below.publish(GATED, None, make_validated(customer_id=[17, 18]), Attempt("r", "a"))
    own = space.publish(GATED, None, make_validated(customer_id=[17, 19]), Attempt("r", "b"))
    assert (own.number, resolved.number) == (1, 1)
    forget(below)
    assert space.read(resolved, ValidatedDataset).table["customer_id"].to_pylist() == [18]
    assert space.read(own, ValidatedDataset).table["customer_id"].to_pylist() == [17, 19]
    forget(ArtifactStore(above))
    assert space.read(own, ValidatedDataset).table["customer_id"].to_pylist() == [19]
    assert space.read(resolved, ValidatedDataset).table["customer_id"].to_pylist() == [18]


def test_the_journal_says_what_was_forgotten_and_not_who(store, artifacts, publish):
    publish(17, 18)
    entry = Forgetting(artifacts, PERSON, by="ann@host").remove()
    journal = ForgetJournal(store)
    assert [each.event for each in journal.entries()] == ["started", "finished"]
    assert journal.entries()[-1] == entry
    assert (entry.by, entry.columns, entry.runs) == ("ann@host", ("customer_id",), ("dagster",))
    assert entry.request == journal.digest(PERSON, None)
    assert entry.request != journal.digest("customer_id = 18", None)
    stored = b"".join(store.get_bytes(item.key) for item in store.list_objects("@forgotten/") if "salt" not in item.key)
    assert PERSON.encode() not in stored
    assert b"= 17" not in stored
    assert hashlib.sha256(PERSON.encode()).hexdigest().encode() not in stored


def test_retention_removes_the_remainder_with_its_version(store, artifacts, publish):
    before = publish(17, 18)
    publish(19)
    forget(artifacts)
    retention = ArtifactRetention(store, RetentionPolicy(versions=1), 0.0)
    going = retention.beyond()
    assert sorted((each.asset[-1], each.number) for each in going) == [("raw_dataset", 1), ("validated_dataset", 1)]
    retention.remove(going)
    with pytest.raises(ArtifactExpiredError):
        artifacts.read(before, ValidatedDataset)
    assert stored_customers(store) == {19}
    assert retention.beyond() == []
