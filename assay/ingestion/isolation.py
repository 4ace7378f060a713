"""Reading in a child process: a file that kills its parser, or never ends, costs the run a typed refusal.

The child is a fresh interpreter, for a fork of a process with Arrow's threads may hang. It gets no environment but
its module path, so that no secret is where a parser could reach it, and a folder of its own that goes with it.
Does not belong here: what the child does (`child`), its bounds (`confinement`), the process (`child_process`).
"""

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from assay.errors import AssayError, MalformedDataError, SourceError
from assay.ingestion.batches import ReadOptions
from assay.ingestion.child_messages import Request, error_rebuilt
from assay.ingestion.child_process import ChildEnd, run_child
from assay.ingestion.confinement import Confinement
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.sink import Layout
from assay.specs.dataset import ReadLimits

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
            return error_rebuilt(end.answer["error"])
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
