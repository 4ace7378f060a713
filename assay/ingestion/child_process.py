"""The reading child as a process: started without an environment, awaited with a bound, ended with its group.

Does not belong here: what its end means (`isolation`), what it does (`child`).
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.ingestion.child_messages import Request

_POLL_SECONDS = 0.01
_ANSWER_BYTES = 1 << 20
_TAIL_BYTES = 200
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        code: exit code; the negative number of the signal that ended it.
        cpu_seconds: processor time that it took.
        peak_bytes: most memory that it was seen to hold; 0 where the system does not tell.
        timed_out: whether it was ended here for its wall-clock time.
        answer: what it said; nothing where that is no answer.
        tail: end of what it wrote to standard error.
    """

    code: int
    cpu_seconds: float
    peak_bytes: int
    timed_out: bool
    answer: Mapping[str, Any]
    tail: str


def run_child(request: Request, scratch: Path) -> ChildEnd:
    """Start the child, wait for its end, and tell it.

    Args:
        request: what it is asked.
        scratch: an empty folder for all that is written meanwhile.
    """
    asked, said, noise = scratch / "request", scratch / "answer", scratch / "noise"
    asked.write_text(request.to_json(), encoding="ascii")
    with asked.open("rb") as stdin, said.open("wb") as stdout, noise.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "assay.ingestion.child"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=scratch,
            env=_environment(scratch),
            start_new_session=True,
        )
        try:
            status, cpu_seconds, peak, timed_out = _awaited(process.pid, request.confinement.wall_seconds)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                _kill(process.pid)
                process.wait()
    return ChildEnd(process.returncode, cpu_seconds, peak, timed_out, _answer_in(said), _tail_of(noise))


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(scratch),
        "MALLOC_ARENA_MAX": "2",  # each of glibc's arenas may hold on to what was given back
        "OPENBLAS_NUM_THREADS": "1",  # NumPy starts them when it is imported, and their stacks count
        "OMP_NUM_THREADS": "1",
    }


def _awaited(pid: int, wall_seconds: float) -> tuple[int, float, int, bool]:
    """Return wait status, processor seconds, peak bytes and whether the process had to be ended for its time.

    The peak is looked up while the process lives: what `wait4` tells includes what the parent held at the start.
    """
    end, peak, timed_out = time.monotonic() + wall_seconds, 0, False
    while True:
        peak = _peak_bytes(pid) or peak
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, used.ru_utime + used.ru_stime, peak, timed_out
        if not timed_out and time.monotonic() > end:
            timed_out = True
            _kill(pid)
        time.sleep(_POLL_SECONDS)


def _peak_bytes(pid: int) -> int:
    with suppress(OSError):  # no /proc, or the process has just ended
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
        return int(found[1]) << 10 if found else 0
    return 0


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _answer_in(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        text = file.read(_ANSWER_BYTES)
    try:
        answer = json.loads(text)
    except ValueError:
        return {}  # junk, or the end came first: the refusal tells how the process ended
    return answer if isinstance(answer, dict) else {}


def _tail_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
