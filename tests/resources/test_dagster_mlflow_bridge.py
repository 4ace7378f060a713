from types import SimpleNamespace

import dagster as dg
import pytest

from assay.errors import TrackingError
from resources.mlflow.dagster_mlflow_bridge import dagster_mlflow_interface
from resources.mlflow.tracker import MlflowTracker, RunIdentity


@pytest.fixture
def tracker(tmp_path):
    return MlflowTracker(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", artifact_root=str(tmp_path / "artifacts"))


@pytest.fixture
def found(tracker):
    """Return a function that gives the one run there is, as MLflow has it."""

    def look():
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=tracker.tracking_uri)
        (run,) = client.search_runs([client.get_experiment_by_name("assay/demo").experiment_id])
        return run

    return look


def _asset(tracker, *, fails):
    @dg.asset(retry_policy=None)
    def model(context: dg.AssetExecutionContext) -> None:
        identity = RunIdentity("demo", context.run.run_id, "model", None)
        with tracker.run(identity, {}) as run, dagster_mlflow_interface(run, context) as mlflow:
            mlflow.log_metric("m", 1.0)
            mlflow.log_params({f"p{n}": n for n in range(150)})
            if fails:
                raise ValueError("the fit broke")

    return model


@pytest.mark.parametrize(("fails", "status"), [(False, "FINISHED"), (True, "FAILED")])
def test_what_the_interface_logs_is_in_our_run_and_the_tracker_says_how_it_ended(tracker, found, fails, status):
    import mlflow

    before = (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set())
    result = dg.materialize([_asset(tracker, fails=fails)], raise_on_error=False)
    run = found()
    assert result.success is not fails
    assert (run.info.status, run.data.metrics) == (status, {"m": 1.0})
    assert len(run.data.params) == 150
    assert run.data.tags["dagster_run_id"] == result.run_id
    assert run.data.tags["mlflow.runName"] == "model"
    assert mlflow.active_run() is None
    assert (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()) == before


def test_the_run_is_still_open_after_the_block(tracker, found):
    context = SimpleNamespace(log=dg.get_dagster_logger(), run=SimpleNamespace(run_id="run", job_name="job"))
    with tracker.run(RunIdentity("demo", "run", "model", None), {}) as run:
        with dagster_mlflow_interface(run, context) as interface:
            interface.end_run()
        with dagster_mlflow_interface(run, context):
            pass
        assert found().info.status == "RUNNING"
    assert found().info.status == "FINISHED"


def test_a_foreign_active_run_is_not_logged_to(tracker, tmp_path):
    import mlflow

    context = SimpleNamespace(log=dg.get_dagster_logger(), run=SimpleNamespace(run_id="run", job_name="job"))
    with tracker.run(RunIdentity("demo", "run", "model", None), {}) as run:
        mlflow.set_tracking_uri(tracker.tracking_uri)
        try:
            with (
                mlflow.start_run(experiment_id=run.experiment_id),
                pytest.raises(TrackingError, match="active already"),
                dagster_mlflow_interface(run, context),
            ):
                pass
        finally:
            mlflow.set_tracking_uri(None)
