"""Local files and globs.

Does not belong here: other schemes.
"""

import glob
from pathlib import Path

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import is_glob
from resources.sources.interface import FetchedFile, Source, SourceObject


class LocalSource(Source):
    """A path, or a glob, relative to the working directory."""

    def __init__(self, address: str) -> None:
        self._address = address

    def objects(self) -> list[SourceObject]:
        """List the files; a path without wildcards must exist, and one that exists is no glob."""
        try:
            return self._found()
        except OSError as error:  # a folder that may not be entered, a name that is too long
            raise SourceError("the source cannot be read", where=self._address, found=str(error.strerror)) from error

    def _found(self) -> list[SourceObject]:
        path = Path(self._address).expanduser()
        if path.is_file() or not is_glob(self._address):
            if not path.is_file():
                raise SourceNotFoundError(
                    "the source does not exist",
                    where=self._address,
                    found=f"no file {path.absolute()}",
                    remedy="mend dataset.source, or set the run parameter data_source",
                )
            return [_described(path)]
        found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute globs
        return [_described(Path(name)) for name in found if Path(name).is_file()]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:  # noqa: ARG002 - a local file stays where it is
        """Name the file where it is."""
        return FetchedFile(path=Path(item.uri), uri=item.uri, version=item.version)


def _described(path: Path) -> SourceObject:
    state = path.stat()
    return SourceObject(uri=str(path), version=f"{state.st_mtime_ns}-{state.st_size}", size=state.st_size)
