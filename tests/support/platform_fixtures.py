"""The fixtures of a platform in a temporary folder, for the `conftest` modules that need one."""

import shutil

import dagster as dg
import pytest
from small_platform import Platform

from resources.mlflow.connection import initialise_local_stores
from resources.settings import Settings


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory):
    """An initialised MLflow database to copy: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    initialise_local_stores(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture
def platform(tmp_path, monkeypatch, empty_mlflow):
    """A platform without pipelines; the test's working directory is its folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(empty_mlflow, tmp_path / "home" / "mlflow")
    (tmp_path / "pipelines").mkdir()
    settings = Settings(home=tmp_path / "home", pipelines_dir=tmp_path / "pipelines", git_sha="abc123")
    with dg.instance_for_test() as instance:
        yield Platform(settings, instance)
