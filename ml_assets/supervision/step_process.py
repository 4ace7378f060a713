"""A step's process ends when nobody waits for its result any more.

The run's process may be killed; the steps that it started would go on and publish. Each of them watches instead:
its parent, and whether its run is still wanted.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time

import dagster as dg

from resources.run_liveness import is_unwanted

_PARENT_SECONDS = 1.0
_RUN_SECONDS = 5.0
_log = logging.getLogger(__name__)
_hosts_runs = threading.Event()
_watched: set[str] = set()
_starting = threading.Lock()


def hosts_runs() -> None:
    """Say that this process is a run's own: it outlives its parent, which may be a code server being reloaded."""
    _hosts_runs.set()


def end_with_the_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """From now on end this process when its run's process died, or the run was ended; once for each run.

    Args:
        instance: where the run is recorded.
        run_id: the run.
    """
    if multiprocessing.parent_process() is None or _hosts_runs.is_set():
        return
    with _starting:
        if run_id in _watched:
            return
        _watched.add(run_id)
    threading.Thread(target=_watch, args=(instance, run_id), name="assay-step-guard", daemon=True).start()


def _watch(instance: dg.DagsterInstance, run_id: str) -> None:
    parent = multiprocessing.parent_process()
    asked = time.monotonic()
    while True:
        time.sleep(_PARENT_SECONDS)
        # a pipe to the run's process: with a forkserver the parent by number is the server
        if parent is not None and not parent.is_alive():
            end_this_process(f"the process of run {run_id} has died")
        if time.monotonic() - asked >= _RUN_SECONDS:
            asked = time.monotonic()
            if known_unwanted(instance, run_id):
                end_this_process(f"run {run_id} was ended")


def known_unwanted(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the instance says that a run is over; False while it does not answer."""
    try:
        return is_unwanted(instance, run_id)
    except Exception as error:  # noqa: BLE001 - any database's failure; it is asked again in a moment
        _log.warning("the state of run %s is not known: %s", run_id, type(error).__name__)
        return False


def end_this_process(why: str) -> None:
    """End at once: no clean-up may write anything."""
    sys.stderr.write(f"assay: {why}; this process ({os.getpid()}) ends\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
