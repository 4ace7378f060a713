"""Temporary folders: a full disk is a typed error, and what a killed process left is removed later."""

import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assay.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_TEXT = os.strerror(errno.ENOSPC)
_PREFIX, _LOCK, _FILES = "assay-", ".lock", "files"
_BESIDE = re.compile(r"\.assay-[a-z0-9_]{8}")
_HOUR, _DAY = 3600.0, 86400.0


@contextmanager
def scratch_folder(purpose: str) -> Iterator[str]:
    """Give a temporary folder below TMPDIR.

    A lock in it is held as long as the process lives, so that `remove_abandoned` knows the folders of killed ones.

    Args:
        purpose: part of its name.

    Raises:
        StorageError: the disk of TMPDIR is full.
    """
    try:
        with _locked_folder(f"{_PREFIX}{purpose}-", None) as files:
            yield str(files)
    except OSError as error:
        if error.errno not in _FULL and _FULL_TEXT not in str(error):
            raise
        raise StorageError(
            "the disk of temporary files is full",
            where=tempfile.gettempdir(),
            found=str(error),
            expected="room for a copy of what is read or published",
            remedy="free disk space, or set TMPDIR to a folder on a larger disk",
        ) from error


@contextmanager
def scratch_beside(target: Path) -> Iterator[Path]:
    """Give a temporary folder in a target's folder, from which the target can be moved into place.

    The target's folder is created if missing. What killed processes left in it is removed.

    Raises:
        OSError: the target's folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    now = time.time()
    for path in target.parent.iterdir():
        if _BESIDE.fullmatch(path.name) and _is_abandoned(path, now):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with _locked_folder(f".{_PREFIX}", target.parent) as files:
        yield files


@contextmanager
def _locked_folder(prefix: str, parent: Path | None) -> Iterator[Path]:
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name,
        Path(name, _LOCK).open("w", encoding="utf-8") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        files = Path(name, _FILES)
        files.mkdir()
        yield files


def _is_abandoned(path: Path, now: float) -> bool:
    """Whether what is beside a target belongs to a killed process; files without a lock are of earlier versions."""
    lock = path / _LOCK
    try:
        age = now - path.lstat().st_mtime
    except FileNotFoundError:
        return False  # its process has removed it
    return age > _HOUR and not _is_locked(lock) if lock.is_file() else age > _DAY


def remove_abandoned(*, older_than_seconds: float = _HOUR) -> list[str]:
    """Remove temporary folders whose process was killed; returns their paths.

    Args:
        older_than_seconds: younger ones stay: their process may be about to lock them.
    """
    limit, removed = time.time() - older_than_seconds, []
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # removed meanwhile, another user's, or no folder
            lock = folder / _LOCK
            if not stat.S_ISREG(lock.lstat().st_mode) or folder.stat().st_mtime > limit or _is_locked(lock):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(str(folder))
    return removed


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True  # held, or another user's
    return False
