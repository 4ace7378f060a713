"""What the reading child may use of the machine."""

import ctypes
import math
import os
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from assay.specs.dataset import ReadLimits

_MIB = 1 << 20
_BYTES_PER_SECOND = _MIB
_LEAST_WRITTEN = 1024 * _MIB
_WRITTEN_PER_READ = 64
_PR_SET_PDEATHSIG = 1
_ARROW_THREADS = 2


@dataclass(frozen=True, slots=True)
class Confinement:
    """Bounds of one process.

    Attributes:
        memory_bytes: of data: heap, stacks and private mappings.
        cpu_seconds: of processor time, over all threads.
        file_bytes: of any file that it writes.
    """

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int

    @classmethod
    def of(cls, limits: ReadLimits, size: int) -> "Confinement":
        """Return the bounds for a file.

        Args:
            limits: what the pipeline allows.
            size: bytes of the file, as it lies there.
        """
        return cls(
            memory_bytes=limits.memory_mb * _MIB,
            cpu_seconds=math.ceil(limits.seconds + size / _BYTES_PER_SECOND),
            file_bytes=max(_LEAST_WRITTEN, _WRITTEN_PER_READ * size),
        )

    @property
    def wall_seconds(self) -> float:
        """How long to wait: a busy machine makes a process slow, a waiting process uses no processor time."""
        return 3.0 * self.cpu_seconds + 30.0

    def to_plain(self) -> dict[str, Any]:
        """Return the bounds as JSON-able values."""
        return asdict(self)


def confine_this_process(confinement: Confinement) -> None:
    """Put the bounds on the running process, for good.

    The heap is bounded and not the address space, for Arrow reserves much more of that than it uses. Processor time
    that went into starting is not counted.
    """
    _bound(resource.RLIMIT_DATA, confinement.memory_bytes)
    seconds = confinement.cpu_seconds + math.ceil(time.process_time())
    # the soft bound sends SIGXCPU, which says why; the hard one ends a process that ignores it
    _bound(resource.RLIMIT_CPU, seconds, seconds + 1)
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, confinement.file_bytes)
    _bound_arrow()


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, where the kernel can.

    Args:
        parent: process id of the parent; when it is gone already, this process ends now.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def _bound(kind: int, soft: int, hard: int | None = None) -> None:
    _, most = resource.getrlimit(kind)
    wanted = soft if hard is None else hard
    hard = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(kind, (min(soft, hard), hard))


def _bound_arrow() -> None:
    import pyarrow as pa

    # Arrow's own allocators keep what they were given back, and every thread's stack counts as data
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(_ARROW_THREADS)
    pa.set_io_thread_count(_ARROW_THREADS)
