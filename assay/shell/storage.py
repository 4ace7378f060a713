"""Where commands read from and write to: the port, local files, and adapters of other schemes by entry points."""

import ctypes
import errno
import glob
import importlib.metadata
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from assay.errors import AssayError, SourceError, SourceNotFoundError, StorageError, TargetExistsError
from assay.reading.source_files import LocalFile
from assay.results.bundle import MANIFEST_FILE, folder_of, new_folder, placed, same_bundle
from assay.scratch import scratch_beside, scratch_folder
from assay.specs.dataset import DataFormat


def adapter(group: str, name: str, *, error: type[AssayError], what: str, where: str, expected: str = "") -> Any:
    """Return what an entry point names.

    Raises:
        AssayError: of the kind `error`; there is no such entry point, or what it names is not installed.
    """
    found = list(importlib.metadata.entry_points(group=group, name=name))
    if not found:
        has_platform = bool(importlib.metadata.entry_points(group=GROUP, name=VARIABLES))
        remedy = "copy the files to this machine" if has_platform else _REMEDY
        raise error(what, where=where, found=f"no adapter for '{name}'", expected=expected, remedy=remedy)
    try:
        return found[0].load()
    except ModuleNotFoundError as missing:
        absent = f"the adapter for '{name}' needs the module '{missing.name}', which is not installed"
        raise error(what, where=where, found=absent, expected=expected, remedy=_REMEDY) from missing


_REMEDY = (
    "install the platform (uv sync in a checkout) and run the command in its folder; or copy the files to this machine"
)

GROUP = "assay.storage"
VARIABLES = "variables"
"""The entry point for addresses with `${NAME}`: the domain does not read the environment."""
_ADDRESSES = "a local path, s3://bucket/key, or https:// and demo:// to read from"


class Storage(Protocol):
    """What every scheme offers."""

    def fetch(self, uri: str, folder: Path) -> Sequence[LocalFile]:
        """Fetch the files of an address to this machine: at least one, those of a glob in order.

        Raises:
            SourceError: there is no such file, or it cannot be read.
        """

    def require_target(self, uri: str) -> None:
        """Refuse an address that cannot be written to, as far as this is known before any work is done.

        Raises:
            StorageError: nothing can be written there.
        """

    def put(self, path: Path, uri: str) -> None:
        """Copy a file to an address atomically.

        Raises:
            StorageError: it cannot be written.
        """

    def has_file(self, uri: str) -> bool:
        """Whether there is a file at an address.

        Raises:
            StorageError: the store does not answer.
        """

    def put_bundle(self, folder: Path, uri: str, *, overwrite: bool = False) -> None:
        """Copy a model's bundle to an address; at every moment the manifest there names files of one bundle.

        Of two first writers exactly one succeeds.

        Raises:
            TargetExistsError: the address has a bundle already, and it may not be overwritten.
            StorageError: they cannot be written.
        """


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of this machine."""

    path: Path
    uri: str
    data_format: DataFormat | None = None


class LocalStorage:
    """Paths relative to the working directory, and `file://`."""

    def fetch(self, uri: str, folder: Path) -> Sequence[LocalFile]:  # noqa: ARG002 - local files stay where they are
        """Name the file, or the files of a glob, where they are."""
        path = _local(uri)
        found = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute globs
        if not found:
            raise SourceNotFoundError(
                "the file does not exist",
                where=uri,
                found=f"no {path.absolute()}",
                remedy="correct the address",
            )
        return [NamedFile(each, str(each)) for each in found]

    def require_target(self, uri: str) -> None:
        """Check that the nearest existing parent is a folder."""
        target = _local(uri).absolute()
        nearest = next(parent for parent in target.parents if parent.exists())
        if not nearest.is_dir():
            raise StorageError("the result cannot be written", where=uri, found=f"{nearest} is no folder")

    def put(self, path: Path, uri: str) -> None:
        """Copy to a temporary file beside the target, flush it, and move it into place."""
        target = _local(uri)
        with _storage_errors(uri), scratch_beside(target) as scratch:
            new = scratch / "new"
            new.touch(0o600)
            with new.open("wb") as written, path.open("rb") as source:
                shutil.copyfileobj(source, written, 1 << 20)
                written.flush()
                os.fsync(written.fileno())
            # a copy of a refused file is no more readable than the file
            new.chmod(0o644 & path.stat().st_mode | 0o600)
            new.replace(target)

    def has_file(self, uri: str) -> bool:
        """Ask the file system."""
        with _storage_errors(uri):
            return _local(uri).exists()

    def put_bundle(self, folder: Path, uri: str, *, overwrite: bool = False) -> None:
        """Copy to a temporary folder beside the target, and move it into place or exchange it with a former one."""
        target = _local(uri)
        with _storage_errors(uri), scratch_beside(target) as scratch:
            new = scratch / "new"
            shutil.copytree(folder, new)
            try:
                new.rename(target)  # refused by the system where there is a folder with files
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                if not overwrite:
                    if _has_same(target, folder):
                        return
                    raise TargetExistsError.at(uri) from error
                if not _exchanged(new, target):
                    _replace_manifest(new, target)


class AnyStorage:
    """Every scheme: local files, and what the installed adapters bring."""

    def fetch(self, uri: str, folder: Path) -> Sequence[LocalFile]:
        """Fetch by the address's scheme."""
        return self._of(uri, SourceError).fetch(uri, folder)

    def require_target(self, uri: str) -> None:
        """Check by the address's scheme."""
        self._of(uri, StorageError).require_target(uri)

    def put(self, path: Path, uri: str) -> None:
        """Put by the address's scheme."""
        self._of(uri, StorageError).put(path, uri)

    def has_file(self, uri: str) -> bool:
        """Ask by the address's scheme."""
        return self._of(uri, StorageError).has_file(uri)

    def put_bundle(self, folder: Path, uri: str, *, overwrite: bool = False) -> None:
        """Put by the address's scheme."""
        self._of(uri, StorageError).put_bundle(folder, uri, overwrite=overwrite)

    def _of(self, uri: str, error: type[SourceError | StorageError]) -> Storage:
        scheme = VARIABLES if "${" in uri else uri.partition("://")[0] if "://" in uri else "file"
        if scheme == "file":
            return LocalStorage()
        what = f"{scheme}:// cannot be used here" if scheme != VARIABLES else "${...} cannot be filled in here"
        where = f"{scheme}://..." if "@" in uri else uri
        make = adapter(GROUP, scheme, error=error, what=what, where=where, expected=_ADDRESSES)
        made: Storage = make()
        return made


