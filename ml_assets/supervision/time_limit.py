"""The time limit of a step's attempt, in three lines of defence.

An alarm raises in Python code; if native code does not return, a thread ends the step's process; if native code holds
the interpreter's lock as well, `faulthandler` ends it.
"""

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from assay.errors import StepTimeoutError
from ml_assets.supervision.processes import is_own_process

# a step that hangs while it cleans up is interrupted again
_ALARM_AGAIN = 10.0
_NATIVE_GRACE = 5.0
_LOCKED_GRACE = 10.0
_clock = threading.local()


class _TimeIsUp(BaseException):
    """Passes through code that handles every `Exception`; no caller of `within_time_limit` sees it."""


@dataclass(frozen=True, slots=True)
class TimedStep:
    """An attempt of a step, or of one of the partitions that it makes.

    Attributes:
        identity: run, step, attempt and partition; its time begins with the first part that runs.
        where: the step, for messages.
        seconds: limit of the attempt; None for no limit.
        log_error: writes to the run's log, before the process ends.
        ends_process: whether the step's process may be killed where an alarm does not help.
    """

    identity: tuple[str, str, int, str]
    where: str
    seconds: float | None
    log_error: Callable[[str], None]
    ends_process: bool = True

    def timeout_error(self) -> StepTimeoutError:
        """Return the error for a step whose time is up."""
        return StepTimeoutError(
            "the step took longer than it may",
            where=self.where,
            expected=f"an end within {self.seconds:g} s",
            remedy="raise execution.timeout_minutes in the pipeline's file, for this asset by its name or for all",
        )


@contextmanager
def within_time_limit(step: TimedStep) -> Iterator[None]:
    """Run a part of a step within what is left of its time.

    Only the main thread can be interrupted; Dagster runs steps there, whatever the executor.

    Raises:
        StepTimeoutError: the time is up.
    """
    if step.seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    left = step.seconds - (time.monotonic() - _started(step))
    if left <= 0:
        raise step.timeout_error()
    try:
        with _process_killed_after(step, left), _alarm(left):
            yield
    except _TimeIsUp:
        raise step.timeout_error() from None


def _started(step: TimedStep) -> float:
    if getattr(_clock, "identity", None) != step.identity:
        _clock.identity, _clock.started = step.identity, time.monotonic()
    started: float = _clock.started
    return started


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise in this thread after some seconds, repeatedly until it leaves; an earlier alarm is restored afterwards."""
    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _raise)
    other, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _ALARM_AGAIN)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the alarm may have fired within the line above
        signal.signal(signal.SIGALRM, handler)
        if other:
            signal.setitimer(signal.ITIMER_REAL, max(other - (time.monotonic() - started), 0.001), interval)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp


@contextmanager
def _process_killed_after(step: TimedStep, seconds: float) -> Iterator[None]:
    """Kill this process if the alarm has no effect; only a process that was started for a step or run."""
    if not step.ends_process or not is_own_process():
        yield
        return
    watch = threading.Timer(seconds + _NATIVE_GRACE, _kill, [step])
    watch.daemon = True
    watch.start()
    faulthandler.dump_traceback_later(seconds + _LOCKED_GRACE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        watch.cancel()


def _kill(step: TimedStep) -> None:
    try:
        step.log_error(str(step.timeout_error()))
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
