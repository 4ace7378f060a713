"""Whether a run is alive, by its heartbeats, its process and its status; and the sensor that ends dead runs.

Heartbeats are stored beside the cursors of Dagster's daemons, one row of about 150 bytes for each run, on SQLite as
on PostgreSQL. Dagster's own run monitoring notices the death of a run's process only while the code server that started
it lives. `run_retries` in `dagster.yaml` starts the run again.
"""

import os
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import ValidationError

from assay.errors import RunAbandonedError
from assay.specs.base import Spec
from ml_assets.dagster_internals import store_values, stored_values

_OVER = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS})
_INTERVAL_SECONDS = 10
_PATIENCE_SECONDS = 35.0
_DEAD = "The process of this run has died: it was killed, or its machine was. Nothing more of it will be published."
_SILENT = f"The process of this run gave no heartbeat for {_PATIENCE_SECONDS:.0f} s. It will publish nothing more."


class Heartbeat(Spec):
    """The newest heartbeat of a run's process."""

    host: str
    """Boot of the machine and its namespace of process numbers; empty where the system does not expose them."""
    pid: int
    born: str
    """When the process was started, in the machine's own count, since process numbers are reused."""
    count: int
    """Grows with each heartbeat. It holds no time, because clocks of two machines need not agree."""

    def is_of_this_host(self) -> bool:
        """Return whether this machine can look the process up."""
        return self.host != "" and self.host == this_host()

    def process_lives(self) -> bool:
        """Return whether the process exists; meaningful on its own host only."""
        return born(self.pid) == self.born


def own_heartbeat(count: int) -> Heartbeat:
    """Return a heartbeat of this process."""
    return Heartbeat(host=this_host(), pid=os.getpid(), born=born(os.getpid()), count=count)


def record_heartbeat(instance: dg.DagsterInstance, run_id: str, beat: Heartbeat) -> None:
    """Replace a run's newest heartbeat."""
    store_values(instance, {_key(run_id): beat.model_dump_json()})


def heartbeats(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> dict[str, Heartbeat]:
    """Return the newest heartbeat of each run that has one."""
    if not run_ids:
        return {}
    stored = stored_values(instance, {_key(run_id) for run_id in run_ids})
    found = {run_id: _parsed(stored.get(_key(run_id), "")) for run_id in run_ids}
    return {run_id: beat for run_id, beat in found.items() if beat is not None}


def is_unwanted(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Return whether a run is over or deleted."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.status in _OVER


def require_wanted(instance: dg.DagsterInstance, run_id: str, where: str) -> None:
    """Require that a run is in progress.

    Raises:
        RunAbandonedError: the run ended, was cancelled, deleted or declared dead.
    """
    run = instance.get_run_by_id(run_id)
    status = "deleted" if run is None else run.status.value
    if run is None or run.status in _OVER or run.status == dg.DagsterRunStatus.CANCELING:
        raise RunAbandonedError(
            "nothing is published for a run that is over",
            where=where,
            found=f"run {run_id}: {status}",
            expected="a run in progress",
            remedy="none is needed if the run was retried; otherwise start it again",
        )


@cache
def this_host() -> str:
    """Return what identifies this machine since its boot, and this namespace of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""  # not Linux: runs are judged by their heartbeats alone


def born(pid: int) -> str:
    """Return when a process was started, in clock ticks since the boot; empty if it does not exist or has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else fields[18]


def _parsed(stored: str) -> Heartbeat | None:
    try:
        return Heartbeat.model_validate_json(stored)
    except ValidationError:
        return None  # none was recorded


def _key(run_id: str) -> str:
    return f"assay/heartbeat/{run_id}"


class LastHeartbeat(Spec):
    """When a run's heartbeat last changed, by the sensor's clock."""

    count: int
    seen_at: float


class HeartbeatsSeen(Spec):
    """The sensor's cursor."""

    runs: dict[str, LastHeartbeat] = {}

    def after(self, beats: Mapping[str, Heartbeat], now: float) -> "HeartbeatsSeen":
        """Return the state after an evaluation; runs that are over are forgotten."""
        return HeartbeatsSeen(
            runs={
                run_id: known
                if (known := self.runs.get(run_id)) is not None and known.count == beat.count
                else LastHeartbeat(count=beat.count, seen_at=now)
                for run_id, beat in beats.items()
            }
        )

    def silent(self, now: float) -> set[str]:
        """Return the runs without a new heartbeat for too long."""
        return {run_id for run_id, last in self.runs.items() if now - last.seen_at > _PATIENCE_SECONDS}


@dg.sensor(
    name="stalled_run_sensor",
    minimum_interval_seconds=_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process died, within a minute; Dagster's run retries start them again.",
)
def stalled_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Check the heartbeats of all runs in progress."""
    seen, ended = end_stalled_runs(context.instance, _state_of(context.cursor), time.time())
    context.update_cursor(seen.model_dump_json())
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else f"{len(seen.runs)} runs in progress have heartbeats")


def end_stalled_runs(
    instance: dg.DagsterInstance, seen: HeartbeatsSeen, now: float
) -> tuple[HeartbeatsSeen, list[str]]:
    """End the runs whose process has died.

    A process of this host is looked up by its number; a run of another host is judged by its heartbeats alone.

    `seen` is the state after the evaluation before, `now` in seconds by the clock of this process.

    Returns:
        The new state, and the runs that were ended.
    """
    beats = heartbeats(instance, _in_progress(instance))
    seen = seen.after(beats, now)
    silent = seen.silent(now)
    ended = []
    for run_id, beat in beats.items():
        local = beat.is_of_this_host()
        dead = not beat.process_lives() if local else run_id in silent
        if dead and _end(instance, run_id, _DEAD if local else _SILENT):
            ended.append(run_id)
    return seen, ended


def _in_progress(instance: dg.DagsterInstance) -> list[str]:
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    return [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=statuses))]


def _end(instance: dg.DagsterInstance, run_id: str, why: str) -> bool:
    run = instance.get_run_by_id(run_id)  # it may have ended since it was listed
    if run is None or run.is_finished:
        return False
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)
    return True


def _state_of(cursor: str | None) -> HeartbeatsSeen:
    try:
        return HeartbeatsSeen.model_validate_json(cursor or "{}")
    except ValidationError:
        return HeartbeatsSeen()  # written by another version: waiting starts again
