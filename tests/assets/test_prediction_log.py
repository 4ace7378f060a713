"""The prediction log in Dagster: a day's objects, late ones, and the challenger of the deployment's registry."""

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest
from asgi import Client
from log_rows import log_of, logged_rows, row
from small_platform import failure

from assay.errors import AssayError, SpecError
from assay.serving.prediction_log import EXPERIMENT, KEY, REQUEST_ID, SHARE
from assay.shell.flags import Flags
from ml_assets.commands import forget as command
from ml_assets.commands.deployment import Deployment
from ml_assets.pipeline.logged_days import day_of
from ml_assets.pipeline.served_log import served_log
from resources.artifacts.logged_days import LogRetention
from resources.artifacts.logged_predictions import LogSearch
from resources.artifacts.row_search import RowSearch
from resources.artifacts.store import ArtifactStore
from resources.mlflow.connection import connect
from resources.mlflow.people import Request, reject
from resources.prediction_log import LogObject, write_object
from resources.settings import Settings
from resources.store.expiry import RetentionPolicy
from resources.store.local import LocalStore
from serving import challenger_follower
from serving.admission import Limits
from serving.application import application
from serving.champion_follower import ChampionFollower
from serving.keys import Keys
from serving.processes import challengers_of, champions_of, pipeline_of

YESTERDAY = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0) - dt.timedelta(days=1)
PARTITION = YESTERDAY.date().isoformat()
ROW = {"id": "c1", "age": 60, "job": "nurse", "loan": True, "since": "2015-03-12", "note": "called", "secret": None}


@pytest.fixture
def served(bank):
    """A pipeline with a log, and a function that logs an object of yesterday."""
    path = bank.settings.pipelines_dir / "bank.yaml"
    since = (YESTERDAY - dt.timedelta(days=20)).date()
    path.write_text(f'{path.read_text()}serving: {{log: {{since: "{since}"}}}}\n')

    def log(*requests, number=0, day=YESTERDAY, **others):
        rows = log_of(*(row(each, log_pipeline="bank", **others) | {"log_time": day} for each in requests))
        rows = rows.append_column("id", pa.array([f"c{each}" for each in requests]))
        made = LogObject(day.replace(minute=0), "a" * 32, number)
        assert write_object(LocalStore(bank.settings.home / "store"), "bank", made, rows)

    return bank, log


def stored(platform, partition=PARTITION):
    from assay.data.dataset import Dataset

    return platform.artifacts.load(("bank", "prediction_log"), partition, Dataset).table


def materialize(platform, partition=PARTITION):
    result = platform.materialize("bank/prediction_log", partition=partition)
    assert result.success, failure(result)
    return result


def requested(platform):
    """Return the partitions whose runs the sensor requests."""
    definitions = platform.definitions
    sensor = definitions.resolve_sensor_def("bank_prediction_log_sensor")
    resources = {"object_store": definitions.resources["object_store"]}
    with dg.build_sensor_context(platform.instance, definitions=definitions, resources=resources) as context:
        return [each.partition_key for each in sensor.evaluate_tick(context).run_requests]


def test_a_day_is_put_together_and_late_objects_are_taken_up(served):
    platform, log = served
    assert requested(platform) == []
    log("a", "b")
    log("b", "c", number=1)
    assert requested(platform) == [PARTITION]
    metadata = materialize(platform).asset_materializations_for_node("bank__prediction_log")[0].metadata
    assert stored(platform).column(REQUEST_ID).to_pylist() == ["a", "b", "c"]
    assert (metadata["objects"].value, metadata["repeated requests"].value) == (2, 1)
    assert "data:image/png" in metadata["plot/arms"].value
    assert requested(platform) == []
    log("late", number=2)
    assert requested(platform) == [PARTITION]
    materialize(platform)
    assert stored(platform).num_rows == 4
    version = platform.artifacts.newest(("bank", "prediction_log"), PARTITION).data_version
    materialize(platform)
    assert platform.artifacts.newest(("bank", "prediction_log"), PARTITION).data_version == version


def test_a_share_that_is_not_as_declared_warns(served):
    platform, log = served
    log(*(str(number) for number in range(300)), **{EXPERIMENT: "1:2", SHARE: 0.3, KEY: "k"})
    log(*(f"k{number}" for number in range(100)), number=1)
    checks = {each.check_name: each for each in materialize(platform).get_asset_check_evaluations()}
    assert checks["arms_as_declared"].passed, "300 rows of one key are one key"
    for number in range(60):
        log(f"m{number}", number=2 + number, **{EXPERIMENT: "1:2", SHARE: 0.3, KEY: f"m{number}"})
    checks = {each.check_name: each for each in materialize(platform).get_asset_check_evaluations()}
    assert not checks["arms_as_declared"].passed
    assert "not fair" in checks["arms_as_declared"].description
    assert checks["request_ids_not_reused"].passed