_EXCHANGE = 2  # RENAME_EXCHANGE of Linux
_WORKING_FOLDER = -100  # AT_FDCWD


def _exchanged(new: Path, target: Path) -> bool:
    """Swap two folders in one step; return whether the system could."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return (
        swap is not None
        and swap(_WORKING_FOLDER, os.fsencode(new), _WORKING_FOLDER, os.fsencode(target), _EXCHANGE) == 0
    )


def _has_same(target: Path, folder: Path) -> bool:
    there, here = target / MANIFEST_FILE, folder / MANIFEST_FILE
    return there.is_file() and same_bundle(there.read_bytes(), here.read_bytes())


def _replace_manifest(new: Path, target: Path) -> None:
    """Put the files into a folder of their own in the target, replace its manifest, and remove the former files."""
    folder, there = new_folder(), target / MANIFEST_FILE
    former = folder_of(there.read_bytes()) if there.exists() else ""
    manifest = new.with_name(MANIFEST_FILE)
    (new / MANIFEST_FILE).rename(manifest)
    manifest.write_bytes(placed(manifest.read_bytes(), folder))
    new.rename(target / folder)
    manifest.replace(there)
    if former:
        shutil.rmtree(target / former, ignore_errors=True)
    for path in (target / folder).iterdir():
        (target / path.name).unlink(missing_ok=True)


def put_text(storage: Storage, text: str, uri: str) -> None:
    """Write a text to an address.

    Raises:
        StorageError: it cannot be written.
    """
    with scratch_folder("text") as folder:
        path = Path(folder) / "text"
        path.write_text(text, encoding="utf-8")
        storage.put(path, uri)


def joined(folder: str, *names: str) -> str:
    """Return the address of something in a folder."""
    return "/".join((folder.rstrip("/"), *names))


def _local(uri: str) -> Path:
    return Path(uri.removeprefix("file://")).expanduser()


@contextmanager
def _storage_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise StorageError(
            "the disk is full" if full else "the result cannot be written",
            where=uri,
            found=str(error),
            remedy="make room" if full else "check the path and the folder's permissions",
        ) from error
