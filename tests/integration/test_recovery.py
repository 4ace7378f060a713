"""A machine that dies in the middle of a run: nothing of the run is published, and it is started again."""

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._serdes import deserialize_value
from servers import daemon_in
from small_platform import bank_rows, write_csv

from resources.artifacts.store import ArtifactStore
from resources.store.local import LocalStore

PIPELINE = """\
name: held
task: binary_classification
dataset:
  source: data.csv
  target: y
  columns: {id: {role: identifier}, note: {role: ignored}}
split: {by: stratified, test_size: 0.25}
model: {candidates: ["held_model:Held"]}
tuning: {enabled: false}
evaluation: {must_beat_baseline: false}  # the model ignores its features
automation: {schedule: "0 0 1 1 *"}
"""
MODEL = """\
import os
import time
from pathlib import Path

from sklearn.dummy import DummyClassifier


class Held(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        while Path("hold").exists():
            Path("fitting.new").write_text(str(os.getpid()))
            Path("fitting.new").rename("fitting")
            time.sleep(0.1)
        return super().fit(X, y, sample_weight)
"""


@pytest.fixture
def held(checkout):
    write_csv(checkout.root / "data.csv", bank_rows())
    checkout.write("pipelines/held.yaml", PIPELINE)
    checkout.write("held_model.py", MODEL)
    checkout.write("hold", "")
    return checkout


@pytest.mark.full
def test_a_run_whose_machine_died_is_ended_at_the_first_evaluation_and_started_again(held):
    store = ArtifactStore(LocalStore(held.root / ".assay" / "store"))
    with daemon_in(held, ASSAY_EXECUTOR="forkserver") as first:
        launched = held.run("dagster job launch -w workspace.yaml -j held_retrain_job", DAGSTER_HOME=str(held.root))
        assert launched.returncode == 0, launched.stdout[-3000:]
        wait_until(held, lambda: (held.root / "fitting").exists() and signs_of_life(held))
        step = int((held.root / "fitting").read_text())
        assert signs_of_life(held)[0]["pid"] != step
        kill_all_but_the_step(first.pid, step)
        died = time.time()
        wait_until(held, lambda: not alive(step))
    [(status, dead)] = runs_of(held)
    assert status == "STARTED"
    assert store.log.history(("held", "trained_model"), None) == []
    (held.root / "hold").unlink()
    with daemon_in(held, ASSAY_EXECUTOR="forkserver"):
        wait_until(held, lambda: [status for status, _ in runs_of(held)] == ["FAILURE", "SUCCESS"])
    assert next(reason for began, reason in evaluations(held) if began > died) == f"ended {dead}"
    retry = runs_of(held)[1][1]
    assert [commit.run_id for commit in store.log.history(("held", "trained_model"), None)] == [retry]


def wait_until(checkout, true, seconds=900):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, (checkout.root / "daemon.log").read_text()[-6000:]
        time.sleep(0.2)


def runs_of(checkout):
    return queried(checkout, "select status, run_id from runs order by id")


def evaluations(checkout):
    """Return when each evaluation of the sensor began, and what it gave as its result, in their order."""
    query = "select tick_body from job_ticks where tick_body like '%stalled_run_sensor%' order by id"
    for (body,) in queried(checkout, query, "schedules/schedules.db"):
        tick = deserialize_value(body, TickData)
        if tick.status in {TickStatus.SKIPPED, TickStatus.FAILURE}:
            yield tick.timestamp, tick.skip_reason


def signs_of_life(checkout):
    found = queried(checkout, "select value from kvs where key like 'assay/heartbeat/%'")
    return [json.loads(value) for (value,) in found]


def queried(checkout, query, name="history/runs.db"):
    database = checkout.root / ".assay" / "dagster" / name
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def kill_all_but_the_step(session, step):
    """Kill daemon, code server and the run's process at once; the step and the server that forked it stay."""
    parent = int(stat_of(step)[1])
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        fields = stat_of(pid)
        if fields and int(fields[3]) == session and pid not in {step, parent}:
            os.kill(pid, signal.SIGKILL)


def alive(pid):
    fields = stat_of(pid)
    return bool(fields) and fields[0] not in {"Z", "X"}


def stat_of(pid):
    """State, parent, group, session ... of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
