"""Every front door finds the code location."""

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.cold
ROOT = Path(__file__).parents[2]


@pytest.fixture
def shipped(checkout):
    for path in (ROOT / "pipelines").glob("*.yaml"):
        shutil.copy(path, checkout.root / "pipelines")
    return checkout


@pytest.mark.full
def test_a_process_that_parsed_sql_ends_without_a_report_of_leaks(shipped):
    done = shipped.run(
        "python -c \"import sys, definitions; definitions.defs(); print(sys.modules.keys() & {'duckdb'})\""
    )
    assert done.stdout == "{'duckdb'}\n"


def test_the_command_line_lists_every_asset(shipped):
    done = shipped.run("dagster asset list -f definitions.py")
    names = [line for line in done.stdout.splitlines() if "/" in line and " " not in line]
    assert len(names) == 29  # three of the four pipelines are split by time and have a backtest; two have a feature set
    assert "bank_marketing/champion_model" in names


@pytest.mark.full
def test_the_workspace_is_valid(shipped):
    done = shipped.run("dagster definitions validate -w workspace.yaml")
    assert done.returncode == 0, done.stdout[-3000:]
