"""A platform in a temporary folder for each test."""

import shutil

import dagster as dg
import pytest
from small_platform import BANK, MONTHLY, Platform, bank_rows, monthly_rows, write_csv

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
    monkeypatch.chdir(tmp_path)
    shutil.copytree(empty_mlflow, tmp_path / "home" / "mlflow")
    (tmp_path / "pipelines").mkdir()
    settings = Settings(home=tmp_path / "home", pipelines_dir=tmp_path / "pipelines", git_sha="abc123")
    with dg.instance_for_test() as instance:
        yield Platform(settings, instance)


@pytest.fixture
def bank(platform, tmp_path):
    """A platform with the pipeline `bank` and good data."""
    platform.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    return platform


@pytest.fixture
def monthly(platform, tmp_path):
    """A platform with the pipeline `monthly`, whose data begin in December 2020."""
    platform.pipeline(MONTHLY, write_csv(tmp_path / "data" / "monthly.csv", monthly_rows()))
    return platform
