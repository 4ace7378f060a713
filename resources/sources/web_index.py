"""Folders behind `https://`: a page that lists files, as Apache, nginx and Python's own server make them, or JSON.

A page tells names; the version of each file is asked of the server, so that a stretch costs a request for each of its
files. Does not belong here: one file (`web`).
"""

import contextlib
import fnmatch
import html.parser
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from assay.errors import SourceError, SourceNotFoundError
from resources.sources.address import is_part, without_secrets
from resources.sources.interface import FetchedFile, Page, Source, SourceObject
from resources.sources.web import WebSource
from resources.sources.web_policy import WebPolicy

_MOST_PER_PAGE = 50
_MAX_INDEX_BYTES = 64 * 1024**2


def is_web_listing(address: str) -> bool:
    """Whether an address stands for a folder's files: it ends with a stroke, or its last part has a `*`."""
    parts = urlsplit(address)
    return not parts.query and (parts.path.endswith("/") or "*" in parts.path.rsplit("/", 1)[-1])


class WebIndexSource(Source):
    """`https://host/folder/`, or `https://host/folder/*.csv`; files of the folder itself, not of those below it."""

    def __init__(self, address: str, policy: WebPolicy) -> None:
        folder, _, pattern = urlsplit(address).path.rpartition("/")
        self._folder = urlunsplit(urlsplit(address)._replace(path=f"{folder}/", fragment=""))
        self._pattern, self._policy = pattern or "*", policy
        self._listed: list[str] = []

    def objects(self) -> list[SourceObject]:
        """List the folder's files; asks the server for each."""
        return self.those(lambda _: True)

    def those(self, meant: Callable[[str], bool]) -> list[SourceObject]:
        """List the files that are meant; asks the server for each of them."""
        return self._described([address for address in self._addresses() if meant(address)])

    def page(self, after: str | None, limit: int) -> Page:
        """List a stretch of at most 50 files; the folder is asked for once for all stretches."""
        addresses = self._listed = self._listed or self._addresses()
        rest = [address for address in addresses if after is None or address > after]
        page = rest[: min(limit, _MOST_PER_PAGE)]
        return Page(self._described(page), page[-1] if len(page) < len(rest) else None)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download one of the files."""
        own = Path(tempfile.mkdtemp(dir=folder))  # every download has the same name
        return self._file(item.uri).fetch(item, own)

    def _described(self, addresses: list[str]) -> list[SourceObject]:
        described = []
        for address in addresses:
            # a listing may be older than its folder, and a link may lead nowhere
            with contextlib.suppress(SourceNotFoundError):
                described += self._file(address).objects()
        return described

    def _file(self, address: str) -> WebSource:
        return WebSource(address, self._policy)

    def _addresses(self) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="assay-index-") as folder:
            fetched = self._file(self._folder).fetch(SourceObject(self._folder, ""), Path(folder))
            if fetched.path.stat().st_size > _MAX_INDEX_BYTES:
                raise self._refused(f"a listing of more than {_MAX_INDEX_BYTES:,} bytes")
            text = fetched.path.read_text(encoding="utf-8", errors="replace")
        names = self._names_of_json(text) if text.lstrip()[:1] in {"[", "{"} else _names_of_html(text)
        found = {address for name in names if (address := self._own(name))}
        return sorted(found)

    def _own(self, name: str) -> str | None:
        """Return a name's address where it is a file of this very folder that is meant."""
        address = urljoin(self._folder, name)
        parts = urlsplit(address)
        rest = address.removeprefix(self._folder)
        inside = address.startswith(self._folder) and rest and "/" not in rest and not (parts.query or parts.fragment)
        meant = inside and fnmatch.fnmatchcase(unquote(rest), self._pattern) and is_part(unquote(rest))
        return address if meant else None

    def _names_of_json(self, text: str) -> list[str]:
        try:
            listed = json.loads(text)
        except ValueError as error:
            raise self._refused("JSON that cannot be read") from error
        if not isinstance(listed, list):
            raise self._refused("JSON that is no list")
        files = [item for item in listed if not isinstance(item, dict) or item.get("type", "file") == "file"]
        names = [item.get("name") if isinstance(item, dict) else item for item in files]
        if not all(isinstance(name, str) for name in names):
            raise self._refused("JSON whose items have no name")
        return [quote(str(name)) for name in names]

    def _refused(self, found: str) -> SourceError:
        return SourceError(
            "the folder's listing cannot be read",
            where=without_secrets(self._folder),
            found=found,
            expected="a page of links, or a JSON list of names or of objects with name and type",
            remedy="mend dataset.source, or have the server list the folder",
        )


def _names_of_html(text: str) -> Iterator[str]:
    links = _Links()
    links.feed(text)
    links.close()
    yield from links.found


class _Links(html.parser.HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a link's address."""
        if tag == "a":
            self.found += [value.strip() for name, value in attrs if name == "href" and value]
