"""The daemon with a sensor on a folder: a new file trains a model, once."""

import sqlite3
import subprocess
import time

import pytest
from servers import stopped
from small_platform import BANK, bank_rows, write_csv

PIPELINE = BANK.replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n").replace(
    "tuning: {{n_trials: 3, folds: 2}}", "tuning: {{enabled: false}}"
)


@pytest.fixture
def daemon(checkout):
    automation = "automation: {{retrain_on: [new_data], interval_seconds: 5}}\n"
    checkout.write("pipelines/bank.yaml", (PIPELINE + automation).format(source="in/*.csv"))
    log = (checkout.root / "daemon.log").open("w")
    process = subprocess.Popen(
        ["dagster-daemon", "run", "-w", "workspace.yaml"],
        cwd=checkout.root,
        env=checkout.environment(DAGSTER_HOME=str(checkout.root)),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with stopped(process):
        yield checkout
    log.close()


def runs_of(checkout) -> list[tuple[str, str]]:
    """Return partition and status of every run."""
    database = checkout.root / ".assay" / "dagster" / "history" / "runs.db"
    if not database.exists():
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        try:
            return sorted(connection.execute("select partition, status from runs").fetchall())
        except sqlite3.OperationalError:
            return []


def wait_until(checkout, expected, seconds=150):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and runs_of(checkout) != expected:
        time.sleep(0.5)
    assert runs_of(checkout) == expected, (checkout.root / "daemon.log").read_text()[-4000:]


def test_every_new_file_trains_exactly_one_model(daemon):
    write_csv(daemon.root / "in" / "a.csv", bank_rows())
    wait_until(daemon, [("a.csv", "SUCCESS")])
    write_csv(daemon.root / "in" / "b.csv", bank_rows(seed=8))
    wait_until(daemon, [("a.csv", "SUCCESS"), ("b.csv", "SUCCESS")])
    time.sleep(12)
    assert runs_of(daemon) == [("a.csv", "SUCCESS"), ("b.csv", "SUCCESS")]
    champions = list((daemon.root / ".assay" / "store" / "bank" / "champion_model").rglob("commits/*.json"))
    assert len(champions) == 2
