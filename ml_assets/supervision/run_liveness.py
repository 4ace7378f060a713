"""Whether a run is alive: its heartbeats in the Dagster instance, its process on this host, its status.

Heartbeats are stored beside the cursors of Dagster's daemons, one row of about 150 bytes for each run, on SQLite as
on PostgreSQL.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import ValidationError

from assay.errors import RunAbandonedError
from assay.specs.base import Spec
from ml_assets.dagster_internals import store_values, stored_values

_OVER = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS})


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
