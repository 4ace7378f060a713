"""The longest time that an attempt of a step may take.

Three lines of defence: an alarm raises in Python code; where native code does not come back, a watching thread ends
the step's process; where native code holds the interpreter's lock too, `faulthandler` does.
Does not belong here: the limit itself (`ExecutionSpec.timeout_minutes`).
"""

import faulthandler
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from assay.errors import StepTimeoutError

# a step that was told to end cleans up; if it hangs there as well, it is told again
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
        where: the step as people read it.
        seconds: limit of the attempt; None for no limit.
        tell: writes a line that people see although the process is about to end.
    """

    identity: tuple[str, str, int, str]
    where: str
    seconds: float | None
    tell: Callable[[str], None]

    def too_long(self) -> StepTimeoutError:
        """Return the error that says so."""
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
    left = step.seconds - (time.monotonic() - _begun(step))
    if left <= 0:
        raise step.too_long()
    try:
        with _ended_from_outside(step, left), _alarm(left):
            yield
    except _TimeIsUp:
        raise step.too_long() from None


def _begun(step: TimedStep) -> float:
    if getattr(_clock, "identity", None) != step.identity:
        _clock.identity, _clock.begun = step.identity, time.monotonic()
    begun: float = _clock.begun
    return begun


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise in this thread after some seconds, and again and again until it leaves; other alarms go on after it."""
    begun = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _raise)
    other, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _ALARM_AGAIN)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the alarm may have struck within the line above
        signal.signal(signal.SIGALRM, handler)
        if other:
            signal.setitimer(signal.ITIMER_REAL, max(other - (time.monotonic() - begun), 0.001), interval)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp


@contextmanager
def _ended_from_outside(step: TimedStep, seconds: float) -> Iterator[None]:
    """End the process when the alarm is not heard; only one that was started for a step or run, and is waited for."""
    if multiprocessing.parent_process() is None:
        yield
        return
    watch = threading.Timer(seconds + _NATIVE_GRACE, _end, [step])
    watch.daemon = True
    watch.start()
    faulthandler.dump_traceback_later(seconds + _LOCKED_GRACE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        watch.cancel()


def _end(step: TimedStep) -> None:
    try:
        step.tell(str(step.too_long()))
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
