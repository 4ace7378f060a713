"""The child's side of a confined process: its limits, and how it answers.

The parent's side is `assay.reading.sandbox`.
"""

import ctypes
import errno
import json
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from assay.errors import AssayError, error_to_json
from assay.specs.dataset import ReadLimits

MIB = 1 << 20
_BYTES_PER_SECOND = MIB
_LEAST_WRITTEN = 1024 * MIB
_WRITTEN_PER_READ = 64
_PR_SET_PDEATHSIG = 1
_ARROW_THREADS = 2


@dataclass(frozen=True, slots=True)
class Confinement:
    """Limits of the child process.

    Attributes:
        memory_bytes: of data: heap, stacks and private mappings.
        cpu_seconds: processor time over all threads.
        file_bytes: size of any file that it writes.
    """

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int

    @classmethod
    def of(cls, limits: ReadLimits, size: int) -> Self:
        """Return the limits for a file of so many bytes on disk."""
        return cls(
            memory_bytes=limits.memory_mb * MIB,
            cpu_seconds=math.ceil(limits.seconds + size / _BYTES_PER_SECOND),
            file_bytes=max(_LEAST_WRITTEN, _WRITTEN_PER_READ * size),
        )

    @property
    def wall_seconds(self) -> float:
        """How long the parent waits: a busy machine slows the child, and waiting uses no processor time."""
        return 3.0 * self.cpu_seconds + 30.0

    def to_plain(self) -> dict[str, Any]:
        """Return the limits as JSON values."""
        return asdict(self)


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Take one request from standard input, confine this process, and answer on standard output, both as JSON.

    The request's `parent` and `confinement` are obeyed before `work`; what `work` raises becomes the answer.
    """
    answers = _answer_handle()
    request = json.load(sys.stdin)
    end_with_parent(request["parent"])
    sys.stdin.close()
    confine_this_process(Confinement(**request["confinement"]))
    try:
        answer = work(request)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        answer = _failure(error)
    with os.fdopen(answers, "w", encoding="ascii") as out:
        json.dump(answer, out)


def _answer_handle() -> int:
    """Return a handle for the answer; everything else that is printed goes to standard error."""
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


def _failure(error: Exception) -> dict[str, Any]:
    # a reader may have taken a failed allocation for a defect of the file
    for cause in _chain(error):
        if isinstance(cause, MemoryError):
            return {"limit": "memory"}
        if isinstance(cause, OSError) and cause.errno == errno.EFBIG:
            return {"limit": "file"}
    return {"error": error_to_json(error)} if isinstance(error, AssayError) else {"crash": _crash(error)}


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _crash(error: Exception) -> str:
    """Return type and place in the code of an unforeseen error, without its message, which may quote the data."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if "assay" in Path(frame.filename).parts and Path(frame.filename) != Path(__file__)
    ] or frames
    positions = dict.fromkeys(f"{Path(frame.filename).name}, line {frame.lineno}" for frame in (frames[-1], own[-1]))
    reason = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, ImportError) else ""
    return f"{type(error).__name__} {reason or ''}".strip() + f" in {', called from '.join(positions)}"


def confine_this_process(confinement: Confinement) -> None:
    """Limit the running process, irrevocably.

    The heap is limited and not the address space, of which Arrow reserves much more than it uses. Processor time spent
    before the call is not counted.
    """
    _limit(resource.RLIMIT_DATA, confinement.memory_bytes)
    seconds = confinement.cpu_seconds + math.ceil(time.process_time())
    # the soft limit sends SIGXCPU, which says why; the hard one ends a process that ignores the signal
    _limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, confinement.file_bytes)
    _limit_arrow()


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, on Linux; now if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    _, most = resource.getrlimit(kind)
    hard = soft if hard is None else hard
    hard = hard if most == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(kind, (min(soft, hard), hard))


def _limit_arrow() -> None:
    import pyarrow as pa

    # Arrow's own allocators keep freed memory, and every thread's stack counts as data
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(_ARROW_THREADS)
    pa.set_io_thread_count(_ARROW_THREADS)
