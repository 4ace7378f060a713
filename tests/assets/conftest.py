"""A platform in a temporary folder for each test, copied from templates that are made once."""

from pathlib import Path

import pytest
from in_process import querying, reading  # noqa: F401 - fixtures
from platform_fixtures import blank_plots, fresh, platform, templates, unsynced_databases  # noqa: F401 - fixtures
from small_platform import BANK, MONTHLY, bank_rows, failure, monthly_rows, opened, write_csv

from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in


@pytest.fixture
def copied(templates, fresh, tmp_path):  # noqa: F811 - fixtures
    """Return a function that opens, in this test's folder, a platform on which something was done before."""

    def done(name, act):
        def make(folder):
            with fresh(folder) as prepared:
                act(prepared)

        templates.copied(name, tmp_path, make)
        return opened(tmp_path)

    return done


def add_bank(prepared):
    prepared.pipeline(BANK, write_csv(Path("data/bank.csv"), bank_rows()))


def add_monthly(prepared):
    prepared.pipeline(MONTHLY, write_csv(Path("data/monthly.csv"), monthly_rows()))


@pytest.fixture
def bank(platform):  # noqa: F811 - a fixture
    """A platform with the pipeline `bank` and good data."""
    add_bank(platform)
    return platform


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
def trained_bank(copied):
    """A platform on which every asset of `bank` was materialised once."""
    with copied("trained_bank", _train_bank) as prepared:
        yield prepared


def _gate_months(prepared):
    add_monthly(prepared)
    for month in ("2020-12", "2021-01", "2021-02", "2021-03"):
        result = prepared.materialize(*[f"monthly/{name}" for name in names_in(Phase.INGESTION)], partition=month)
        assert result.success, failure(result)


@pytest.fixture
def gated_months(copied):
    """A platform with four validated months of `monthly`."""
    with copied("gated_months", _gate_months) as prepared:
        yield prepared


def _learn_months(prepared):
    _gate_months(prepared)
    for month in ("2021-02", "2021-03"):
        result = prepared.materialize(*[f"monthly/{name}" for name in names_in(Phase.LEARNING)], partition=month)
        assert result.success, failure(result)


@pytest.fixture
def learned_months(copied):
    """The same, with models of the last two months."""
    with copied("learned_months", _learn_months) as prepared:
        yield prepared
