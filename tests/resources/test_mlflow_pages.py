"""Addresses of MLflow's pages."""

import pytest

from resources.mlflow.pages import run_page


@pytest.mark.parametrize(
    ("annotations", "path"),
    [
        ({"mlflow_run_id": "r", "mlflow_experiment_id": "2"}, "experiments/2/runs/r"),
        ({"mlflow_run_id": "r"}, "runs/r"),  # of an earlier release
    ],
)
def test_a_run_opens_in_its_experiment_where_that_is_known(annotations, path):
    assert (
        run_page("http://localhost:5000", annotations)
        == f"http://localhost:5000/#/{path}?workflowType=machine_learning"
    )
