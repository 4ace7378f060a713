"""Loading the code location imports no heavy library."""

import json
import subprocess
import sys

HEAVY = {
    "alembic", "dagster_aws", "duckdb", "jinja2.sandbox", "lightgbm", "matplotlib", "mlflow", "openpyxl", "optuna", "pandas",
    "pandera", "ruamel.yaml", "scipy", "sklearn", "skops", "sqlalchemy", "xgboost",
}  # fmt: skip
LOAD = "import json, sys, definitions; definitions.defs(); print(json.dumps(sorted(sys.modules)))"


def test_loading_the_code_location_imports_no_heavy_library():
    run = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(run.stdout)) == set()
