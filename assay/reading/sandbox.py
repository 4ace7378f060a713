"""Reading in a child process: a file that kills its parser, or never ends, costs the run a typed refusal.

The child is a fresh interpreter, for a fork of a process with Arrow's threads may hang. It gets no environment but
its module path, so that no secret is where a parser could reach it, and a folder of its own that goes with it.

What the parent asks of the reading child, and what it answers, as JSON.

Nothing that the child says is executed: an error comes back as the code of its class and as texts.

The reading child as a process: started without an environment, awaited with a bound, ended with its group.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assay.data.contract import arrow_type
from assay.data.schema import dtype_name
from assay.errors import AssayError, MalformedDataError, SourceError, error_from_json
from assay.reading.arrow_files import Layout
from assay.reading.batches import ReadOptions
from assay.reading.confinement import Confinement
from assay.reading.defects import Defect, malformed
from assay.specs.dataset import CsvDialect, DataFormat, ReadLimits


@dataclass(frozen=True, slots=True)
class Request:
    """One file to read.

    Attributes:
        path: the file, absolute.
        target: the file to write, absolute.
        name: how the file is called in messages.
        layout: what to write.
        options: how to read.
        confinement: what the child may use.
        parent: process id of who asks.
    """

    path: Path
    target: Path
    name: str
    layout: Layout
    options: ReadOptions
    confinement: Confinement
    parent: int

    def to_json(self) -> str:
        """Return the request as ASCII, whatever bytes a path or a column's name holds."""
        options = self.options
        return json.dumps(
            {
                "path": str(self.path),
                "target": str(self.target),
                "name": self.name,
                "layout": self.layout,
                "format": options.data_format.value,
                "dialect": options.dialect.model_dump(mode="json"),
                "member": options.member,
                "sheet": options.sheet,
                "frozen": {column: dtype_name(dtype) for column, dtype in options.frozen.items()},
                "confinement": self.confinement.to_plain(),
                "parent": self.parent,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the request that `to_json` wrote."""
        told = json.loads(text)
        # a dtype that columns are not converted to cannot be asked for: such a column stays inferred
        frozen = {name: arrow_type(recorded) for name, recorded in told["frozen"].items()}
        options = ReadOptions(
            data_format=DataFormat(told["format"]),
            dialect=CsvDialect.model_validate_json(json.dumps(told["dialect"])),
            member=told["member"],
            sheet=told["sheet"],
            frozen={name: dtype for name, dtype in frozen.items() if dtype is not None},
        )
        return cls(
            path=Path(told["path"]),
            target=Path(told["target"]),
            name=told["name"],
            layout=told["layout"],
            options=options,
            confinement=Confinement(**told["confinement"]),
            parent=told["parent"],
        )


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
            [sys.executable, "-P", "-m", "assay.reading.sandbox_child"],
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


_MIB = 1 << 20
_OUT_OF_MEMORY = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory")


def transcribe_in_child(
    path: Path, options: ReadOptions, target: Path, *, name: str, layout: Layout, limits: ReadLimits
) -> None:
    """Write a hostile or huge file's rows as a file of Arrow's, whatever happens to the parser.

    Args:
        path: the file, or a folder of files.
        options: how to read it.
        target: the file to write, in a folder that exists; whole, or not touched.
        name: how the file is called in messages.
        layout: Arrow IPC or Parquet.
        limits: what reading may cost.

    Raises:
        AssayError: as the reader raised it in the child, with every field.
        MalformedDataError: of the defect `parser_limit`: a limit was met, or the parser died.
        SourceError: there is no room to read it in.
    """
    target = target.absolute()
    confinement = Confinement.of(limits, _size(path))
    try:
        with tempfile.TemporaryDirectory(prefix=".assay-read-", dir=target.parent) as scratch:
            written = Path(scratch, "rows")
            request = Request(path.absolute(), written, name, layout, options, confinement, os.getpid())
            end = run_child(request, Path(scratch))
            if end.answer.get("ok") is True and end.code == 0 and written.is_file():
                written.replace(target)
                return
    except OSError as error:
        raise SourceError(
            "there is no place to read the file in",
            where=name,
            found=f"{target.parent}: {error.strerror or error}",
            remedy="make room, and check the folder's permissions",
        ) from error
    raise _failure(end, confinement, name)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder; 0 where there is neither: the reader says so."""
    files = (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.exists())


def _failure(end: ChildEnd, confinement: Confinement, name: str) -> AssayError:
    if end.code == 0 and "error" in end.answer:
        with suppress(KeyError, TypeError):  # what is no error is no answer either, and is told as that
            return error_from_json(end.answer["error"])
    return _limit_met(end, confinement, name) or _death(end, name)


def _limit_met(end: ChildEnd, confinement: Confinement, name: str) -> MalformedDataError | None:
    """Return the refusal for the bound that ended the child; None when it was none."""
    seconds = f"{end.cpu_seconds:.1f} s of processor time"
    if end.timed_out:
        bound = f"at most {confinement.wall_seconds:.0f} s from beginning to end"
        return _over("time", name, seconds, bound, "dataset.limits.seconds")
    if end.code == -signal.SIGXCPU or (end.code == -signal.SIGKILL and end.cpu_seconds >= confinement.cpu_seconds):
        bound = f"at most {confinement.cpu_seconds} s for a file of its size"
        return _over("processor time", name, seconds, bound, "dataset.limits.seconds")
    if end.answer.get("limit") == "memory" or (end.code and any(sign in end.tail for sign in _OUT_OF_MEMORY)):
        bound = f"at most {confinement.memory_bytes // _MIB} MiB"
        return _over("memory", name, f"{_held(end)}; more was asked for", bound, "dataset.limits.memory_mb")
    if end.answer.get("limit") == "file" or end.code == -signal.SIGXFSZ:
        return _over("room on disk", name, "", f"files of at most {confinement.file_bytes // _MIB} MiB", "")
    return None


def _over(resource: str, name: str, found: str, bound: str, setting: str) -> MalformedDataError:
    remedy = f"raise {setting} if the file is as it should be; else mend the source" if setting else "mend the source"
    what = f"reading the file takes more {resource} than it may"
    return malformed(Defect.PARSER_LIMIT, what, name, found=found, expected=bound, remedy=remedy)


def _death(end: ChildEnd, name: str) -> MalformedDataError:
    remedy = "mend the file, or write it in another format"
    if end.code < 0:
        what = f"the parser died with {signal.Signals(-end.code).name}"
        if end.code == -signal.SIGKILL:  # nothing here sends it but for time
            remedy = f"give the machine more memory, or lower dataset.limits.memory_mb; or {remedy}"
    else:
        what = "the parser failed" if "crash" in end.answer else "the parser ended without an answer"
    told = end.answer.get("crash") or end.tail or f"exit code {end.code}"
    return malformed(
        Defect.PARSER_LIMIT,
        what,
        name,
        found=f"{told}; {_held(end)}",
        expected="a file that its format's parser survives",
        remedy=remedy,
    )


def _held(end: ChildEnd) -> str:
    return f"{end.peak_bytes // _MIB} MiB in use" if end.peak_bytes else "memory in use not known"
