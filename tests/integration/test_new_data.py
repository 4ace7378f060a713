"""The daemon with a sensor on a folder: a new file trains a model, once."""

import os
import signal
import sqlite3
import time

import pytest
from servers import daemon_in
from small_platform import BANK, bank_rows, write_csv

PIPELINE = BANK.replace("  target: y\n", "  partitions: {{by: object}}\n  target: y\n").replace(
    "tuning: {{n_trials: 3, folds: 2}}", "tuning: {{enabled: false}}"
)


LIGHT = """\
from pathlib import Path

import dagster as dg

from assay.specs import read_pipelines
from definitions import build_definitions
from ml_assets.pipeline.new_data import new_data_sensor
from resources.settings import Settings

[spec] = read_pipelines(Path("pipelines")).specs


@dg.op
def nothing():
    pass


@dg.job(partitions_def=dg.DynamicPartitionsDefinition(name="bank_objects"))
def bank_retrain_job():
    nothing()


resources = {name: build_definitions(Settings()).resources[name] for name in ("data_sources", "arrivals_store")}
defs = dg.Definitions(
    jobs=[bank_retrain_job],
    sensors=[new_data_sensor(spec, bank_retrain_job)],
    resources=resources,
    executor=dg.in_process_executor,
)
"""


@pytest.fixture
def automated(checkout):
    automation = "automation: {{retrain_on: [new_data], interval_seconds: 5}}\n"
    checkout.write("pipelines/bank.yaml", (PIPELINE + automation).format(source="in/*.csv"))
    return checkout


@pytest.fixture
def daemon(automated):
    with daemon_in(automated):
        yield automated


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


def wait_until(checkout, expected, seconds=900):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and runs_of(checkout) != expected:
        time.sleep(0.1)
    assert runs_of(checkout) == expected, (checkout.root / "daemon.log").read_text()[-4000:]


def evaluations_of(checkout) -> int:
    """Return how often the sensor was evaluated."""
    database = checkout.root / ".assay" / "dagster" / "schedules" / "schedules.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        query = "select count(*) from job_ticks where status in ('SUCCESS', 'SKIPPED') and tick_body like ?"
        [(count,)] = connection.execute(query, ("%bank_new_data_sensor%",)).fetchall()
    return count


def wait_for_evaluations(checkout, more, seconds=900):
    """Wait until the sensor was evaluated so many times more."""
    wanted, deadline = evaluations_of(checkout) + more, time.monotonic() + seconds
    while evaluations_of(checkout) < wanted:
        assert time.monotonic() < deadline, (checkout.root / "daemon.log").read_text()[-4000:]
        time.sleep(0.2)


def test_every_new_file_trains_exactly_one_model(daemon):
    write_csv(daemon.root / "in" / "a.csv", bank_rows())
    wait_until(daemon, [("a.csv", "SUCCESS")])
    write_csv(daemon.root / "in" / "b.csv", bank_rows(seed=8))
    wait_until(daemon, [("a.csv", "SUCCESS"), ("b.csv", "SUCCESS")])
    wait_for_evaluations(daemon, 3)
    assert runs_of(daemon) == [("a.csv", "SUCCESS"), ("b.csv", "SUCCESS")]
    champions = list((daemon.root / ".assay" / "store" / "bank" / "champion_model").rglob("commits/*.json"))
    assert len(champions) == 2


def requested(checkout) -> list[str]:
    """Return the run key of every run, without its folder."""
    database = checkout.root / ".assay" / "dagster" / "history" / "runs.db"
    if not database.exists():
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        try:
            rows = connection.execute("select value from run_tags where key = 'dagster/run_key'").fetchall()
        except sqlite3.OperationalError:
            return []
    return sorted(value for (value,) in rows)


@pytest.mark.full
def test_every_version_of_a_file_makes_one_run_however_often_the_daemon_is_killed(automated):
    """The job is a light one: what is under test is that it is started once."""
    automated.write("definitions_light.py", LIGHT)
    automated.write("workspace.yaml", "load_from: [{python_file: definitions_light.py}]\n")
    dagster_yaml = (
        (automated.root / "dagster.yaml").read_text().replace("max_concurrent_runs: 2", "max_concurrent_runs: 0")
    )
    automated.write("dagster.yaml", dagster_yaml)
    folder, expected = automated.root / "in", set()

    def arrive(name, content):
        path = automated.write(f"in/{name}.csv", content)
        state = path.stat()
        expected.add(f"in/{name}.csv@{state.st_mtime_ns}-{state.st_size}+{state.st_ctime_ns}")

    folder.mkdir()
    for kill, wait in enumerate((2.0, 0.0, 0.3)):
        with daemon_in(automated) as process:
            for number in range(10):
                arrive(f"{'mzab'[kill]}{number}", "x")  # the second kind sorts last, the third first
            deadline = time.monotonic() + 900
            while time.monotonic() < deadline and not set(requested(automated)) & {
                k for k in expected if f"in/{'mza'[kill]}" in k
            }:
                time.sleep(0.05)
            time.sleep(wait)
            os.killpg(process.pid, signal.SIGKILL)
    for number in range(5):
        arrive(f"m{number}", "rewritten")
    with daemon_in(automated):
        deadline = time.monotonic() + 900
        while time.monotonic() < deadline and set(requested(automated)) != expected:
            time.sleep(0.1)
        wait_for_evaluations(automated, 2)
    assert requested(automated) == sorted(expected), (automated.root / "daemon.log").read_text()[-4000:]
