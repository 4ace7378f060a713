"""What a registered model says of itself, when several runs say it at once."""

from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS
from prediction_cases import fitted

from resources.mlflow.registered_names import describe_registered, description_of


class Registry:
    """The calls of a client on one registered model; as in MLflow's database, a second insert of a tag fails."""

    def __init__(self, *, sets_first=None):
        self.model, self.writes, self._sets_first = None, [], sets_first

    def create_registered_model(self, name, tags, description):
        if self.model is not None:
            raise MlflowException(f"{name} is there", error_code=RESOURCE_ALREADY_EXISTS)
        self.model = SimpleNamespace(tags=dict(tags), description=description)

    def get_registered_model(self, name):
        return SimpleNamespace(tags=dict(self.model.tags), description=self.model.description)

    def update_registered_model(self, name, description):
        self.writes.append(name)
        self.model.description = description

    def set_registered_model_tag(self, name, tag, value):
        self.writes.append(tag)
        if self._sets_first is not None:  # another run, between MLflow's query and its insert
            self.model.tags[tag] = self._sets_first.get(tag, value)
            raise MlflowException("UNIQUE constraint failed: registered_model_tags")
        self.model.tags[tag] = value


@pytest.fixture(scope="module")
def manifest():
    return fitted().manifest


def test_the_first_registration_is_one_write(manifest):
    registry = Registry()
    describe_registered(registry, "demo", manifest)
    assert registry.model.description == description_of(manifest)
    assert registry.model.tags.items() >= {"pipeline": manifest.pipeline, "target": manifest.target}.items()
    assert registry.writes == []


def test_a_second_run_writes_nothing(manifest):
    registry = Registry()
    for _ in range(2):
        describe_registered(registry, "demo", manifest)
    assert registry.writes == []


def test_a_model_of_an_earlier_version_gets_description_and_tags(manifest):
    registry = Registry()
    registry.create_registered_model("demo", {}, "")
    describe_registered(registry, "demo", manifest)
    assert registry.model.description == description_of(manifest)
    assert {"pipeline", "task", "target"} < registry.model.tags.keys()


def test_a_tag_that_another_run_sets_at_the_same_moment_is_no_failure(manifest):
    registry = Registry(sets_first={})
    registry.create_registered_model("demo", {}, "")
    describe_registered(registry, "demo", manifest)
    assert registry.model.tags["target"] == manifest.target


def test_a_tag_that_cannot_be_set_is_a_failure(manifest):
    registry = Registry(sets_first={"task": "another"})
    registry.create_registered_model("demo", {}, "")
    with pytest.raises(MlflowException, match="UNIQUE"):
        describe_registered(registry, "demo", manifest)


def test_a_description_that_a_person_wrote_stays(manifest):
    registry = Registry()
    describe_registered(registry, "demo", manifest)
    registry.model.description = "Ask Ada first."
    describe_registered(registry, "demo", manifest)
    assert registry.model.description == "Ask Ada first."
