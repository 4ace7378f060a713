"""MLflow after kills, and after people deleted things in its interface."""

import pytest
from small_platform import BANK, bank_rows, failure, write_csv

from assay.errors import TrackingError
from resources.mlflow.connection import initialise_local_stores
from resources.mlflow.tracker import MlflowTracker, RunIdentity


@pytest.fixture
def tracker(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    initialise_local_stores(uri)
    return MlflowTracker(tracking_uri=uri, artifact_root=str(tmp_path / "artifacts"))


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