def test_a_day_without_predictions_makes_no_version(served):
    platform, _ = served
    result = materialize(platform)
    assert result.asset_materializations_for_node("bank__prediction_log") == []
    assert len(result.get_asset_check_evaluations()) == 2


def test_today_waits_until_it_is_over(served):
    platform, log = served
    log("a", day=dt.datetime.now(dt.UTC))
    assert requested(platform) == []


@pytest.fixture
def forget(served, monkeypatch):
    """Return a function that runs `assay forget` and returns its lines."""
    monkeypatch.setattr(command, "Deployment", lambda: Deployment(served[0].settings))
    return lambda where, **flags: command.forget(Flags(where=where, name="bank", **flags))[1].splitlines()


def test_a_persons_logged_rows_are_forgotten_in_objects_and_partitions(served, forget):
    platform, log = served
    log("a", "b")
    log("b", number=1)
    with pytest.raises(SpecError, match="nothing is stored"):
        forget("id = 'cb'")
    materialize(platform)
    log("b", "z", number=2)  # comes late
    objects = logged_rows(platform.artifacts.store, "bank", YESTERDAY.date()).num_rows
    lines = forget("id = 'cb'", dry_run=True)
    assert [line.split()[0] for line in lines[:4]] == ["1"] * 4, lines
    assert logged_rows(platform.artifacts.store, "bank", YESTERDAY.date()).num_rows == objects
    forget("id = 'cb'")
    assert sorted(logged_rows(platform.artifacts.store, "bank", YESTERDAY.date()).column("id").to_pylist()) == [
        "ca",
        "cz",
    ]
    assert stored(platform).column("id").to_pylist() == ["ca"]
    store = LocalStore(platform.settings.home / "store")
    emptied = LogObject(YESTERDAY.replace(minute=0), "a" * 32, 1)
    assert not write_object(store, "bank", emptied, log_of(row("b"))), "a retry brings nothing back"
    assert forget("id = 'cb'") == ["no stored table holds such rows"]
    materialize(platform)
    assert stored(platform).column("id").to_pylist() == ["ca", "cz"]


def test_a_log_without_the_columns_stays_and_is_named(served, forget):
    platform, log = served
    log("a")
    assert platform.materialize("bank/raw_dataset").success
    materialize(platform)
    lines = forget("age = 60")
    assert any("not searched" in line and "prediction_log" in line for line in lines)
    assert stored(platform).num_rows == 1


@pytest.mark.parametrize(("where", "left"), [("number = 2", ["1"]), ("number = '2'", ["1"]), ("log_key = '2'", ["1"])])
def test_keys_are_found_as_numbers_and_as_texts(bank, where, left):
    store = LocalStore(bank.settings.home / "store")
    rows = log_of(row("1", **{KEY: "1"}), row("2", **{KEY: "2"})).append_column("number", pa.array(["1", "2"]))
    made = LogObject(YESTERDAY, "a" * 32, 0)
    write_object(store, "bank", made, rows)
    search = LogSearch(store, RowSearch(ArtifactStore(store), where))
    (held,), _ = search.held()
    search.remove(held)
    assert logged_rows(store, "bank", YESTERDAY.date()).column("number").to_pylist() == left


def test_an_old_pipeline_has_no_log(bank):
    names = {key.path[-1] for key in bank.definitions.resolve_all_asset_keys()}
    assert "prediction_log" not in names
    assert day_of(PARTITION) == YESTERDAY.date()


def test_a_registered_version_challenges_until_a_person_rejects_it(promoted, monkeypatch):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(f"{path.read_text()}serving: {{challenger: {{alias: next, share: 0.5, by: id}}, log: null}}\n")
    registry = promoted.resources["model_registry"]
    client, current = connect(registry.tracking_uri), registry.champion("bank")
    first = client.get_model_version("bank", current.version)
    client.create_model_version("bank", source=first.source, run_id=first.run_id, tags=dict(first.tags))
    settings = promoted.settings
    spec = pipeline_of(settings, "bank")
    follower = ChampionFollower(
        champions_of(settings, spec), challengers=challengers_of(settings, spec), serving=spec.serving, pipeline="bank"
    )
    asked = Client(application(follower, Limits(), Keys(())))
    rows = [ROW | {"id": f"c{number}"} for number in range(12)]
    follower.evaluate()
    assert "no version has the alias" in asked.get("/ready").json()["challenger"]["state"]
    client.set_registered_model_alias("bank", "next", "2")
    follower.evaluate()
    assert set(asked.post("/predict", {"rows": rows}).json()["versions"]) == {"1", "2"}
    waiting = current.model_copy(update={"version": "2", "event": "awaiting_approval", "digest": "other"})
    registry.journal("bank").append(waiting, expected=current)
    reject(registry, "bank", "2", Request(by="anna", reason="as an example"))
    monkeypatch.setattr(challenger_follower, "RETRY_SECONDS", 0.0)
    follower.evaluate()
    assert asked.post("/predict", {"rows": rows}).json()["arm"] == "champion"
    assert "taken back" in asked.get("/ready").json()["challenger"]["problem"]


