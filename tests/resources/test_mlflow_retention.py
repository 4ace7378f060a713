"""The retention policy in MLflow: old versions and runs go, and what others refer to stays."""

import datetime as dt
import time

import pytest
from mlflow import MlflowClient

from assay.promotion.champion import ChampionEntry
from resources.champion_journal import ChampionJournal
from resources.mlflow.expiry import TrackedRetention
from resources.mlflow.models import MODEL_TAG
from resources.mlflow.tracker import MlflowTracker, RunIdentity
from resources.store.expiry import RetentionPolicy
from resources.store.local import LocalStore


@pytest.fixture
def uri(tmp_path, templates):
    templates.empty_mlflow(tmp_path / "mlflow")
    return f"sqlite:///{tmp_path}/mlflow/mlflow.db"


@pytest.fixture
def client(uri):
    return MlflowClient(uri)


@pytest.fixture
def trained(uri, tmp_path):
    """Return a function that tracks trainings and returns the ids of their runs."""
    tracker = MlflowTracker(tracking_uri=uri, artifact_root=str(tmp_path / "artifacts"))

    def done(*contents):
        runs = []
        for content in contents:
            with tracker.run(RunIdentity("bank", f"run-{content}", "bank/trained_model", None, content), {}) as tracked:
                runs.append(tracked.run_id)
            time.sleep(0.01)  # MLflow orders by milliseconds
        return runs

    return done


@pytest.fixture
def retention(uri, tmp_path):
    def made(grace=0.0, **policy):
        return TrackedRetention(uri, "assay", RetentionPolicy(**policy), grace, [LocalStore(tmp_path / "store")])

    return made


def names(going):
    return sorted(map(str, going))


def versions(client, *tagged):
    """Register versions 1, 2, ...; the ones that Assay registered have its tag."""
    client.create_registered_model("bank")
    for ours in tagged:
        client.create_model_version("bank", source="file:///nowhere", tags={MODEL_TAG: "m-1"} if ours else {})


def test_old_runs_go_with_their_trials_and_those_in_use_stay(client, trained, retention):
    first, second, third, newest = trained("a", "b", "c", "d")
    experiment = client.get_run(first).info.experiment_id
    trial = client.create_run(experiment, tags={"mlflow.parentRunId": second}).info.run_id
    foreign = client.create_run(experiment).info.run_id
    client.set_terminated(foreign)
    client.update_run(third, status="RUNNING")
    policy = retention(versions=1)
    going = policy.beyond({first})
    assert names(going) == [f"MLflow run {second}"]
    policy.remove(going)
    stages = {run: client.get_run(run).info.lifecycle_stage for run in (first, second, third, newest, trial, foreign)}
    assert {run for run, stage in stages.items() if stage == "deleted"} == {second, trial}
    assert policy.beyond({first}) == []


def test_runs_that_ended_a_moment_ago_stay(trained, retention):
    trained("a", "b")
    assert len(retention(versions=1).beyond(())) == 1
    assert retention(grace=3600.0, versions=1).beyond(()) == []


def test_young_runs_stay(trained, retention):
    trained("a", "b")
    assert retention(days=1).beyond(()) == []
    assert len(retention(days=1e-9).beyond(())) == 1


def test_versions_that_nothing_refers_to_go(client, retention, tmp_path):
    versions(client, True, True, False, True, True)
    client.set_registered_model_alias("bank", "kept", "4")
    entry = ChampionEntry(
        number=1, event="promoted", registered_name="bank", version="2", digest="d", created_at=dt.datetime.now(dt.UTC)
    )
    ChampionJournal(LocalStore(tmp_path / "store"), "bank").append(entry, expected=None)
    policy = retention(versions=1)
    going = policy.beyond(())
    assert names(going) == ["bank version 1"]
    policy.remove(going)
    left = client.search_model_versions("name = 'bank'")
    assert sorted(int(each.version) for each in left) == [2, 3, 4, 5]


def test_the_run_of_a_version_that_stays_is_in_use(client, trained, retention):
    first, second, _ = trained("a", "b", "c")
    client.create_registered_model("bank")
    client.create_model_version("bank", source="file:///nowhere", run_id=first, tags={MODEL_TAG: "m-1"})
    assert names(retention(versions=1).beyond(())) == [f"MLflow run {second}"]


def test_without_bounds_everything_stays(client, trained, retention):
    trained("a", "b")
    versions(client, True, True)
    assert retention().beyond(()) == []
