"""The parent's side of the sandbox: each file is read by a child process, which may die or never end.

The child is a fresh interpreter, since a fork of a process with Arrow's threads may hang. It gets no environment but
its module path, so that a parser can reach no secret, and a temporary folder of its own. Any of its ends becomes a
typed error here. Request and answer are JSON, and nothing that the child says is executed: an error comes back as the
code of its class and as texts.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from assay.errors import AssayError, MalformedDataError, Remedy, SourceError, error_from_json
from assay.reading.batches import Layout, ReadOptions
from assay.reading.confined import MIB, Confinement
from assay.reading.defects import Defect, defect_error
from assay.reading.progress import ReadProgress
from assay.reading.sandbox_child import Request
from assay.specs.dataset import ReadLimits

_CHILD = "assay.reading.sandbox_child"
_POLL_SECONDS = 0.01
PROGRESS_SECONDS = 0.5
_ANSWER_BYTES = 1 << 20
_TAIL_BYTES = 200
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory")


def transcribe_in_child(
    path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout, limits: ReadLimits
) -> None:
    """Transcribe a file in a child process, so that neither a hostile nor a huge file harms this one.

    Args:
        path: the file, or a folder of files.
        options: how to read it.
        target: the file to write, in an existing folder; it is written completely or not at all.
        name: how the file is called in messages.
        layout: of the target.
        limits: what reading may cost.

    Raises:
        AssayError: as the reader raised it in the child, with every field.
        MalformedDataError: with the defect `parser_limit`: a limit was exceeded, or the parser died.
        SourceError: there is no disk space or no folder for the rows.
    """
    target = target.absolute()
    confinement = Confinement.of(limits, _size(path))
    try:
        with tempfile.TemporaryDirectory(prefix=".assay-read-", dir=target.parent) as scratch:
            written = Path(scratch, "rows")
            request = Request(path.absolute(), written, name, layout, options, confinement, os.getpid())
            progress = ReadProgress(name, path, written)
            try:
                end = run_child(
                    _CHILD,
                    request.to_json(),
                    Path(scratch),
                    wall_seconds=confinement.wall_seconds,
                    progress=progress,
                )
            finally:
                progress.ended()
            if end.answer.get("ok") is True and end.code == 0 and written.is_file():
                written.replace(target)
                return
    except OSError as error:
        raise SourceError(
            "there is no space to read the file in",
            where=name,
            found=f"{target.parent}: {error.strerror or error}",
            remedy="free disk space, and check the folder's permissions",
        ) from error
    raise _failure(end, confinement, name)


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        code: exit code; the negative number of the signal that ended it.
        cpu_seconds: processor time that it used.
        peak_bytes: its largest observed memory; 0 where the system does not report it.
        timed_out: whether the parent ended it because of its wall-clock time.
        answer: its answer; empty where the output is not an answer.
        tail: end of its output to standard error.
    """

    code: int
    cpu_seconds: float
    peak_bytes: int
    timed_out: bool
    answer: Mapping[str, Any]
    tail: str

    @property
    def error(self) -> AssayError | None:
        """The typed error that the child answered; an answer that is not an error counts as none."""
        if self.code == 0 and "error" in self.answer:
            with suppress(KeyError, TypeError):
                return error_from_json(self.answer["error"])
        return None

    @property
    def cause(self) -> str:
        """What is known of an end that no limit explains."""
        return str(self.answer.get("crash") or self.tail or f"exit code {self.code}")

    @property
    def memory(self) -> str:
        """The peak, for messages."""
        return f"{self.peak_bytes // MIB} MiB in use" if self.peak_bytes else "memory in use unknown"


def run_child(
    module: str,
    request: str,
    scratch: Path,
    *,
    wall_seconds: float,
    progress: Callable[[int, float], None] | None = None,
) -> ChildEnd:
    """Start a child, wait for its end, and return how it ended.

    Args:
        module: the child's program, which calls `assay.reading.confined.serve`.
        request: what the child shall do, as JSON in ASCII.
        scratch: a folder for the child's files.
        wall_seconds: after which the child is killed.
        progress: called twice a second, with the child's process id and the seconds since the start.
    """
    requested, answered, printed = scratch / "request", scratch / "answer", scratch / "noise"
    requested.write_text(request, encoding="ascii")
    with requested.open("rb") as stdin, answered.open("wb") as stdout, printed.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-P", "-m", module],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=scratch,
            env=_environment(scratch),
            start_new_session=True,
        )
        try:
            status, cpu_seconds, peak, timed_out = _awaited(
                process.pid, wall_seconds, progress or (lambda _pid, _seconds: None)
            )
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                _kill(process.pid)
                process.wait()
    return ChildEnd(process.returncode, cpu_seconds, peak, timed_out, _answer_in(answered), _tail_of(printed))


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(scratch),
        "MALLOC_ARENA_MAX": "2",  # each of glibc's arenas may keep freed memory
        "OPENBLAS_NUM_THREADS": "1",  # NumPy starts threads at import, and their stacks count
        "OMP_NUM_THREADS": "1",
    }


