"""The demo as `make demo` runs it."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fewer_trials(pipeline, shipped):
    """Search less: how good the models of the demo are is not the matter."""
    text = pipeline.read_text()
    assert f"n_trials: {shipped}" in text
    pipeline.write_text(text.replace(f"n_trials: {shipped}", "n_trials: 3"))


def test_the_demo_ends_with_a_table_of_real_results(checkout):
    for name in ("flight_delays.yaml", "flight_air_time.yaml", "bank_marketing.yaml"):
        shutil.copy(ROOT / "pipelines" / name, checkout.root / "pipelines")
    fewer_trials(checkout.root / "pipelines" / "flight_delays.yaml", shipped=12)
    fewer_trials(checkout.root / "pipelines" / "flight_air_time.yaml", shipped=6)
    done = checkout.run("python -m ml_assets.demo", DAGSTER_HOME=str(checkout.root))
    assert done.returncode == 0, done.stdout[-5000:]
    assert "trial 3 of at most 3" in done.stdout
    tables = done.stdout[done.stdout.index("\nflight_delays 2013-03\n") :]
    assert re.search(r"decision +(Promoted|Kept the champion)", tables)
    assert re.search(r"champion +flight_delays version (2, in place of version 1|1, as before)", tables)
    assert "flight_air_time version 1, where there was none" in tables
    assert done.stdout.count(": backtest_report\n") == 2
    assert "flight_delays 2013-01: raw_dataset -> feature_set -> validated_dataset" in done.stdout
    assert re.search(r"roc_auc +0\.[67]\d* +0\.6\d* to 0\.[67]\d* +0\.5 +0\.\d+\n", tables)
    assert "assets/flight_air_time/evaluation_report?partition=2013-03\n" in tables
    assert "`make dev`" in done.stdout


def test_the_demo_says_why_it_stopped(checkout):
    shutil.copy(ROOT / "pipelines" / "flight_air_time.yaml", checkout.root / "pipelines")
    text = (ROOT / "pipelines" / "flight_delays.yaml").read_text()
    checkout.write("pipelines/flight_delays.yaml", text.replace("[EWR, JFK, LGA]", "[EWR, JFK]"))
    done = checkout.run("python -m ml_assets.demo", DAGSTER_HOME=str(checkout.root))
    assert done.returncode == 1
    assert "values_allowed" in done.stdout
    last = done.stdout[done.stdout.index("The demo stopped") :]
    assert "[gate_rejected]" in last
    assert "remedy: " in last.splitlines()[-1]
