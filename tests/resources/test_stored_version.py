"""What version 0.1 stored is read by this version: `tests/support/make_stored_version.py` says how it was made."""

import contextlib
import json
import os
import sqlite3
import sys
import time
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from small_platform import Platform, failure, instance_in
from web_receiver import web_receiver

from assay.backtesting.walk_forward import BacktestReport
from assay.data.dataset import Dataset, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.errors import DigestMismatchError
from assay.gate.gate import rules_digest
from assay.gate.report import GateReport
from assay.importing import ExtensionFinder
from assay.learning.persistence import load_model
from assay.monitoring.drift import DriftReport
from assay.monitoring.performance import PerformanceReport
from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs import read_pipelines
from resources.quarantine import expire
from resources.settings import Settings
from resources.store.commit_log import CommitReader
from resources.store.commit_record import commit_key
from resources.store.local import LocalStore

STORED = Path(__file__).parents[1] / "support" / "stored_version_0_1.zip"
KINDS = {
    "raw_dataset": Dataset,
    "validated_dataset": ValidatedDataset,
    "validation_report": GateReport,
    "best_hyperparameters": BestHyperparameters,
    "trained_model": TrainedModel,
    "evaluation_report": EvaluationReport,
    "champion_model": ChampionRecord,
    "batch_predictions": Dataset,
    "drift_report": DriftReport,
    "performance_report": PerformanceReport,
    "backtest_report": BacktestReport,
}
with zipfile.ZipFile(STORED) as packed:
    EXPECTED = json.loads(packed.read("expected.json"))
PIPELINES = sorted(EXPECTED["rules_digests"])
MODELS = sorted(EXPECTED["predictions"])
FEW_MODELS = [*MODELS[:1], *(pytest.param(name, marks=pytest.mark.full) for name in MODELS[1:])]


@dataclass
class Stored(Platform):
    """The platform of version 0.1 as its user would have it after an upgrade."""

    root: Path = Path()

    @cached_property
    def artifacts(self):
        return super().artifacts

    def commit(self, name):
        """Return the newest commit of `asset` or `asset@partition`."""
        asset, _, partition = name.partition("@")
        return self.artifacts.log.newest(tuple(asset.split("/")), partition or None)

    def spec(self, pipeline):
        return next(spec for spec in read_pipelines(self.settings.pipelines_dir).specs if spec.name == pipeline)

    def cursor(self, sensor):
        return EXPECTED["cursors"][sensor].replace("@root@", str(self.root))

    def evaluate(self, sensor, cursor):
        """Evaluate a sensor."""
        definitions = self.definitions
        [found] = [each for each in definitions.sensors if each.name == sensor]
        needed = ("data_sources", "arrivals_store") if sensor.endswith("new_data_sensor") else ()
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            repository_def=definitions.get_repository_def(),
            resources={name: definitions.resources[name] for name in needed},
        ) as context:
            return found(context)


@contextlib.contextmanager
def unpacked(root):
    """Unpack what was stored and give it as a platform; Dagster has no record of its runs."""
    unpack(root)
    folders = {"home": root / "home", "pipelines_dir": root / "pipelines", "extensions_dir": root / "extensions"}
    settings = Settings(**folders, run_production="on")
    with contextlib.chdir(root), instance_in(root / "dagster") as instance:
        yield Stored(settings, instance, root=root)


@contextlib.contextmanager
def importable(platform):
    """Make the user's modules of one unpacked store importable, and of no other."""
    platform.definitions  # noqa: B018 - installs the finder and the import policy
    try:
        yield platform
    finally:
        sys.modules.pop("stored_own", None)
        # in place: a library that is imported meanwhile may add a finder of its own
        sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, ExtensionFinder)]


@pytest.fixture
def stored(tmp_path):
    """What was stored, for one test."""
    with unpacked(tmp_path) as platform, importable(platform):
        yield platform


@pytest.fixture(scope="module")
def unpacked_once(tmp_path_factory):
    with unpacked(tmp_path_factory.mktemp("unchanged")) as platform:
        yield platform


@pytest.fixture
def unchanged(unpacked_once):
    """What was stored, for all tests that only read it."""
    with contextlib.chdir(unpacked_once.root), importable(unpacked_once):
        yield unpacked_once


