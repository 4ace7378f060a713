"""Files behind `https://`.

Folders behind `https://`: a page that lists files, as Apache, nginx and Python's own server make them, or JSON.

A page tells names; the version of each file is asked of the server, so that a stretch costs a request for each of its
files.
"""

import contextlib
import fnmatch
import hashlib
import html.parser
import http.client
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError
from resources.sources.address import is_part, refuse_credentials, without_secrets
from resources.sources.interface import FetchedFile, Page, Source, SourceObject
from resources.sources.web_exchange import Deadline, exchange
from resources.sources.web_policy import ANY_PUBLIC_HOST, WebPolicy

MAX_BYTES = 8 * 1024**3
DEADLINE_SECONDS = 600.0
_STEP = 1 << 20
_HEAD_NOT_ALLOWED = frozenset({403, 405, 501})
_ABSENT = frozenset({404, 410})
_WELL = range(200, 300)
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_HEADER = 16 + zlib.MAX_WBITS


class WebSource(Source):
    """One file; plain `http://` is taken from this machine alone."""

    def __init__(self, address: str, policy: WebPolicy = ANY_PUBLIC_HOST) -> None:
        self._address = address
        self._shown = without_secrets(address)
        self._policy = policy
        refuse_credentials(address)

    def objects(self) -> list[SourceObject]:
        """Ask the server for the file's ETag, or its date and size; the version is empty where it tells neither."""
        try:
            return [self._told("HEAD")]
        except _HeadRefusedError:
            return [self._told("GET")]  # signed addresses allow one method only

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the file, bounded in bytes and in total time.

        The version is that of the downloaded bytes, which may be newer than the listed one; their digest where the
        server tells none.
        """
        path, deadline = folder / "download", Deadline.after(DEADLINE_SECONDS)
        with self._opened("GET", deadline) as answer, path.open("wb") as file:
            digest = self._copied(answer, file, deadline)
        return FetchedFile(path=path, uri=item.uri, version=_version(answer) or f"sha256-{digest}")

    def _told(self, method: str) -> SourceObject:
        with self._opened(method, Deadline.after(DEADLINE_SECONDS)) as answer:
            return SourceObject(self._shown, _version(answer), None if _coding(answer) else _announced(answer))

    def _copied(self, answer: http.client.HTTPResponse, file: IO[bytes], deadline: Deadline) -> str:
        announced, coding = _announced(answer), _coding(answer)
        if announced is not None and announced > MAX_BYTES:
            raise self._past_bounds(announced)
        unpack = self._unpacker(coding)
        digest, came = hashlib.sha256(), 0
        while block := answer.read1(_STEP):  # returns what has come, so that the deadline is looked at
            came += len(block)
            for part in unpack.parts(block) if unpack else [block]:
                file.write(part)
                digest.update(part)
                if max(came, file.tell()) > MAX_BYTES or deadline.left < 0:
                    raise self._past_bounds(file.tell())
        if (announced is not None and announced != came) or (unpack and not unpack.whole):
            raise SourceUnreachableError(
                "the download broke off",
                where=self._shown,
                found=f"{came:,} bytes",
                expected=f"{announced:,} bytes" if announced is not None else "the end of what is packed",
                remedy="run again",
            )
        return digest.hexdigest()

    def _unpacker(self, coding: str) -> "_Gunzip | None":
        if coding in _GZIP and self._shown.lower().endswith(".gz"):
            return None  # servers that call the file's own packing a coding; browsers keep it packed too
        if coding and coding not in _GZIP:
            raise SourceError(
                "the server packs the file in a way that was not asked for",
                where=self._shown,
                found=f"Content-Encoding: {coding[:40]}",
                expected="none, or gzip",
                remedy="have the server send the file as it is, or use a local copy",
            )
        return _Gunzip() if coding else None

    def _past_bounds(self, size: int) -> SourceError:
        return SourceError(
            "the download went past its bounds",
            where=self._shown,
            found=f"{size:,} bytes so far",
            expected=f"at most {MAX_BYTES:,} bytes within {DEADLINE_SECONDS:.0f} s",
        )

    @contextmanager
    def _opened(self, method: str, deadline: Deadline) -> Iterator[http.client.HTTPResponse]:
        try:
            with exchange(method, self._address, self._policy, deadline) as answer:
                if answer.status not in _WELL:
                    raise self._refused(answer.status, method)
                yield answer
        except (OSError, http.client.HTTPException, zlib.error) as error:
            if deadline.left < 0:
                raise self._past_bounds(0) from error
            raise SourceUnreachableError(
                f"the server does not answer: {type(error).__name__}",
                where=self._shown,
                found=str(getattr(error, "strerror", None) or ""),  # an invalid URL's own message shows its query
                remedy="check address and network, and run again",
            ) from error

    def _refused(self, status: int, method: str) -> SourceError:
        if method == "HEAD" and status in _HEAD_NOT_ALLOWED:
            return _HeadRefusedError("the server answers no HEAD", where=self._shown)
        kind = SourceNotFoundError if status in _ABSENT else SourceError
        return kind(
            "the server refused the file",
            where=self._shown,
            found=f"HTTP {status}",
            remedy="check the address, and whether it is open to this machine",
        )


class _HeadRefusedError(SourceError):
    """The server may still answer a GET."""


class _Gunzip:
    """Unpacks what comes, step by step, so that a little of it cannot become much in memory."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_HEADER)

    @property
    def whole(self) -> bool:
        """Whether the end was reached, and nothing follows it."""
        return self._stream.eof and not self._stream.unused_data

    def parts(self, block: bytes) -> Iterator[bytes]:
        while block and not self._stream.eof:
            yield self._stream.decompress(block, _STEP)
            block = self._stream.unconsumed_tail


def _coding(answer: http.client.HTTPResponse) -> str:
    coding = str(answer.headers.get("Content-Encoding", "")).strip().lower()
    return "" if coding == "identity" else coding


def _announced(answer: http.client.HTTPResponse) -> int | None:
    size = str(answer.headers.get("Content-Length", ""))
    return int(size) if size.isdecimal() else None


def _version(answer: http.client.HTTPResponse) -> str:
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    if etag:
        return str(etag).strip('"')
    return f"{modified}-{answer.headers.get('Content-Length', '')}" if modified else ""


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
