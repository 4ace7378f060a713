"""The processes of runs and steps: a run's process records heartbeats, and both end when their run is over.

The death of a run's process leaves the processes of its steps running, which would go on and publish. Each of them
watches its parent and its run's status.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ml_assets.dagster_executors import executor_within
from ml_assets.supervision.run_liveness import is_unwanted, own_heartbeat, record_heartbeat

_HEARTBEAT_SECONDS = 5.0
_PARENT_SECONDS = 1.0
_RUN_SECONDS = 5.0
_log = logging.getLogger(__name__)
_hosts_runs = threading.Event()
_watched: set[str] = set()
_starting = threading.Lock()


def supervised_executor(definition: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """Return an executor of the same name and configuration whose run process records heartbeats."""
    return executor_within(definition, _run_process)


@contextmanager
def _run_process(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    _hosts_runs.set()  # this process outlives its parent, which may be a code server that is reloaded
    over = threading.Event()
    thread = threading.Thread(target=_heartbeat, args=(instance, run_id, over), name="assay-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # else it could read the run's own success as the end of a run in progress


def _heartbeat(instance: dg.DagsterInstance, run_id: str, over: threading.Event) -> None:
    count = 0
    while True:
        count += 1
        try:
            record_heartbeat(instance, run_id, own_heartbeat(count))
        except Exception as error:  # noqa: BLE001 - any database's failure; the next heartbeat is due soon
            _log.warning("the heartbeat of run %s was not recorded: %s", run_id, type(error).__name__)
        if over.wait(_HEARTBEAT_SECONDS):
            return
        if _is_known_unwanted(instance, run_id):
            _end_this_process(f"run {run_id} was declared dead")


def is_own_process() -> bool:
    """Return whether this process was started for a step or a run, so that it may be killed."""
    return multiprocessing.parent_process() is not None


def end_with_the_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """End this step's process when its run's process dies or the run ends; starts one watch for each run."""
    if not is_own_process() or _hosts_runs.is_set():
        return
    with _starting:
        if run_id in _watched:
            return
        _watched.add(run_id)
    threading.Thread(target=_watch, args=(instance, run_id), name="assay-step-guard", daemon=True).start()


def _watch(instance: dg.DagsterInstance, run_id: str) -> None:
    parent = multiprocessing.parent_process()
    checked = time.monotonic()
    while True:
        time.sleep(_PARENT_SECONDS)
        # a pipe to the run's process: under forkserver the parent by process number is the server
        if parent is not None and not parent.is_alive():
            _end_this_process(f"the process of run {run_id} has died")
        if time.monotonic() - checked >= _RUN_SECONDS:
            checked = time.monotonic()
            if _is_known_unwanted(instance, run_id):
                _end_this_process(f"run {run_id} was ended")


def _is_known_unwanted(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Return whether the instance says that a run is over; False while it does not answer."""
    try:
        return is_unwanted(instance, run_id)
    except Exception as error:  # noqa: BLE001 - any database's failure; it is asked again in a moment
        _log.warning("the state of run %s is not known: %s", run_id, type(error).__name__)
        return False


def _end_this_process(why: str) -> None:
    """End at once: no clean-up may write anything."""
    sys.stderr.write(f"assay: {why}; this process ({os.getpid()}) ends\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
