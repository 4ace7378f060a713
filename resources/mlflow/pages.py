"""Addresses of MLflow's pages."""

from collections.abc import Mapping
from urllib.parse import quote

_TRADITIONAL = "?workflowType=machine_learning"
"""Without it MLflow opens an experiment in its view for language models."""


def page_of(server: str, path: str) -> str:
    """Return the address of a page of MLflow's user interface, whose own address has no slash at its end."""
    return f"{server}/#/{path}{_TRADITIONAL}"


def run_page(server: str, annotations: Mapping[str, str]) -> str:
    """Return the address of the page of the run that a model's annotations name.

    Models of earlier releases name no experiment: MLflow finds it, and opens its view for language models.
    """
    run, experiment = annotations["mlflow_run_id"], annotations.get("mlflow_experiment_id")
    return page_of(server, f"experiments/{experiment}/runs/{run}" if experiment else f"runs/{run}")


def version_page(server: str, registered_name: str, version: str) -> str:
    """Return the address of a registered version's page."""
    return page_of(server, f"models/{quote(registered_name, safe='')}/versions/{version}")
