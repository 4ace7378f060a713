"""Loading the code location imports no heavy library."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic", "dagster_aws", "duckdb", "fastapi", "jinja2.sandbox", "lightgbm", "matplotlib", "mlflow", "openpyxl", "optuna", "pandas",
    "pandera", "ruamel.yaml", "prometheus_client", "scipy", "serving", "sklearn", "skops", "sqlalchemy", "uvicorn", "xgboost",
}  # fmt: skip
PIPELINES = Path(__file__).parents[2] / "pipelines"
LOAD = "import json, sys, definitions; definitions.defs(); print(json.dumps(sorted(sys.modules)))"
LEARN = """
import os, sys
{load}
assert not {{"sklearn", "lightgbm", "xgboost"}} & sys.modules.keys(), "a library that reads the variable is loaded"
print(os.environ["OMP_WAIT_POLICY"])
"""
LOCATION = "import definitions; definitions.defs()"
COMMAND = "from assay.shell.learning import prepare_process; prepare_process()"


@pytest.mark.parametrize(
    ("with_sql", "heavy"), [(False, set()), pytest.param(True, {"duckdb"}, marks=pytest.mark.full)]
)
def test_loading_the_code_location_imports_no_heavy_library_but_to_check_sql(tmp_path, with_sql, heavy):
    for file in PIPELINES.glob("*.yaml"):
        if with_sql or "features:" not in file.read_text():
            shutil.copy(file, tmp_path)
    environment = {**os.environ, "ASSAY_PIPELINES_DIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True, env=environment)
    assert HEAVY & set(json.loads(run.stdout)) == heavy


@pytest.mark.parametrize(
    ("start", "own", "policy"),
    [
        (LOCATION, {}, "PASSIVE"),
        (COMMAND, {}, "PASSIVE"),
        pytest.param(COMMAND, {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", marks=pytest.mark.full),
    ],
)
def test_idle_threads_sleep_in_steps_and_commands_unless_the_deployment_says_otherwise(start, own, policy):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | own
    command = [sys.executable, "-c", LEARN.format(load=start)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == policy
