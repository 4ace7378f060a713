"""The resource `mlflow` in assets of users: dagster-mlflow's interface, the tracker's runs."""

import dagster as dg
import pytest

from assay.errors import TrackingError
from resources.mlflow.asset_runs import MlflowAssetRuns
from resources.mlflow.tracker import MlflowTracker

MONTHS = dg.StaticPartitionsDefinition(["2024-01"])


@pytest.fixture
def runs(tmp_path, templates):
    templates.empty_mlflow(tmp_path / "mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    return MlflowAssetRuns(tracker=MlflowTracker(tracking_uri=uri, artifact_root=str(tmp_path / "artifacts")))


@pytest.fixture
def found(runs):
    """Return a function that gives the one run there is, as MLflow has it."""

    def find():
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=runs.tracker.tracking_uri)
        (run,) = client.search_runs([client.get_experiment_by_name("assay/demo").experiment_id])
        return run

    return find


def asset(body, **options):
    @dg.asset(key=["demo", "model"], **options)
    def model(context: dg.AssetExecutionContext, mlflow: MlflowAssetRuns) -> None:
        body(context, mlflow)

    return model


def materialise(runs, body, partition_key=None, **options):
    return dg.materialize(
        [asset(body, **options)], resources={"mlflow": runs}, partition_key=partition_key, raise_on_error=False
    )


@pytest.mark.parametrize(("fails", "status"), [(False, "FINISHED"), (True, "FAILED")])
def test_what_an_asset_logs_is_in_one_run_that_ends_as_the_step_does(runs, found, fails, status):
    import mlflow

    def body(context, resource):
        with resource.run(context, {"team": "a"}) as log:
            log.log_metric("m", 1.0)
            log.log_params({f"p{n}": n for n in range(150)})
            if fails:
                raise ValueError("the fit broke")

    before = (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set())
    result = materialise(runs, body, "2024-01", partitions_def=MONTHS)
    run = found()
    assert result.success is not fails
    assert (run.info.status, run.data.metrics) == (status, {"m": 1.0})
    assert len(run.data.params) == 150
    tags = {"dagster_run_id": result.run_id, "asset_key": "demo/model", "partition": "2024-01", "team": "a"}
    assert tags.items() <= run.data.tags.items()
    assert run.data.tags["mlflow.runName"] == "demo/model 2024-01"
    assert mlflow.active_run() is None
    assert (mlflow.get_tracking_uri(), mlflow.is_tracking_uri_set()) == before


def test_a_retried_step_goes_on_with_its_run(runs, found):
    tries = []

    def body(context, resource):
        with resource.run(context) as log:
            log.log_metric(f"m{len(tries)}", 1.0)
            tries.append(found().info.status)
            if len(tries) == 1:
                raise dg.RetryRequested(max_retries=1)

    assert materialise(runs, body).success
    assert tries == ["RUNNING", "RUNNING"]
    assert (found().info.status, found().data.metrics) == ("FINISHED", {"m0": 1.0, "m1": 1.0})


def test_the_run_ends_with_the_step_though_the_interface_ended_it(runs, found):
    def body(context, resource):
        with resource.run(context) as log:
            log.end_run()
            raise ValueError("after its end")

    assert not materialise(runs, body).success
    assert found().info.status == "FAILED"


def test_a_foreign_active_run_is_not_logged_to(runs):
    import mlflow

    refused = []

    def body(context, resource):
        try:
            with resource.run(context):
                pass
        except TrackingError as error:
            refused.append(error.what)

    mlflow.set_tracking_uri(runs.tracker.tracking_uri)
    try:
        with mlflow.start_run(experiment_id="0"):
            assert materialise(runs, body).success
    finally:
        mlflow.set_tracking_uri(None)
    assert refused == ["a run of MLflow's fluent interface is active already"]