def unpack(root):
    with zipfile.ZipFile(STORED) as packed:
        packed.extractall(root)
    for path in (*(root / "data").iterdir(), *(root / "arrived").iterdir()):
        os.utime(path, (EXPECTED["data_modified"],) * 2)
    dump = root / "home" / "mlflow" / "mlflow.sql"
    with sqlite3.connect(dump.with_name("mlflow.db")) as database:
        database.executescript(dump.read_text().replace("@root@", str(root)))


def value_of(platform, name, commit):
    """Read what a commit names, verified."""
    asset = name.partition("@")[0].rpartition("/")[2]
    return platform.artifacts.read(commit, GateReport if commit.status == "rejected" else KINDS[asset])


def predictions_of(model):
    wanted = ("predict", "predict_proba") if model.manifest.classes else ("predict",)
    return {method: getattr(model.estimator, method)(model.input_example) for method in wanted}


def assert_predicts(model, expected):
    found = predictions_of(model)
    assert found.keys() == expected.keys()
    for method, values in expected.items():
        np.testing.assert_array_equal(found[method], np.array(values, dtype=found[method].dtype))


def make(platform, pipeline, *assets, partition=None, parameters=None):
    names = [f"{pipeline}/{asset}" for asset in assets]
    result = platform.materialize(*names, partition=partition, parameters=parameters)
    assert result.success, failure(result)


def test_every_commit_is_read_and_is_as_it_was_written(unchanged):
    found = {}
    for name in EXPECTED["commits"]:
        commit = unchanged.commit(name)
        found[name] = {
            "number": commit.number,
            "status": commit.status,
            "data_version": commit.data_version,
            "rules_digest": commit.receipt.rules_digest if commit.receipt else None,
        }
    assert found == EXPECTED["commits"]


def test_every_commit_is_where_the_log_expects_it(unchanged):
    store = unchanged.root / "home" / "store"
    found = [commit for name in EXPECTED["commits"] if (commit := unchanged.commit(name)) is not None]
    keys = {commit_key(each.asset, each.partition, each.number) for each in found}
    assert keys == {path.relative_to(store).as_posix() for path in store.rglob("commits/*.json")}


def test_every_object_has_the_digest_that_its_commit_names(unchanged):
    for name in EXPECTED["commits"]:
        reader = CommitReader(unchanged.artifacts.store, unchanged.commit(name))
        assert all(reader.verified_bytes(item.name) for item in reader.commit.objects)


def test_every_value_is_read(unchanged):
    for name in EXPECTED["commits"]:
        assert value_of(unchanged, name, unchanged.commit(name)) is not None


def test_tables_would_have_the_same_version_today(unchanged):
    tables = {name: commit for name in EXPECTED["commits"] if (commit := unchanged.commit(name)).codec == "table"}
    for name, commit in tables.items():
        table = value_of(unchanged, name, commit).table
        assert fingerprint(table) == commit.fingerprint
        assert fingerprint(table).digest == commit.data_version


def test_a_changed_byte_is_noticed(stored):
    commit = stored.commit("bank/validated_dataset")
    [path] = [stored.root / "home" / "store" / each.key for each in commit.objects if each.name == "data.parquet"]
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatchError):
        value_of(stored, "bank/validated_dataset", commit)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_rules_have_the_digest_that_receipts_name(unchanged, pipeline):
    assert rules_digest(unchanged.spec(pipeline)) == EXPECTED["rules_digests"][pipeline]


@pytest.mark.parametrize("name", MODELS)
def test_a_stored_model_predicts_the_same_bits(unchanged, name):
    assert_predicts(value_of(unchanged, name, unchanged.commit(name)), EXPECTED["predictions"][name])


@pytest.mark.parametrize("name", FEW_MODELS)
def test_a_champion_is_loaded_from_the_registry_and_predicts_the_same_bits(stored, name):
    pipeline = name.split("/")[0]
    found = stored.resources["model_registry"].current_champion(pipeline)
    assert (found.version, found.entry.digest) == ("1", EXPECTED["champions"][pipeline])
    assert found.value_at_promotion is not None
    assert_predicts(found.model, EXPECTED["predictions"][name])


