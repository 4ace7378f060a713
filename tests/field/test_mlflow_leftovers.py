"""MLflow after kills, and after people deleted things in its interface."""

from types import SimpleNamespace
from unittest import mock

import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.errors import TrackerUnavailableError, TrackingError
from assay.results.trained_model import TrainedModel
from ml_assets.assets import trained_model
from resources.champion_journal import ChampionJournal
from resources.mlflow import leftovers
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker, RunIdentity


@pytest.fixture
def tracker(tmp_path, templates):
    templates.empty_mlflow(tmp_path)
    return MlflowTracker(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=str(tmp_path / "artifacts"))


def test_a_deleted_run_or_experiment_names_the_command_that_restores_it(tracker):
    """Both were dead ends in the tracker's words."""
    identity = RunIdentity("demo", "run", "demo/trained_model", None)
    with tracker.run(identity, {}) as tracked:
        pass
    tracked.client.delete_run(tracked.run_id)
    with pytest.raises(TrackingError, match="was deleted") as refused, tracker.resume(tracked.run_id):
        pass
    assert f"mlflow runs restore --run-id {tracked.run_id}" in refused.value.remedy
    tracked.client.delete_experiment(tracked.experiment_id)
    deleted = "experiment of this pipeline was deleted"
    with pytest.raises(TrackingError, match=deleted) as refused, tracker.run(identity, {}):
        pass
    assert f"mlflow experiments restore --experiment-id {tracked.experiment_id}" in refused.value.remedy


@pytest.mark.full
def test_the_run_that_a_killed_training_left_is_adopted_by_the_next_one(platform, tmp_path):
    """It stayed RUNNING for ever, since its identity was the Dagster run."""
    platform.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    names = [f"bank/{name}" for name in ("raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model")]
    parameters = {"tuning": {"enabled": False}}
    first = platform.materialize(*names, parameters=parameters)
    assert first.success, failure(first)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{platform.settings.home}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("assay/bank").experiment_id
    (left,) = client.search_runs([experiment])
    client.update_run(left.info.run_id, status="RUNNING")  # as a kill leaves it
    again = platform.materialize("bank/trained_model", parameters=parameters)
    assert again.success, failure(again)
    (run,) = client.search_runs([experiment])
    assert (run.info.run_id, run.info.status) == (left.info.run_id, "FINISHED")
    assert run.data.tags["dagster_run_id"] == again.run_id
    (logged,) = client.search_logged_models([experiment])
    assert str(logged.status) == "READY"


UP_TO_TRAINING = [
    f"bank/{name}" for name in ("raw_dataset", "validated_dataset", "best_hyperparameters", "trained_model")
]
FAST = {"tuning": {"enabled": False}}


@pytest.fixture
def outage(monkeypatch):
    """Return a function that makes MLflow silent for some times right after a fit was published."""
    log_model, silent = MlflowModelRegistry.log_model, []

    def answers(registry, run, model):
        if silent:
            raise silent.pop()
        return log_model(registry, run, model)

    monkeypatch.setattr(MlflowModelRegistry, "log_model", answers)
    return lambda times, error=TrackerUnavailableError: silent.extend(error("no answer") for _ in range(times))


def client_of(platform):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{platform.settings.home}/mlflow/mlflow.db")


def runs(platform):
    client = client_of(platform)
    return client.search_runs([client.get_experiment_by_name("assay/bank").experiment_id])


def with_retries(platform, number):
    path = platform.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + f"execution: {{max_retries: {number}, backoff_seconds: 0}}\n")


def test_an_outage_of_the_tracker_costs_no_second_fit_in_the_retry(bank, fits, outage):
    """ARCHITECTURE promised it, and the fit was repeated."""
    with_retries(bank, 1)
    outage(1)
    result = bank.materialize(*UP_TO_TRAINING, parameters=FAST)
    assert result.success, failure(result)
    assert len(fits) == 1
    (run,) = runs(bank)
    assert run.info.status == "FINISHED"
    first, second = bank.artifacts.log.history(("bank", "trained_model"), None)
    assert first.data_version == second.data_version


@pytest.mark.parametrize("error", [TrackerUnavailableError, pytest.param(RuntimeError, marks=pytest.mark.full)])
def test_a_later_run_adopts_the_fit_of_a_run_that_ended_before_it_was_tracked(bank, fits, outage, error):
    with_retries(bank, 0)
    outage(1, error)
    assert not bank.materialize(*UP_TO_TRAINING, parameters=FAST).success
    result = bank.materialize("bank/trained_model", parameters=FAST)
    assert result.success, failure(result)
    assert len(fits) == 1
    (run,) = runs(bank)
    assert (run.info.status, run.data.tags["dagster_run_id"]) == ("FINISHED", result.run_id)
    (logged,) = client_of(bank).search_logged_models([run.info.experiment_id])
    assert str(logged.status) == "READY"


@pytest.mark.full
def test_other_content_and_a_training_that_was_tracked_whole_are_fitted(bank, fits, outage):
    with_retries(bank, 0)
    outage(1)
    assert not bank.materialize(*UP_TO_TRAINING, parameters=FAST).success
    assert bank.materialize("bank/trained_model", parameters=FAST | {"hyperparameters": {"C": 0.1}}).success
    assert len(fits) == 2
    assert bank.materialize("bank/trained_model", parameters=FAST | {"hyperparameters": {"C": 0.1}}).success
    assert len(fits) == 3
    assert bank.materialize("bank/trained_model", parameters=FAST).success  # the newest model is of other content
    assert len(fits) == 4


