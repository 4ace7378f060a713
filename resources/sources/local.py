"""Local files, folders and globs.

Does not belong here: other schemes.
"""

import glob
import hashlib
from pathlib import Path

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import is_glob, is_part
from resources.sources.interface import FetchedFile, Source, SourceObject

_ONE_DATASET = (".parquet", ".pq")
"""A folder of such a name is one object, as its writers mean it."""


class LocalSource(Source):
    """A path, a folder, or a glob, relative to the working directory."""

    def __init__(self, address: str) -> None:
        self._address = address

    def objects(self) -> list[SourceObject]:
        """List the files; a path without wildcards must exist, and one that exists is no glob.

        A folder stands for every file below it, but one called `*.parquet` for itself.
        """
        try:
            return [_described(path) for path in self._found()]
        except OSError as error:  # a folder that may not be entered, a name that is too long
            raise SourceError("the source cannot be read", where=self._address, found=str(error.strerror)) from error

    def _found(self) -> list[Path]:
        path = Path(self._address).expanduser()
        if path.is_file() or _is_dataset(path):
            return [path]
        if path.is_dir():
            return _parts(path)
        if not is_glob(self._address):
            if self._address.endswith("/"):
                return []  # a folder may come with its first file, as in S3
            raise SourceNotFoundError(
                "the source does not exist",
                where=self._address,
                found=f"no file {path.absolute()}",
                remedy="mend dataset.source, or set the run parameter data_source",
            )
        found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute globs
        return _single(found)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:  # noqa: ARG002 - a local file stays where it is
        """Name the file where it is."""
        return FetchedFile(path=Path(item.uri), uri=item.uri, version=item.version)


def _is_dataset(path: Path) -> bool:
    return path.name.endswith(_ONE_DATASET) and path.is_dir()


def _parts(folder: Path) -> list[Path]:
    parts = [path for path in folder.rglob("*") if is_part(path.relative_to(folder).as_posix())]
    return sorted(_single(parts), key=str)


def _single(found: list[Path]) -> list[Path]:
    """Return what is an object: files, and folders that are one, without the files in them."""
    whole = {path for path in found if _is_dataset(path)}
    return [path for path in found if (path.is_file() or path in whole) and not whole.intersection(path.parents)]


def _described(path: Path) -> SourceObject:
    state = path.stat()
    if path.is_file():
        return SourceObject(uri=str(path), version=f"{state.st_mtime_ns}-{state.st_size}", size=state.st_size)
    states = {part.relative_to(path).as_posix(): part.stat() for part in path.rglob("*") if part.is_file()}
    told = "".join(f"{name}\0{states[name].st_mtime_ns}-{states[name].st_size}\n" for name in sorted(states))
    version = f"sha256-{hashlib.sha256(told.encode(errors='surrogateescape')).hexdigest()}"
    return SourceObject(uri=str(path), version=version, size=sum(state.st_size for state in states.values()))