@pytest.mark.parametrize("name", FEW_MODELS)
def test_a_stored_model_is_loaded_by_mlflow_alone(unchanged, name):
    import mlflow.sklearn

    [folder] = (unchanged.root / "home" / "mlflow" / "artifacts" / name.split("/")[0] / "models").glob("*/artifacts")
    loaded = mlflow.sklearn.load_model(str(folder))
    found = loaded.predict(load_model(folder / "bundle").input_example)
    np.testing.assert_array_equal(found, EXPECTED["predictions"][name]["predict"])


@pytest.mark.parametrize(
    ("asset", "partition"),
    [
        pytest.param("bank/evaluation_report", None, marks=pytest.mark.full),
        pytest.param("monthly/trained_model", "2021-02", marks=pytest.mark.full),
        ("arriving/trained_model", "a.csv"),
    ],
)
def test_stored_rows_are_used_under_the_stored_receipt(stored, asset, partition):
    stored.instance.add_dynamic_partitions("arriving_objects", ["a.csv"])
    make(stored, *asset.split("/"), partition=partition)
    assert stored.commit(f"{asset}@{partition}" if partition else asset).number == 2


def test_an_evaluation_repeated_equals_the_stored_one(stored):
    name = "monthly/evaluation_report@2021-02"
    before = value_of(stored, name, stored.commit(name))
    make(stored, "monthly", "evaluation_report", partition="2021-02")
    again = value_of(stored, name, stored.commit(name))
    assert again.intervals.keys() == again.metrics.keys()
    assert again.train_rows == again.deployed_rows  # a model of that version is deployed as it was evaluated
    new = {"intervals": {}, "train_rows": None, "deployed_rows": None}
    assert again.model_copy(update=new) == before


@pytest.mark.full
def test_an_evaluation_of_a_model_that_does_not_name_its_training_rows_says_so(stored):
    make(stored, "bank", "evaluation_report", "champion_model")
    assert not value_of(stored, "bank/evaluation_report", stored.commit("bank/evaluation_report")).training_rows_known
    decision = value_of(stored, "bank/champion_model", stored.commit("bank/champion_model")).decision
    assert (decision.verdict, decision.training_rows_known) == ("needs_approval", False)


@pytest.mark.full
def test_a_fit_continues_from_a_stored_champion(stored):
    make(stored, "bank", "trained_model", parameters={"training_scenario": "incremental"})
    model = value_of(stored, "bank/trained_model", stored.commit("bank/trained_model"))
    assert model.manifest.scenario_applied == "incremental"


def test_a_stored_champion_is_compared_with_a_new_model(stored):
    make(stored, "bank", "trained_model", "evaluation_report", "champion_model")
    record = value_of(stored, "bank/champion_model", stored.commit("bank/champion_model"))
    # split at random, and stored before models recorded which rows they learned from
    assert (record.version, record.decision.verdict) == ("1", "needs_approval")
    assert "which rows the champion has learned from is not known" in record.decision.reason


def test_a_stored_champion_predicts_as_before(stored):
    make(stored, "bank", "batch_predictions")
    commit, before = stored.commit("bank/batch_predictions"), EXPECTED["commits"]["bank/batch_predictions"]
    assert (commit.number, commit.data_version) == (2, before["data_version"])


KEPT = {
    "partition",
    "champion_version",
    "status",
    "metric",
    "rows",
    "value_at_promotion",
    "value_now",
    "loss",
    "alarm_start",
}


def test_a_stored_champion_is_watched_as_before(stored):
    names = ("monthly/drift_report@2021-02", "monthly/performance_report@2021-02")
    before = [value_of(stored, name, stored.commit(name)) for name in names]
    make(stored, "monthly", "drift_report", "performance_report", partition="2021-02")
    assert [stored.commit(name).number for name in names] == [2, 2]
    now = [value_of(stored, name, stored.commit(name)) for name in names]
    for one, other in zip(before, now, strict=True):
        assert other.model_dump(include=KEPT) == one.model_dump(include=KEPT)


