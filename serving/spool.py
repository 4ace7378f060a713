"""Rows of the prediction log on this machine's disk, until the store has them.

A file is a sequence of frames: length, CRC-32, and rows as an Arrow stream. What was flushed is whole; the frame that a
crash cut short was acknowledged to nobody and is left out. Its writer holds a lock on the file for as long as it lives,
so that another process recognises the file of a killed one by getting the lock. The file's name is the object's, so
that the rows have one name in the store, whichever process writes them.
"""

import datetime as dt
import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from resources.prediction_log import LogObject

_FRAME = struct.Struct("<II")
_SUFFIX, _NEW, _ASIDE = ".rows", ".new", ".damaged"
_HOUR, _NAME = "%Y%m%dT%H", re.compile(r"([0-9]{8}T[0-9]{2})-([a-z0-9]+-[0-9]{8})\.rows")
_MODE = 0o600
"""Rows may hold keys of people: the owner alone reads them."""


@dataclass
class SpoolFile:
    """One object's rows on disk, locked by this process.

    Attributes:
        path: of the file.
        made: the object that it becomes.
    """

    path: Path
    made: LogObject
    _handle: int

    @classmethod
    def create(cls, folder: Path, made: LogObject) -> "SpoolFile":
        """Make an empty file.

        Raises:
            OSError: the disk cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{made.hour:{_HOUR}}-{made.name}{_SUFFIX}"
        new = path.with_suffix(_NEW)
        handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE)
        # locked before it has the name by which others find it
        fcntl.flock(handle, fcntl.LOCK_EX)
        new.rename(path)
        _flush_folder(folder)
        return cls(path, made, handle)

    def append(self, rows: pa.Table) -> None:
        """Write rows, and wait until they are on the disk.

        Raises:
            OSError: they are not; the file takes no more.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        data = sink.getvalue().to_pybytes()
        rest = memoryview(_FRAME.pack(len(data), zlib.crc32(data)) + data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        os.fsync(self._handle)

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows of each whole frame."""
        size, position = os.fstat(self._handle).st_size, 0
        while position + _FRAME.size <= size:
            length, checksum = _FRAME.unpack(os.pread(self._handle, _FRAME.size, position))
            data = os.pread(self._handle, length, position + _FRAME.size)
            if len(data) < length or zlib.crc32(data) != checksum:
                return
            yield pa.ipc.open_stream(data).read_all()
            position += _FRAME.size + length

    def remove(self) -> None:
        """Remove the file, whose rows the store has."""
        self.path.unlink(missing_ok=True)
        self.close()

    def set_aside(self) -> None:
        """Keep the file for people, under a name that nobody tries to store again."""
        self.path.rename(self.path.with_suffix(_ASIDE))
        self.close()

    def close(self) -> None:
        """Give the file up, for another process to finish."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def left_behind(folder: Path) -> Iterator[SpoolFile]:
    """Yield the files of processes that have ended, each locked by this one now; files of living ones stay."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        made = LogObject.named(dt.datetime.strptime(match[1], _HOUR).replace(tzinfo=dt.UTC), match[2])
        handle = _locked(path) if made is not None else None
        if handle is not None and made is not None:
            yield SpoolFile(path, made, handle)


def _locked(path: Path) -> int | None:
    """Return a handle of a file that nobody else has; None where its writer lives, or has just removed it."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists() and os.path.samestat(path.stat(), os.fstat(handle)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