OLD = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0) - dt.timedelta(days=10)
OLD_DAY = OLD.date().isoformat()


def expire(platform):
    """Apply an age of five days; return what went."""
    retention = LogRetention(platform.artifacts.store, RetentionPolicy(days=5))
    gone = retention.beyond()
    retention.remove(gone)
    return [str(each) for each in gone]


def expired_by_job(platform, **config):
    """Run the janitor with an age of five days; return what went by its metadata."""
    platform.settings = Settings(**platform.settings.model_dump() | {"retention_days": 5})
    job = platform.definitions.resolve_job_def("artifact_janitor_job").execute_in_process(
        instance=platform.instance, run_config={"ops": {"expire_versions": {"config": config}}}
    )
    [event] = [each for each in job.all_events if each.is_successful_output and each.step_key == "expire_versions"]
    metadata = event.event_specific_data.metadata
    return metadata["would be removed" if config.get("dry_run") else "removed"].value


def requests_of(platform):
    spec = pipeline_of(platform.settings, "bank")
    return sorted(served_log(platform.artifacts, spec, 90).column(REQUEST_ID).to_pylist())


def test_old_objects_lose_their_rows_once_their_day_has_them(served):
    platform, log = served
    log("a", "b", day=OLD)
    log("c", day=OLD, number=1)
    log("new")
    assert expire(platform) == []  # no day has taken the rows
    materialize(platform, OLD_DAY)
    materialize(platform)
    log("late", day=OLD, number=2)
    assert expire(platform) == []  # the day lacks the late row
    materialize(platform, OLD_DAY)
    line = f"prediction log of bank, {OLD_DAY}: 3 objects"
    assert [expired_by_job(platform, dry_run=True), expired_by_job(platform), expire(platform)] == [[line], [line], []]
    assert logged_rows(platform.artifacts.store, "bank", OLD.date()).num_rows == 0
    assert logged_rows(platform.artifacts.store, "bank", YESTERDAY.date()).num_rows == 1
    assert requests_of(platform) == ["a", "b", "c", "late", "new"]


def test_what_comes_after_the_rows_went_is_added_to_the_day_and_nothing_is_brought_back(served):
    platform, log = served
    log("a", "b", day=OLD)
    materialize(platform, OLD_DAY)
    assert len(expire(platform)) == 1
    with pytest.raises(AssertionError):
        log("a", "b", day=OLD)  # a process that stores its object once more stores nothing
    log("late", day=OLD, number=1)
    assert requests_of(platform) == ["a", "b", "late"]
    materialize(platform, OLD_DAY)
    assert sorted(stored(platform, OLD_DAY).column(REQUEST_ID).to_pylist()) == ["a", "b", "late"]
    assert len(expire(platform)) == 1
    materialize(platform, OLD_DAY)
    assert stored(platform, OLD_DAY).num_rows == 3


def test_objects_stay_where_the_rows_of_their_day_are_damaged(served):
    platform, log = served
    log("a", day=OLD)
    materialize(platform, OLD_DAY)
    commit = platform.artifacts.log.newest(("bank", "prediction_log"), OLD_DAY)
    file = next(platform.settings.home / "store" / each.key for each in commit.objects if each.name == "data.parquet")
    file.write_bytes(b"PAR1")
    retention = LogRetention(platform.artifacts.store, RetentionPolicy(days=5))
    with pytest.raises(AssayError):
        retention.remove(retention.beyond())
    assert logged_rows(platform.artifacts.store, "bank", OLD.date()).num_rows == 1


def test_the_number_of_versions_says_nothing_of_objects(served):
    platform, log = served
    log("a", day=OLD)
    materialize(platform, OLD_DAY)
    assert LogRetention(platform.artifacts.store, RetentionPolicy(versions=1)).beyond() == []
