"""The endpoint over the deployment's real stores: champions of the journal, verified files, people's roll-backs."""

from pathlib import Path

import pytest
from asgi import Client
from champions import promote_the_same_files_again

from resources.mlflow.connection import connect
from resources.mlflow.people import Request, roll_back
from serving.admission import Limits
from serving.application import application
from serving.champion_follower import ChampionFollower
from serving.keys import Keys
from serving.processes import application_of, champions_of, pipeline_of

ROW = {
    "id": "c1",
    "age": 60,
    "job": "nurse",
    "loan": True,
    "since": "2015-03-12",
    "note": "called again",
    "secret": None,
}


@pytest.fixture
def follower(promoted):
    settings = promoted.settings
    made = ChampionFollower(champions_of(settings, pipeline_of(settings, "bank")))
    made.evaluate()
    return made


@pytest.fixture
def client(follower):
    return Client(application(follower, Limits(), Keys(())))


def registry_of(platform):
    return platform.resources["model_registry"]


def test_the_champion_answers_with_its_card_and_without_personal_values(client):
    reply = client.post("/predict", {"rows": [ROW, {**ROW, "age": 20}]})
    assert reply.status == 200, reply.body
    assert [row["prediction"] for row in reply.json()["predictions"]] == ["yes", "no"]
    page = client.get("/model").json()
    assert page["version"] == "1"
    assert page["card"].startswith("# bank")
    assert page["golden_replay"] == 5
    assert {row["secret"] for row in page["row"]["examples"]} == {None}
    assert "personal" in page["row"]["properties"]["secret"]["description"]


def test_a_promotion_and_a_persons_roll_back_are_followed(promoted, follower, client):
    registry = registry_of(promoted)
    assert promote_the_same_files_again(registry, "bank") == "2"
    follower.evaluate()
    assert client.get("/ready").json()["version"] == "2"
    roll_back(registry, "bank", None, Request(by="anna", reason="a test", pipeline="bank"))
    follower.evaluate()
    assert client.get("/ready").json()["version"] == "1"
    assert client.post("/predict", {"rows": [ROW]}).json()["version"] == "1"


def test_a_version_whose_files_were_changed_is_never_served(promoted, follower, client):
    registry = registry_of(promoted)
    version = promote_the_same_files_again(registry, "bank")
    source = Path(connect(registry.tracking_uri).get_model_version("bank", version).source.removeprefix("file://"))
    manifest = source / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"golden"', '"golden" '))
    follower.evaluate()
    assert follower.problem.code == "digest_mismatch"
    ready = client.get("/ready").json()
    assert (ready["ready"], ready["version"]) == (True, "1")
    assert client.post("/predict", {"rows": [ROW]}).json()["version"] == "1"


def test_a_fixed_version_stays_whatever_becomes_champion(promoted):
    settings = promoted.settings.model_copy(update={"serve_version": 1})
    fixed = ChampionFollower(champions_of(settings, pipeline_of(settings, "bank")))
    client = Client(application(fixed, Limits(), Keys(())))
    fixed.evaluate()
    promote_the_same_files_again(registry_of(promoted), "bank")
    fixed.evaluate()
    assert client.get("/ready").json()["version"] == "1"
    reply = client.post("/predict", {"rows": [ROW]})
    assert (reply.status, reply.json()["version"]) == (200, "1")
    assert client.get("/model").json()["champion_since"] is None


def test_a_fixed_version_is_verified_and_there(promoted):
    settings = promoted.settings.model_copy(update={"serve_version": 1})
    version = connect(settings.tracking_uri).get_model_version("bank", "1")
    manifest = Path(version.source.removeprefix("file://")) / "bundle" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"golden"', '"golden" '))
    changed = ChampionFollower(champions_of(settings, pipeline_of(settings, "bank")))
    changed.evaluate()
    assert (changed.current, changed.problem.code) == (None, "digest_mismatch")
    settings = settings.model_copy(update={"serve_version": 17})
    missing = ChampionFollower(champions_of(settings, pipeline_of(settings, "bank")))
    missing.evaluate()
    assert missing.current is None
    assert "no version 17" in str(missing.problem)


def test_a_process_is_made_of_the_settings_alone(promoted):
    settings = promoted.settings.model_copy(update={"serve_max_rows": 1})
    app = application_of(settings, "bank", None)
    assert Client(app).get("/ready").status == 503  # it follows when the server starts it