def test_a_stored_refusal_blocks_later_training(stored):
    result = stored.materialize("monthly/best_hyperparameters", partition="2021-03")
    assert "[gate_rejected]" in failure(result)
    assert "values_in_range" in failure(result)


@pytest.mark.parametrize(
    "reviewed", [True, pytest.param(False, marks=pytest.mark.full)], ids=["reviewed_file", "copy_in_the_store"]
)
def test_a_frozen_schema_is_kept_by_the_same_data(stored, reviewed):
    schemas = stored.root / "pipelines" / "schemas"
    texts = {path.name: path.read_text() for path in schemas.iterdir()}
    if not reviewed:
        for name in texts:
            (schemas / name).unlink()
    make(stored, "bank", "raw_dataset", "validated_dataset")
    make(stored, "monthly", "raw_dataset", partition="2021-01")
    for name in ("bank/raw_dataset", "bank/validated_dataset", "monthly/raw_dataset@2021-01"):
        commit = stored.commit(name)
        assert (commit.number, commit.data_version) == (2, EXPECTED["commits"][name]["data_version"])
    assert {path.name: path.read_text() for path in schemas.iterdir()} == (texts if reviewed else {})


def test_the_new_data_sensor_requests_nothing_when_nothing_changed(stored):
    sensor = "arriving_new_data_sensor"
    answer = stored.evaluate(sensor, stored.cursor(sensor))
    assert not answer.run_requests
    message = answer.skip_reason.skip_message
    assert "nothing new among 3 objects" in message
    assert "1 dead letter" in message


def test_the_new_data_sensor_requests_rewritten_objects_and_pending_retries(stored):
    sensor = "arriving_new_data_sensor"
    os.utime("arrived/a.csv", (1.7e9, 1.7e9))
    cursor, requests = stored.cursor(sensor), []
    for _ in range(3):
        answer = stored.evaluate(sensor, cursor)
        cursor, requests = answer.cursor, [*requests, *(answer.run_requests or ())]
    [waiting] = json.loads(stored.cursor(sensor))["failures"]["waiting"]
    state = Path("arrived/a.csv").stat()
    rewritten = f"arrived/a.csv@{1_700_000_000 * 10**9}-{state.st_size}+{state.st_ctime_ns}"
    assert {each.run_key for each in requests} == {rewritten, waiting["run_key"]}
    assert len(requests) == len({each.run_key for each in requests})


def test_a_stored_dead_letter_is_redriven(stored):
    kept = stored.resources["arrivals_store"].of("arriving")
    [name] = kept.dead_letters().names
    letter = kept.dead_letter(name)
    assert (letter.uri, letter.partition_key, letter.attempts) == ("arrived/c.csv", "c.csv", 1)
    kept.order_redrive(name)
    answer = stored.evaluate("arriving_new_data_sensor", stored.cursor("arriving_new_data_sensor"))
    assert [request.run_key for request in answer.run_requests] == [f"{letter.run_key}#redrive-1"]


def test_a_stored_notification_is_sent_once(stored, monkeypatch):
    cursor = stored.cursor("notification_sensor")
    waiting = json.loads(cursor)["outbox"]
    later = max(item["due"] for item in waiting) + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with web_receiver() as web:
        stored.settings = Settings(**stored.settings.model_dump() | {"notify_webhook_url": web.url})
        for _ in range(2):
            cursor = stored.evaluate("notification_sensor", cursor).cursor
    reported = [json.loads(body)["event"] for _, body in web.posts]
    assert reported == [item["notice"]["event"] for item in waiting]
    assert {event.partition(":")[0] for event in reported} == {"gate_refused", "run_failed", "promotion"}


def test_the_notification_sensor_continues_from_its_stored_cursor(stored):
    cursor = stored.cursor("notification_sensor")
    after = json.loads(stored.evaluate("notification_sensor", cursor).cursor)
    assert after["seen"] == json.loads(cursor)["seen"]


def test_a_quarantined_file_is_found_by_its_retention(stored):
    store = LocalStore(stored.root / "home" / "store")
    [folder] = expire(store, days=1, megabytes=None, now=time.time() + 3 * 86400)
    assert folder.startswith("arriving/@quarantine/")
    assert not [item.key for item in store.list_objects("arriving/@quarantine/")]