@pytest.mark.parametrize(("run_id", "is_taken"), [("this run", True), ("another run", False)])
def test_a_model_with_code_of_the_users_own_is_taken_by_retries_of_its_run_alone(run_id, is_taken):
    """Their code may have changed since, and is no part of the training's identity."""
    manifest = SimpleNamespace(annotations={"mlflow_run_id": "tracked"}, own_classes=("my_models:Mine",))
    model = TrainedModel(None, manifest, None)
    commit = SimpleNamespace(run_id=run_id, number=1)
    artifacts = mock.Mock()
    artifacts.log.newest.return_value, artifacts.read.return_value = commit, model
    context = mock.Mock()
    context.run.run_id, context.asset_key.path = "this run", ["demo", "trained_model"]
    tracked = SimpleNamespace(continues=True, run_id="tracked")
    taken = trained_model._published_before(context, tracked, artifacts)
    assert (taken is not None) is is_taken


@pytest.mark.full
def test_a_run_that_was_deleted_in_the_interface_is_restored_or_replaced_as_the_error_says(bank):
    assert bank.materialize(*UP_TO_TRAINING, parameters=FAST).success
    client = client_of(bank)
    (deleted,) = runs(bank)
    client.delete_run(deleted.info.run_id)
    refused = failure(bank.materialize("bank/evaluation_report", parameters=FAST))
    assert f"mlflow runs restore --run-id {deleted.info.run_id}" in refused
    assert "materialise trained_model again" in refused
    assert bank.materialize("bank/trained_model", "bank/evaluation_report", parameters=FAST).success
    (other,) = runs(bank)
    assert other.info.run_id != deleted.info.run_id
    client.delete_experiment(other.info.experiment_id)
    refused = failure(bank.materialize("bank/champion_model", parameters=FAST))
    assert "mlflow experiments restore" in refused
    client.restore_experiment(other.info.experiment_id)
    assert bank.materialize("bank/champion_model", parameters=FAST).success


def janitor(platform):
    job = platform.definitions.resolve_job_def("artifact_janitor_job")
    result = job.execute_in_process(
        instance=platform.instance,
        run_config={
            "ops": {"close_tracking_leftovers": {"config": {"older_than_hours": 1}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )
    return result.output_for_node("close_tracking_leftovers")


@pytest.fixture
def hours_later(monkeypatch):
    """Return a function that lets the janitor see the time after some hours."""
    now = leftovers.time.time

    def later(hours):
        monkeypatch.setattr(leftovers.time, "time", lambda: now() + hours * 3600)

    return later


def test_the_janitor_closes_what_ended_runs_left_and_nothing_of_living_ones(platform, hours_later):
    """Runs stayed RUNNING and models PENDING for ever."""
    job = platform.definitions.resolve_job_def("artifact_janitor_job")
    ended, living = (platform.instance.create_run_for_job(job) for _ in range(2))
    platform.instance.report_run_failed(ended)
    client = client_of(platform)
    experiment = client.create_experiment("assay/bank")
    left = {
        name: client.create_run(experiment, tags={"assay.identity": name, "dagster_run_id": run_id})
        for name, run_id in (("ended", ended.run_id), ("living", living.run_id), ("shell", "unknown"))
    }
    left["trial"] = client.create_run(
        experiment, tags={"mlflow.parentRunId": left["ended"].info.run_id, "assay.trial": "0"}
    )
    left["somebody's"] = client.create_run(experiment)
    for name in ("ended", "living"):
        client.create_logged_model(experiment, name="model", source_run_id=left[name].info.run_id)

    def states():
        found = {run.info.run_id: run.info.status for run in client.search_runs([experiment])}
        return {name: found[run.info.run_id] for name, run in left.items()}

    assert janitor(platform) == 3
    killed = {"ended": "KILLED", "trial": "KILLED"}
    assert states() == dict.fromkeys(left, "RUNNING") | killed
    (model,) = client.search_logged_models([experiment])
    assert model.source_run_id == left["living"].info.run_id
    hours_later(2)
    assert janitor(platform) == 1
    assert states() == dict.fromkeys(left, "RUNNING") | killed | {"shell": "KILLED"}


def test_a_version_whose_promotion_was_killed_is_marked_and_promoted_by_the_next_run(bank, monkeypatch, hours_later):
    """Version 1 was orphaned, and version 2 of the same content became champion."""
    with_retries(bank, 0)
    append = ChampionJournal.append

    def killed(*_, **__):
        raise RuntimeError("killed")

    monkeypatch.setattr(ChampionJournal, "append", killed)
    assert not bank.materialize("bank/*", parameters=FAST).success
    monkeypatch.setattr(ChampionJournal, "append", append)
    client = client_of(bank)
    assert janitor(bank) == 0  # its promotion may still follow
    hours_later(2)
    assert janitor(bank) == 1
    (version,) = client.search_model_versions("name = 'bank'")
    assert version.tags["assay.unpromoted"] == "true"
    old = {"assay.logged_model": "m-1", "assay.holdout_value": "0.9"}  # promoted before there was a journal
    earlier = client.create_model_version("bank", source="x", tags=old)
    hours_later(4)
    assert janitor(bank) == 0
    client.delete_model_version("bank", earlier.version)
    assert bank.materialize("bank/champion_model", parameters=FAST).success
    (version,) = client.search_model_versions("name = 'bank'")
    assert "assay.unpromoted" not in version.tags
    assert bank.resources["model_registry"].champion("bank").version == "1"
    assert janitor(bank) == 0
