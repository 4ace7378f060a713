"""Addresses of MLflow's pages."""

from urllib.parse import quote

from assay.credentials import without_credentials

_LOCAL = "http://localhost:5000"
"""Where `make mlflow` serves a local database."""
_TRADITIONAL = "?workflowType=machine_learning"
"""Without it MLflow opens an experiment in its view for language models."""


def page_of(tracking_uri: str, path: str) -> str:
    """Return the address of a page of MLflow's user interface, without credentials."""
    server = without_credentials(tracking_uri).rstrip("/")
    return f"{server if server.startswith('http') else _LOCAL}/#/{path}{_TRADITIONAL}"


def run_page(tracking_uri: str, run_id: str) -> str:
    """Return the address of a run's page, of which the experiment need not be known."""
    return page_of(tracking_uri, f"runs/{run_id}")


def version_page(tracking_uri: str, registered_name: str, version: str) -> str:
    """Return the address of a registered version's page."""
    return page_of(tracking_uri, f"models/{quote(registered_name, safe='')}/versions/{version}")
