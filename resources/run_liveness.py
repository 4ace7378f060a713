"""Whether a run is alive: its heartbeats in the Dagster instance, its process on this host, its status.

Heartbeats stand among the cursors of Dagster's daemons, one row of about 150 bytes for each run: they survive what
the instance survives, on SQLite as on PostgreSQL.
Does not belong here: what follows for the run (`ml_assets.supervision`).
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import ValidationError

from assay.errors import RunAbandonedError
from assay.specs.base import Spec

_OVER = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS})


class Heartbeat(Spec):
    """The newest sign of life of a run's process."""

    host: str
    """The boot of the machine and its namespace of process numbers; empty where the system does not tell."""
    pid: int
    born: str
    """When the process was started, in the machine's own count: numbers of processes come again."""
    count: int
    """Grows with each beat. Clocks of two machines need not agree, so that no time stands here."""

    def is_of_this_host(self) -> bool:
        """Whether this machine can tell if the process lives."""
        return self.host != "" and self.host == this_host()

    def process_lives(self) -> bool:
        """Whether the process is there; only its own host can tell."""
        return born(self.pid) == self.born


def own_heartbeat(count: int) -> Heartbeat:
    """Return a sign of life of this process."""
    return Heartbeat(host=this_host(), pid=os.getpid(), born=born(os.getpid()), count=count)


def record_heartbeat(instance: dg.DagsterInstance, run_id: str, beat: Heartbeat) -> None:
    """Replace a run's newest sign of life."""
    instance.daemon_cursor_storage.set_cursor_values({_key(run_id): beat.model_dump_json()})


def heartbeats(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> dict[str, Heartbeat]:
    """Return the newest sign of life of each run that ever gave one."""
    if not run_ids:
        return {}
    stored = instance.daemon_cursor_storage.get_cursor_values({_key(run_id) for run_id in run_ids})
    found = {run_id: _parsed(stored.get(_key(run_id), "")) for run_id in run_ids}
    return {run_id: beat for run_id, beat in found.items() if beat is not None}


def is_unwanted(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run is over or gone, so that nothing more is expected of it."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.status in _OVER


def require_wanted(instance: dg.DagsterInstance, run_id: str, where: str) -> None:
    """Refuse to go on for a run that is over.

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
            remedy="nothing, if the run was started again; otherwise start it again",
        )


@cache
def this_host() -> str:
    """Return what tells this machine, since its boot, and this namespace of process numbers from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""  # not Linux: then only the beats themselves tell


def born(pid: int) -> str:
    """Return when a process was started, in clock ticks since the boot; empty if it is not there or has ended."""
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
        return None  # none was ever recorded


def _key(run_id: str) -> str:
    return f"assay/heartbeat/{run_id}"
