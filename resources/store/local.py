"""A folder as an object store, and digests of files."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from assay.errors import ArtifactNotFoundError, StorageError
from resources.store.interface import ObjectStat, ObjectStore

_TEMPORARY = ".assay-"
_MODE = 0o644


class LocalStore(ObjectStore):
    """Files below a root; a file appears whole or not at all, and survives a crash once it has appeared."""

    def __init__(self, root: Path) -> None:
        self._root = root.expanduser().absolute()

    def put_file(self, key: str, path: Path, mode: int = _MODE) -> None:
        """Copy to a temporary file, flush it to disk, and move it into place."""

        def copy(target: IO[bytes]) -> None:
            with path.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)

        target = self._path(key)
        with _as_storage_error(target), _written(target, copy, mode) as temporary:
            temporary.replace(target)

    def put_copy(self, key: str, path: Path) -> None:
        """Copy with the file's mode, or a tighter one."""
        self.put_file(key, path, mode=stat.S_IMODE(path.stat().st_mode) & _MODE)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write to a temporary file and link it into place; linking fails where the name is taken."""
        target = self._path(key)
        with _as_storage_error(target), _written(target, lambda file: file.write(data)) as temporary:
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
        return True

    def replace(self, key: str, data: bytes, former: bytes) -> bool:
        """Compare and move a temporary file into place, under a lock of the folder."""
        target = self._path(key)
        with (
            _as_storage_error(target),
            _written(target, lambda file: file.write(data)) as temporary,
            _locked(target.parent),
        ):
            if not target.is_file() or target.read_bytes() != former:
                return False
            temporary.replace(target)
        return True

    def get_bytes(self, key: str) -> bytes:
        """Read the file."""
        path = self._path(key)
        with _as_storage_error(path):
            return path.read_bytes()

    def open(self, key: str) -> IO[bytes]:
        """Open the file."""
        path = self._path(key)
        with _as_storage_error(path):
            return path.open("rb")

    def stat(self, key: str) -> ObjectStat | None:
        """Read the file's status."""
        path = self._path(key)
        try:
            with _as_storage_error(path):
                state = path.stat()
        except ArtifactNotFoundError:
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        return ObjectStat(key=key, size=state.st_size, modified=state.st_mtime)

    def list_objects(self, prefix: str) -> Iterator[ObjectStat]:
        """Walk the folder that the prefix names; a folder that cannot be read is an error, not an empty one."""
        folder = self._path(prefix.rpartition("/")[0])
        with _as_storage_error(folder):
            keys = sorted(path.relative_to(self._root).as_posix() for path in _files_below(folder))
        for key in keys:
            found = self.stat(key) if key.startswith(prefix) else None
            if found is not None:
                yield found

    def delete(self, key: str) -> None:
        """Unlink the file."""
        path = self._path(key)
        with _as_storage_error(path):
            path.unlink(missing_ok=True)

    def remove_unfinished(self, *, before: float) -> list[str]:
        """Unlink temporary files of killed writers."""
        removed = []
        with _as_storage_error(self._root):
            for parent, _, names in os.walk(self._root, onerror=_refused):
                for path in (Path(parent, name) for name in names if name.startswith(_TEMPORARY)):
                    if path.lstat().st_mtime < before:
                        path.unlink(missing_ok=True)
                        removed.append(path.relative_to(self._root).as_posix())
        return removed

    def uri(self, key: str) -> str:
        """Return the file's path."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise StorageError("a key may not leave the store", where=str(self._root), found=key)
        return path


@contextmanager
def _written(target: Path, write: Callable[[IO[bytes]], object], mode: int = _MODE) -> Iterator[Path]:
    """Give a flushed temporary file beside the target, and remove it in any case."""
    if target.is_dir():
        raise StorageError(
            "a folder has the name of an object that is to be written",
            where=str(target),
            expected="folders of the store that Assay made itself",
            remedy="move the folder out of the store",
        )
    changed = _made_folders(target.parent)
    handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        yield temporary
        for folder in changed:
            _flush_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)


def _made_folders(folder: Path) -> list[Path]:
    """Make a folder; return the folders to flush: itself, and each parent that got a new folder."""
    changed = [folder]
    while not changed[-1].exists():
        changed.append(changed[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    return changed


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, onerror=_refused):
        yield from (Path(parent, name) for name in names if not name.startswith(_TEMPORARY))


def _refused(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):  # a folder that is not there holds nothing
        raise error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _as_storage_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ArtifactNotFoundError("there is no such object", where=str(path)) from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        if error.errno == errno.ENAMETOOLONG:
            raise StorageError(
                "a name is too long for the file system",
                where=str(path),
                found=f"{len(os.fsencode(path.name))} bytes",
                expected="at most 255 bytes for each name, and 4,095 for the whole path",
                remedy="shorten the name of the pipeline, partition or registered model, or the path of the store",
            ) from error
        raise StorageError(
            "the disk is full" if full else "the folder cannot be used",
            where=str(path),
            found=str(error),
            remedy="free disk space" if full else "check ASSAY_STORAGE_URI and the folder's permissions",
        ) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
