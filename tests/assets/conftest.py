"""A platform in a temporary folder for each test, copied from templates that are made once."""

from pathlib import Path

import pytest
from in_process import without_children  # noqa: F401 - a fixture
from platform_fixtures import (  # noqa: F401 - fixtures
    add_bank,
    bank,
    blank_plots,
    copied,
    fresh,
    platform,
    promoted,
    templates,
    unsynced_databases,
    unsynced_files,
)
from small_platform import MONTHLY, failure, instance_in, monthly_rows, write_csv
from web_receiver import web  # noqa: F401 - a fixture

from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in


@pytest.fixture
def instance(tmp_path):
    """A Dagster instance that is not the platform's."""
    with instance_in(tmp_path / "instance") as made:
        yield made


def add_monthly(prepared):
    prepared.pipeline(MONTHLY, write_csv(Path("data/monthly.csv"), monthly_rows()))


@pytest.fixture
def monthly(platform):  # noqa: F811 - a fixture
    """A platform with the pipeline `monthly`, whose data begin in December 2020."""
    add_monthly(platform)
    return platform


def _train_bank(prepared):
    add_bank(prepared)
    result = prepared.materialize("bank/*")
    assert result.success, failure(result)


@pytest.fixture
def trained_bank(copied):  # noqa: F811 - a fixture
    """A platform on which every asset of `bank` was materialised once."""
    with copied("trained_bank", _train_bank) as prepared:
        yield prepared


def _gate_months(prepared):
    add_monthly(prepared)
    for month in ("2020-12", "2021-01", "2021-02", "2021-03"):
        result = prepared.materialize(*[f"monthly/{name}" for name in names_in(Phase.INGESTION)], partition=month)
        assert result.success, failure(result)


@pytest.fixture
def gated_months(copied):  # noqa: F811 - a fixture
    """A platform with four validated months of `monthly`."""
    with copied("gated_months", _gate_months) as prepared:
        yield prepared


def _learn_months(prepared):
    _gate_months(prepared)
    for month in ("2021-02", "2021-03"):
        result = prepared.materialize(*[f"monthly/{name}" for name in names_in(Phase.LEARNING)], partition=month)
        assert result.success, failure(result)


@pytest.fixture
def learned_months(copied):  # noqa: F811 - a fixture
    """The same, with models of the last two months."""
    with copied("learned_months", _learn_months) as prepared:
        yield prepared
