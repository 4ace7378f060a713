"""The prediction log in Dagster: a day's objects, late ones, and the challenger of the deployment's registry."""

import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest
from asgi import Client
from log_rows import log_of, row
from small_platform import failure

from assay.serving.prediction_log import EXPERIMENT, KEY, REQUEST_ID, SHARE
from ml_assets.pipeline.logged_days import day_of
from resources.mlflow.connection import connect
from resources.mlflow.people import Request, reject
from resources.prediction_log import LogObject, write_object
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


def test_an_old_pipeline_has_no_log(bank):
    names = {key.path[-1] for key in bank.definitions.resolve_all_asset_keys()}
    assert "prediction_log" not in names
    assert day_of(PARTITION) == YESTERDAY.date()


def test_a_registered_version_challenges_until_a_person_rejects_it(promoted, monkeypatch):
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(f"{path.read_text()}serving: {{challenger: {{alias: next, share: 0.5, by: id}}, log: null}}\n")
    registry = promoted.definitions.resources["model_registry"]
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