def _awaited(pid: int, wall_seconds: float, progress: Callable[[int, float], None]) -> tuple[int, float, int, bool]:
    """Return wait status, processor seconds, peak bytes and whether the process was ended for its wall-clock time.

    The peak is read while the process lives: that of `wait4` includes what the parent held at the start.
    """
    start, peak, timed_out = time.monotonic(), 0, False
    end, due = start + wall_seconds, start + PROGRESS_SECONDS
    while True:
        peak = _peak_bytes(pid) or peak
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, used.ru_utime + used.ru_stime, peak, timed_out
        if not timed_out and time.monotonic() > end:
            timed_out = True
            _kill(pid)
        if time.monotonic() > due:
            due += PROGRESS_SECONDS
            progress(pid, time.monotonic() - start)
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
        return {}  # junk, or an early end, which the error reports
    return answer if isinstance(answer, dict) else {}


def _tail_of(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder; 0 where there is neither, which the reader reports."""
    files = (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.exists())


class ExceededLimit(NamedTuple):
    """The limit that ended a child: what it ran out of, what it used, what was allowed, and the setting to raise."""

    resource: str
    found: str
    limit: str
    setting: str


def exceeded_limit(end: ChildEnd, confinement: Confinement) -> ExceededLimit | None:
    """Return the limit that ended the child; None where none did."""
    seconds = f"{end.cpu_seconds:.1f} s of processor time"
    if end.timed_out:
        wall = f"{confinement.wall_seconds:.0f} s of wall-clock time"
        return ExceededLimit("time", f"more, with {seconds}", f"at most {wall}", "dataset.limits.seconds")
    if end.code == -signal.SIGXCPU or (end.code == -signal.SIGKILL and end.cpu_seconds >= confinement.cpu_seconds):
        limit = f"at most {confinement.cpu_seconds} s for data of its size"
        return ExceededLimit("processor time", seconds, limit, "dataset.limits.seconds")
    if end.answer.get("limit") == "memory" or (end.code and any(sign in end.tail for sign in _OUT_OF_MEMORY)):
        limit = f"at most {confinement.memory_bytes // MIB} MiB"
        return ExceededLimit("memory", f"{end.memory}; more was requested", limit, "dataset.limits.memory_mb")
    if end.answer.get("limit") == "file" or end.code == -signal.SIGXFSZ:
        return ExceededLimit("disk space", "", f"files of at most {confinement.file_bytes // MIB} MiB", "")
    return None


def _failure(end: ChildEnd, confinement: Confinement, name: str) -> AssayError:
    if error := end.error:
        return error
    exceeded = exceeded_limit(end, confinement)
    if exceeded is None:
        return _death(end, name)
    resource, found, expected, setting = exceeded
    raised = Remedy("if the file is intact, raise {}; else correct the source", setting)
    remedy = raised if setting else "correct the source"
    what = f"reading the file takes more {resource} than it may"
    return defect_error(Defect.PARSER_LIMIT, what, name=name, found=found, expected=expected, remedy=remedy)


def _death(end: ChildEnd, name: str) -> MalformedDataError:
    rewrite = remedy = "correct the file, or write it in another format"
    if end.code < 0:
        what = f"the parser died with {signal.Signals(-end.code).name}"
        if end.code == -signal.SIGKILL:  # the system's, since only a timeout sends it here
            remedy = Remedy(f"give the machine more memory, or lower {{}}; or {rewrite}", "dataset.limits.memory_mb")
    else:
        what = "the parser failed" if "crash" in end.answer else "the parser ended without an answer"
    found, expected = f"{end.cause}; {end.memory}", "a file that its format's parser survives"
    return defect_error(Defect.PARSER_LIMIT, what, name=name, found=found, expected=expected, remedy=remedy)
