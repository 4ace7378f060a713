"""A platform in a temporary folder for each test."""

import pytest
from platform_fixtures import empty_mlflow, platform  # noqa: F401 - fixtures
from small_platform import BANK, MONTHLY, bank_rows, monthly_rows, write_csv


@pytest.fixture
def bank(platform, tmp_path):  # noqa: F811 - a fixture
    """A platform with the pipeline `bank` and good data."""
    platform.pipeline(BANK, write_csv(tmp_path / "data" / "bank.csv", bank_rows()))
    return platform


@pytest.fixture
def monthly(platform, tmp_path):  # noqa: F811 - a fixture
    """A platform with the pipeline `monthly`, whose data begin in December 2020."""
    platform.pipeline(MONTHLY, write_csv(tmp_path / "data" / "monthly.csv", monthly_rows()))
    return platform
