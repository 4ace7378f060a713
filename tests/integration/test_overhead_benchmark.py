"""The benchmark itself: both sides compute the same, a ratio is printed, and a deployment's stores stay untouched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.full
def test_both_sides_compute_the_same_away_from_the_deployments_stores(tmp_path):
    deployment = tmp_path / "deployment"
    settings = {
        "ASSAY_STORAGE_URI": str(deployment / "store"),
        "ASSAY_MLFLOW_TRACKING_URI": f"sqlite:///{deployment}/mlflow.db",
    }
    command = [sys.executable, "benchmarks/overhead.py", "--rounds", "1", "--trials", "1", "--rows", "1500"]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "out.json")],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("ratio")
    found = json.loads((tmp_path / "out.json").read_text())
    plain, assets = found["measurements"]
    assert plain["metrics"] == assets["metrics"]
    assert plain["metrics"]["roc_auc"] > 0.5
    import_cpu = found["import_of_dagster"]["cpu"]
    assert found["ratio"]["cpu"] == pytest.approx(assets["cpu"] / (plain["cpu"] - import_cpu))
    assert import_cpu > 0
    assert not deployment.exists()
