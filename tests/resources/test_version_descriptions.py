"""What descriptions in MLflow lead to: beside a version's card, and in a run's note beside what people wrote."""

from types import SimpleNamespace

import pytest

from resources.mlflow import versions
from resources.mlflow.tracker import TrackedRun
from resources.mlflow.versions import ModelVersions, card_of

CARD = "# card\n\nIt predicts. Its report: none.\n\nMore."
NOTE = "mlflow.note.content"


class _Client:
    """One registered version and one run, in memory."""

    def __init__(self, description=""):
        self.version, self.run_tags = SimpleNamespace(description=description, tags={}), {}

    def get_model_version(self, name, version):
        return self.version

    def update_model_version(self, name, version, description):
        self.version.description = description

    def set_model_version_tag(self, name, version, key, value):
        self.version.tags[key] = value

    def get_run(self, run_id):
        return SimpleNamespace(data=SimpleNamespace(tags=dict(self.run_tags)))

    def set_tag(self, run_id, key, value):
        self.run_tags[key] = value


@pytest.fixture
def client(monkeypatch):
    made = _Client(CARD)
    monkeypatch.setattr(versions, "connect", lambda _: made)
    return made


@pytest.mark.parametrize(
    "before", ["Promoted: better. Its report: http://localhost:8090/r\n\n", "[Report](http://r)\n\n"]
)
def test_the_card_is_read_from_descriptions_of_earlier_releases(before):
    assert card_of(_Client(f"{before}# card\n\nIt predicts.").version) == "# card\n\nIt predicts."


def test_what_stands_before_a_card_is_recorded_and_replaced_by_the_next_decision(client):
    of = ModelVersions("sqlite://", "bank")
    of.link("1", "http://r/1", "It waits for a person.")
    of.link("1", "http://r/2", "Promoted: better.")
    assert client.version.description == f"Promoted: better. Its report: http://r/2\n\n{CARD}"
    assert card_of(client.version) == CARD


def test_a_description_that_a_killed_step_wrote_is_not_repeated(client):
    client.version.description = f"Promoted: better. Its report: http://r\n\n{CARD}"
    client.version.tags["assay.description_lead"] = "It waits. Its report: http://r\n\n"
    ModelVersions("sqlite://", "bank").link("1", "http://r", "Promoted: better.")
    assert client.version.description == f"Promoted: better. Its report: http://r\n\n{CARD}"


def test_a_description_that_a_person_wrote_is_the_card(client):
    ModelVersions("sqlite://", "bank").link("1", "http://r", "Promoted: better.")
    client.version.description = "Ours. Its report: on paper.\n\nThe rest."
    assert card_of(client.version) == "Ours. Its report: on paper.\n\nThe rest."


def test_links_of_a_run_are_replaced_by_name_beside_what_people_wrote():
    client = _Client()
    run = TrackedRun(client, "sqlite://", "0", "r")
    run.describe(Dagster_run="http://d/1")
    client.run_tags[NOTE] += "\n\n[Dagster run](is what we watch)"
    run.describe(Dagster_run="http://d/2", Report="http://r")
    del client.run_tags["assay.link.Report"]  # a step that was killed before the tag
    run.describe(Report="http://r")
    assert client.run_tags[NOTE].split("\n\n") == [
        "[Dagster run](is what we watch)", "[Dagster run](http://d/2)", "[Report](http://r)"
    ]  # fmt: skip
