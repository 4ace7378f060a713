"""Local files, folders and globs.

Does not belong here: other schemes.
"""

import hashlib
import stat
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import is_glob, is_part
from resources.sources.interface import FetchedFile, Page, Source, SourceObject
from resources.sources.local_names import is_dataset_name, names_below, names_matching


class LocalSource(Source):
    """A path, a folder, or a glob, relative to the working directory."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._listed: list[str] = []

    def objects(self) -> list[SourceObject]:
        """List the files; a path without wildcards must exist, and one that exists is no glob.

        A folder stands for every file below it, but one called `*.parquet` for itself.
        """
        return self.those(lambda _: True)

    def those(self, meant: Callable[[str], bool]) -> list[SourceObject]:
        """List the files that are meant; the others are not looked at."""
        with self._told():
            return [_described(name) for name in self._names() if meant(name)]

    def page(self, after: str | None, limit: int) -> Page:
        """List a stretch; names are looked at once for all stretches, files for the stretch alone."""
        with self._told():
            names = self._listed = self._listed or self._names()
            first = bisect_right(names, after) if after is not None else 0
            page = names[first : first + limit]
            items = [item for name in page if (item := _described_if_there(name))]
            return Page(items, page[-1] if len(names) > first + limit else None)

    def _names(self) -> list[str]:
        path = Path(self._address).expanduser()
        if path.is_file() or (is_dataset_name(path.name) and path.is_dir()):
            return [str(path)]
        if path.is_dir():
            return [name for name in names_below(str(path)) if is_part(Path(name).relative_to(path).as_posix())]
        if not is_glob(self._address):
            if self._address.endswith("/"):
                return []  # a folder may come with its first file, as in S3
            raise SourceNotFoundError(
                "the source does not exist",
                where=self._address,
                found=f"no file {path.absolute()}",
                remedy="mend dataset.source, or set the run parameter data_source",
            )
        return names_matching(str(path))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # a folder that may not be entered, a name that is too long
            raise SourceError("the source cannot be read", where=self._address, found=str(error.strerror)) from error

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:  # noqa: ARG002 - a local file stays where it is
        """Name the file where it is."""
        return FetchedFile(path=Path(item.uri), uri=item.uri, version=item.version)


def _described_if_there(name: str) -> SourceObject | None:
    try:
        return _described(name)
    except FileNotFoundError:
        return None  # deleted since its name was listed


def _described(name: str) -> SourceObject:
    path = Path(name)
    state = path.stat()
    if stat.S_ISREG(state.st_mode):
        return SourceObject(uri=name, version=f"{state.st_mtime_ns}-{state.st_size}", size=state.st_size)
    states = {part.relative_to(path).as_posix(): part.stat() for part in path.rglob("*") if part.is_file()}
    told = "".join(f"{name}\0{states[name].st_mtime_ns}-{states[name].st_size}\n" for name in sorted(states))
    version = f"sha256-{hashlib.sha256(told.encode(errors='surrogateescape')).hexdigest()}"
    return SourceObject(uri=str(path), version=version, size=sum(state.st_size for state in states.values()))
