"""Loading the code location imports no heavy library."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    "alembic", "dagster_aws", "duckdb", "jinja2.sandbox", "lightgbm", "matplotlib", "mlflow", "openpyxl", "optuna", "pandas",
    "pandera", "ruamel.yaml", "scipy", "sklearn", "skops", "sqlalchemy", "xgboost",
}  # fmt: skip
LOAD = "import json, sys, definitions; definitions.defs(); print(json.dumps(sorted(sys.modules)))"
LEARN = """
import os, sys
{load}
assert not {{"sklearn", "lightgbm", "xgboost"}} & sys.modules.keys(), "a library that reads the variable is loaded"
print(os.environ["OMP_WAIT_POLICY"])
"""
LOCATION = "import definitions; definitions.defs()"
COMMAND = "from assay.shell.learning import prepare_process; prepare_process()"


def test_loading_the_code_location_imports_no_heavy_library():
    run = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(run.stdout)) == set()


@pytest.mark.parametrize(
    ("start", "own", "policy"),
    [(LOCATION, {}, "PASSIVE"), (COMMAND, {}, "PASSIVE"), (COMMAND, {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")],
)
def test_idle_threads_sleep_in_steps_and_commands_unless_the_deployment_says_otherwise(start, own, policy):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | own
    command = [sys.executable, "-c", LEARN.format(load=start)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == policy
