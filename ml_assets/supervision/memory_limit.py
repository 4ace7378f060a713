"""The memory limit of a step: a thread measures the step's process and those that it started.

What counts is memory that is in use and that no file backs. The kernel's limits count what is reserved, of which
libraries reserve much more than they use, and native code ends at them without a word.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from assay.errors import AssayError
from ml_assets.supervision.processes import is_own_process

_EVERY = 0.2
_GRACE = 3.0
_SIGNAL = signal.SIGUSR2
_PROCESSES = Path("/proc")


class StepMemoryError(AssayError, code="step_memory"):
    """A step took more memory than the pipeline allows."""


class _TooMuchMemory(BaseException):
    """Passes through code that handles every `Exception`; no caller of `within_memory` sees it."""


@dataclass(frozen=True, slots=True)
class BoundedStep:
    """An attempt of a step whose memory is bounded.

    Attributes:
        where: the step, for messages.
        megabytes: limit, in MiB; None for no limit.
        log_error: writes to the run's log, before the process ends.
        ends_process: whether the step's process may be killed where native code goes on beyond the limit.
    """

    where: str
    megabytes: int | None
    log_error: Callable[[str], None]
    ends_process: bool = True

    def error(self, used: int) -> StepMemoryError:
        """Return the error for a step that uses so many bytes."""
        return StepMemoryError(
            "the step took more memory than it may",
            where=self.where,
            found=f"{used >> 20:,} MiB in its process and those that it started",
            expected=f"at most {self.megabytes:,} MiB",
            remedy="raise execution.memory_mb in the pipeline's file, for this asset by its name or for all",
        )


@contextmanager
def within_memory(step: BoundedStep) -> Iterator[None]:
    """Run a part of a step within its memory; on Linux only.

    Only the main thread can be interrupted; Dagster runs steps there, whatever the executor.

    Raises:
        StepMemoryError: the step's processes take more.
    """
    watchable = sys.platform == "linux" and threading.current_thread() is threading.main_thread()
    if step.megabytes is None or not watchable:
        yield
        return
    watch = _Watch(step, step.megabytes << 20)
    earlier = signal.signal(_SIGNAL, watch.interrupt)
    try:
        try:
            watch.start()  # it may signal at once
            yield
        finally:
            watch.over.set()
    except _TooMuchMemory:
        raise step.error(watch.used) from None
    finally:
        watch.join()  # else it could signal once the earlier handler is back
        signal.signal(_SIGNAL, earlier)


class _Watch(threading.Thread):
    """Measures until the part is over, and interrupts the main thread where it takes too much."""

    def __init__(self, step: BoundedStep, limit: int) -> None:
        super().__init__(name="assay-memory", daemon=True)
        self.over = threading.Event()
        self.used = 0
        self._step, self._limit = step, limit

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Raise in the main thread, as the handler of the signal."""
        if not self.over.is_set():
            raise _TooMuchMemory

    def run(self) -> None:
        """Measure; the thread's own work."""
        since: float | None = None
        while True:
            used = used_bytes(os.getpid())
            if used <= self._limit:
                since = None
            elif since is None:
                since, self.used = time.monotonic(), used
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)
            elif time.monotonic() - since > _GRACE:
                self._end_process()
                since = None  # a step that goes on, or hangs while it cleans up, is interrupted again
            if self.over.wait(_EVERY):
                return

    def _end_process(self) -> None:
        if not self._step.ends_process or not is_own_process():
            return
        try:
            self._step.log_error(str(self._step.error(self.used)))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)


def used_bytes(process: int) -> int:
    """Return the bytes of memory that a process and all below it use, without what files back."""
    folder, page = _PROCESSES / str(process), os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):  # it has ended
        resident, shared = map(int, (folder / "statm").read_text().split()[1:3])
        below = [int(child) for task in (folder / "task").iterdir() for child in _children(task)]
        return (resident - shared) * page + sum(map(used_bytes, below))
    return 0


def _children(task: Path) -> list[str]:
    with suppress(OSError):  # the thread has ended, or the kernel does not list its children
        return (task / "children").read_text().split()
    return []
