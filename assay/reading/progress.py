"""How far a long read is: a line every ten seconds in a log, or what a function shows, such as a bar."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from assay.credentials import without_credentials

LOG_SECONDS = 10.0
_LOG = logging.getLogger("assay.reading")


@dataclass(frozen=True, slots=True)
class ReadSoFar:
    """A read that goes on.

    Attributes:
        name: of the file, without credentials.
        seconds: since it began.
        share: of the file's bytes that are read, from 0 to 1; None where that is not known.
        written: bytes of rows so far.
    """

    name: str
    seconds: float
    share: float | None
    written: int

    @property
    def text(self) -> str:
        """The state in one line."""
        part = f", {self.percent} of the file" if self.percent else ""
        return f"reading {self.name}: {self.seconds:.0f} s so far{part}, {self.megabytes} of rows written"

    @property
    def short_text(self) -> str:
        """The state for a narrow line: the file without its folder."""
        file = self.name.rstrip("/").rpartition("/")[2]
        part = f"{self.percent} of {file}" if self.percent else file
        return f"reading {part}, {self.seconds:.0f} s, {self.megabytes} of rows"

    @property
    def percent(self) -> str:
        """The share, rounded down so that 100 % is all of the file; empty where it is not known."""
        return "" if self.share is None else f"{int(100 * self.share)} %"

    @property
    def megabytes(self) -> str:
        """The size of the rows so far."""
        return f"{self.written / 1e6:.1f} MB"


Show = Callable[[ReadSoFar | None], None]
"""Takes the state of a read, and None when it has ended."""
_shown_by: list[Show] = []


@contextmanager
def reads_shown_by(show: Show) -> Iterator[None]:
    """Call a function about twice a second while this process reads a file, in place of lines in the log."""
    _shown_by.append(show)
    try:
        yield
    finally:
        _shown_by.remove(show)


class ReadProgress:
    """Follows the child process that reads one file.

    Args:
        name: how the file is called in messages.
        path: the file, or a folder of files.
        written: where the child writes the rows.
    """

    def __init__(self, name: str, path: Path, written: Path) -> None:
        self._name, self._path, self._written = without_credentials(name), path, written
        self._due = LOG_SECONDS
        self._share: float | None = None

    def __call__(self, pid: int, seconds: float) -> None:
        """Note that the child still reads, after some seconds."""
        if not _shown_by and seconds < self._due:
            return
        written = self._written.stat().st_size if self._written.exists() else 0
        # between two passes over the file it is not open
        self._share = share_read(pid, self._path) or self._share
        so_far = ReadSoFar(self._name, seconds, self._share, written)
        if _shown_by:
            _shown_by[-1](so_far)
            return
        self._due += LOG_SECONDS
        _LOG.info("%s", so_far.text)

    def ended(self) -> None:
        """Note that the child has ended."""
        if _shown_by:
            _shown_by[-1](None)


def share_read(pid: int, path: Path) -> float | None:
    """Return the share of a file that a process has read, by the position of its open file; None where none is open.

    A reader that maps the file into memory, or reads a folder, has no position.
    """
    with suppress(OSError):  # no /proc, or the process or its file has just ended
        size, target = path.stat().st_size, os.path.realpath(path)
        opened = [each.name for each in Path(f"/proc/{pid}/fd").iterdir() if os.path.realpath(each) == target]
        positions = [_position(pid, name) for name in opened]
        return min(max(positions) / size, 1.0) if size and max(positions, default=0) else None
    return None


def _position(pid: int, descriptor: str) -> int:
    first = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text(encoding="ascii").partition("\n")[0]
    return int(first.removeprefix("pos:"))
