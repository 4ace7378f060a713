"""The benchmark itself: both sides compute the same, and a ratio is printed."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_both_sides_compute_the_same_and_a_ratio_is_printed(tmp_path):
    command = [sys.executable, "benchmarks/overhead.py", "--rounds", "1", "--trials", "1", "--rows", "1500"]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "out.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("ratio")
    plain, assets = json.loads((tmp_path / "out.json").read_text())
    assert plain["metrics"] == assets["metrics"]
    assert plain["metrics"]["roc_auc"] > 0.5
