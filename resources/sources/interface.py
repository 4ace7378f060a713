"""What every source offers, and how it is registered."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from assay.specs.dataset import DataFormat
from resources.sources.cache import NO_CACHE, SourceCache
from resources.sources.query import Query
from resources.sources.web_connection import ANY_PUBLIC_HOST, WebPolicy

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

    from assay.arrivals.ledger import ListedObject


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One object of a source.

    Attributes:
        uri: full name, without credentials.
        version: changes with the content; empty where the source reports none.
        size: bytes; None where unknown.
    """

    uri: str
    version: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """An object as a local file.

    Attributes:
        path: the file.
        uri: where it came from.
        version: of the object.
        data_format: where the source decides it; None where the pipeline does.
        unchanged_since: when it was fetched, of a file from the cache; None of one that was fetched now.
    """

    path: Path
    uri: str
    version: str
    data_format: DataFormat | None = None
    unchanged_since: dt.datetime | None = None


def from_the_cache(files: Sequence[FetchedFile]) -> str:
    """Return which files were not fetched, and since when they are unchanged at least; empty where all were."""
    times = [file.unchanged_since for file in files if file.unchanged_since is not None]
    if not times:
        return ""
    which = "" if len(files) == 1 else f"{len(times):,} of {len(files):,} files "
    return f"{which}unchanged since {min(times):%Y-%m-%d %H:%M} UTC, from the cache"


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing.

    Attributes:
        objects: by URI.
        last: the page's last URI; None at the end of the listing.
        set_aside: reasons by name of what cannot be an object.
    """

    objects: list[SourceObject]
    last: str | None
    set_aside: Mapping[str, str] = field(default_factory=dict)


class Source(ABC):
    """One address: a single object, or several.

    Attributes:
        appears_whole: whether no object is listed before it is complete.
    """

    appears_whole: ClassVar[bool] = True

    @abstractmethod
    def objects(self) -> list[SourceObject]:
        """List the objects by URI; empty when a glob matches nothing.

        Raises:
            SourceError: the address cannot be listed.
        """

    def matching(self, wanted: Callable[[str], bool]) -> list[SourceObject]:
        """List the objects whose URI is wanted.

        Raises:
            SourceError: the address cannot be listed.
        """
        return [item for item in self.objects() if wanted(item.uri)]

    def page(self, after: str | None, limit: int) -> ListingPage:
        """List the page of `objects` after a URI, at a cost that does not grow with the rest.

        `limit` names are read; a source that reads names slowly may return a shorter page.

        Raises:
            SourceError: the address cannot be listed.
        """
        found = [item for item in self.objects() if after is None or item.uri > after]
        return ListingPage(found[:limit], found[limit - 1].uri if len(found) > limit else None)

    def name_of(self, uri: str) -> str:
        """Return an object's name below the folder of the address; it makes the partition of the object."""
        return uri.rsplit("/", 1)[-1]

    def content_of(self, item: "ListedObject") -> str:  # noqa: ARG002 - versions of most sources follow the content
        """Return the digest of an object's bytes; empty where it is unknown or not cheap."""
        return ""

    @abstractmethod
    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Copy one object to a file below `folder`, or return its path if it is a local file.

        Raises:
            SourceError: the object cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Access:
    """What a deployment gives its sources.

    Attributes:
        s3_client: creates the client; called for `s3://` only.
        web: which hosts may be requested.
        connections: URLs of SQL databases by name; they hold passwords.
        query_seconds: how long one query may take.
        query_memory_mb: memory of a query on a database file, in MiB.
        cache: of fetched objects.
    """

    s3_client: "Callable[[], S3Client]"
    web: WebPolicy = ANY_PUBLIC_HOST
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    query_seconds: float = 600.0
    query_memory_mb: int = 4096
    cache: SourceCache = NO_CACHE


@dataclass(frozen=True, slots=True)
class SourceKind:
    """Registry entry of a source: what its addresses are, and how they are opened.

    Attributes:
        schemes: of its addresses; `file` stands for paths.
        form: of its addresses, for messages.
        open: returns the source of an address; None for a database.
        query: returns the source of a database's address and a query; None for files.
    """

    schemes: tuple[str, ...]
    form: str
    open: Callable[[str, Access], Source] | None = None
    query: Callable[[str, Access, Query], Source] | None = None
