"""What every scheme offers.

Does not belong here: any scheme.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assay.specs.dataset import DataFormat


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One object of a source.

    Attributes:
        uri: its full name, without credentials.
        version: changes whenever its content does.
        size: bytes; None where the scheme does not tell.
    """

    uri: str
    version: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """An object brought to this machine.

    Attributes:
        path: the file.
        uri: where it came from.
        version: of the object.
        data_format: where the source knows it; None where the pipeline says.
    """

    path: Path
    uri: str
    version: str
    data_format: DataFormat | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a listing.

    Attributes:
        objects: all objects of the stretch, by URI.
        last: up to which URI it goes; None where the listing ends.
    """

    objects: list[SourceObject]
    last: str | None


class Source(ABC):
    """One address: a single object, or a glob over several."""

    @abstractmethod
    def objects(self) -> list[SourceObject]:
        """List what the address names, by URI; empty when a glob matches nothing.

        Raises:
            SourceError: the address cannot be listed.
        """

    def those(self, meant: Callable[[str], bool]) -> list[SourceObject]:
        """List the objects whose URI is meant.

        Raises:
            SourceError: the address cannot be listed.
        """
        return [item for item in self.objects() if meant(item.uri)]

    def page(self, after: str | None, limit: int) -> Page:
        """List a stretch of what `objects` lists, at a cost that does not grow with the rest of it.

        Args:
            after: the stretch begins after this URI; None for the first.
            limit: how many names to go through; a source whose names are dear may end the stretch earlier.

        Raises:
            SourceError: the address cannot be listed.
        """
        found = [item for item in self.objects() if after is None or item.uri > after]
        return Page(found[:limit], found[limit - 1].uri if len(found) > limit else None)

    @abstractmethod
    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Bring one object to a file below `folder`, or name it where it already is a local file.

        Raises:
            SourceError: the object cannot be read.
        """
