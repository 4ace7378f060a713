"""Files behind `https://`, and folders: a page of links (Apache, nginx, Python's server) or a JSON list.

A folder's page gives names only. The version of each file costs one request, so pages of a listing are short.
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

from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from assay.errors import Remedy, SourceError, SourceNotFoundError, SourceUnreachableError
from assay.scratch import scratch_folder
from resources.sources.address import is_part, refuse_credentials, without_secrets
from resources.sources.cache import NO_CACHE, KeptObject, SourceCache
from resources.sources.interface import Access, FetchedFile, ListingPage, Source, SourceKind, SourceObject
from resources.sources.web_connection import ANY_PUBLIC_HOST, Deadline, WebPolicy, exchange

MAX_BYTES = 8 * 1024**3
DEADLINE_SECONDS = 600.0
_BLOCK = 1 << 20
_HEAD_NOT_ALLOWED = frozenset({403, 405, 501})
_NOT_MODIFIED = 304
_ABSENT = frozenset({404, 410})
_SUCCESS = range(200, 300)
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_HEADER = 16 + zlib.MAX_WBITS
_MOST_PER_PAGE = 50
_MAX_LISTING_BYTES = 64 * 1024**2


def _open(address: str, access: Access) -> Source:
    parts = urlsplit(address)
    is_folder = not parts.query and (parts.path.endswith("/") or "*" in parts.path.rsplit("/", 1)[-1])
    kind = WebFolderSource if is_folder else WebSource
    return kind(address, access.web, access.cache)


KIND = SourceKind(("https", "http"), "https://host/file", _open)


class WebSource(Source):
    """One file; plain `http://` only of this machine."""

    def __init__(self, address: str, policy: WebPolicy = ANY_PUBLIC_HOST, cache: SourceCache = NO_CACHE) -> None:
        self._address = address
        self._cache = cache
        self._shown = without_secrets(address)
        self._policy = policy
        refuse_credentials(address)

    def objects(self) -> list[SourceObject]:
        """Request the file's ETag, or its date and size; the version is empty where the server sends neither."""
        try:
            return [self._described("HEAD")]
        except _HeadRefusedError:
            return [self._described("GET")]  # signed addresses allow one method only

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the file, bounded in bytes and in total time; one that is unchanged is copied from the cache.

        The version is that of the downloaded bytes, which may be newer than the listed one; their digest where the
        server sends none.
        """
        path, deadline = folder / "download", Deadline.after(DEADLINE_SECONDS)
        with self._cache.kept(self._address) as kept:
            if kept is not None and self._is_unchanged(kept, item, deadline) and kept.copied_to(path):
                return FetchedFile(path, item.uri, kept.etag.strip('"'), unchanged_since=kept.unchanged_since)
        with self._opened("GET", deadline) as answer, path.open("wb") as file:
            digest = self._copy(answer, file, deadline)
        if item.version:
            self._cache.keep(self._address, path, etag=answer.headers.get("ETag", ""), address=answer.url or "")
        return FetchedFile(path=path, uri=item.uri, version=_version(answer) or f"sha256-{digest}")

    def _is_unchanged(self, kept: KeptObject, item: SourceObject, deadline: Deadline) -> bool:
        """Whether the server still has the kept version at the address from which it came."""
        if item.version != kept.etag.strip('"'):
            return False
        with self._opened("GET", deadline, unless=kept.etag) as answer:
            return answer.status == _NOT_MODIFIED and kept.came_from(answer.url or "")

    def _described(self, method: str) -> SourceObject:
        with self._opened(method, Deadline.after(DEADLINE_SECONDS)) as answer:
            return SourceObject(self._shown, _version(answer), None if _coding(answer) else _announced(answer))

    def _copy(self, answer: HTTPResponse, file: IO[bytes], deadline: Deadline) -> str:
        """Write the body, unpacked, and return its SHA-256."""
        announced = _announced(answer)
        if announced is not None and announced > MAX_BYTES:
            raise self._past_bounds(announced)
        unpack = self._unpacker(_coding(answer))
        digest, received = hashlib.sha256(), 0
        while block := answer.read1(_BLOCK, decode_content=False):  # returns what is there, to check the deadline
            received += len(block)
            for part in unpack.parts(block) if unpack else [block]:
                file.write(part)
                digest.update(part)
                if max(received, file.tell()) > MAX_BYTES or deadline.left < 0:
                    raise self._past_bounds(file.tell())
        if (announced is not None and announced != received) or (unpack and not unpack.complete):
            raise SourceUnreachableError(
                "the download broke off",
                where=self._shown,
                found=f"{received:,} bytes",
                expected=f"{announced:,} bytes" if announced is not None else "the end of the gzip stream",
                remedy="run again",
            )
        return digest.hexdigest()

    def _unpacker(self, coding: str) -> "_Gunzip | None":
        if coding in _GZIP and self._shown.lower().endswith(".gz"):
            return None  # the server declares the file's own compression; browsers keep the file compressed, too
        if coding and coding not in _GZIP:
            raise SourceError(
                "the server compresses the file in a way that was not asked for",
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
    def _opened(self, method: str, deadline: Deadline, unless: str = "") -> Iterator[HTTPResponse]:
        try:
            with exchange(method, self._address, self._policy, deadline, unless) as answer:
                if answer.status not in _SUCCESS and not (unless and answer.status == _NOT_MODIFIED):
                    raise self._refused(answer.status, method)
                yield answer
        except (OSError, http.client.HTTPException, HTTPError, zlib.error) as error:
            if deadline.left < 0:
                raise self._past_bounds(0) from error
            cause = error.__cause__ or error if isinstance(error, HTTPError) else error
            raise SourceUnreachableError(
                f"the server does not answer: {type(cause).__name__}",
                where=self._shown,
                found=str(getattr(cause, "strerror", None) or ""),  # the message of a URL error would show its query
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
            remedy="check the address, and whether this machine may read it",
        )


class _HeadRefusedError(SourceError):
    """The server may still answer a GET."""


class _Gunzip:
    """Unpacks a gzip stream step by step, so that a small input cannot fill the memory."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_HEADER)

    @property
    def complete(self) -> bool:
        """Whether the stream has ended, with nothing after it."""
        return self._stream.eof and not self._stream.unused_data

    def parts(self, block: bytes) -> Iterator[bytes]:
        while block and not self._stream.eof:
            yield self._stream.decompress(block, _BLOCK)
            block = self._stream.unconsumed_tail


def _coding(answer: HTTPResponse) -> str:
    coding = str(answer.headers.get("Content-Encoding", "")).strip().lower()
    return "" if coding == "identity" else coding


def _announced(answer: HTTPResponse) -> int | None:
    size = str(answer.headers.get("Content-Length", ""))
    return int(size) if size.isdecimal() else None


def _version(answer: HTTPResponse) -> str:
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    if etag:
        return str(etag).strip('"')
    return f"{modified}-{answer.headers.get('Content-Length', '')}" if modified else ""


class WebFolderSource(Source):
    """`https://host/folder/` or `https://host/folder/*.csv`: files of the folder, not of its subfolders."""

    def __init__(self, address: str, policy: WebPolicy, cache: SourceCache = NO_CACHE) -> None:
        self._cache = cache
        folder, _, pattern = urlsplit(address).path.rpartition("/")
        self._folder = urlunsplit(urlsplit(address)._replace(path=f"{folder}/", fragment=""))
        self._pattern, self._policy = pattern or "*", policy
        self._listed: list[str] = []

    def objects(self) -> list[SourceObject]:
        """List the folder's files, with one request for each."""
        return self.matching(lambda _: True)

    def matching(self, wanted: Callable[[str], bool]) -> list[SourceObject]:
        """List the wanted files, with one request for each."""
        return self._described([address for address in self._addresses() if wanted(address)])

    def page(self, after: str | None, limit: int) -> ListingPage:
        """List a page of at most 50 files; all pages share one request for the folder."""
        addresses = self._listed = self._listed or self._addresses()
        rest = [address for address in addresses if after is None or address > after]
        page = rest[: min(limit, _MOST_PER_PAGE)]
        return ListingPage(self._described(page), page[-1] if len(page) < len(rest) else None)

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download one of the files."""
        own = Path(tempfile.mkdtemp(dir=folder))  # every download has the same name
        return self._file(item.uri).fetch(item, own)

    def _described(self, addresses: list[str]) -> list[SourceObject]:
        described = []
        for address in addresses:
            # a file may be deleted after it was listed, and a link may be broken
            with contextlib.suppress(SourceNotFoundError):
                described += self._file(address).objects()
        return described

    def _file(self, address: str) -> WebSource:
        return WebSource(address, self._policy, self._cache)

    def _addresses(self) -> list[str]:
        with scratch_folder("listing") as folder:
            fetched = self._file(self._folder).fetch(SourceObject(self._folder, ""), Path(folder))
            if fetched.path.stat().st_size > _MAX_LISTING_BYTES:
                raise self._unreadable(f"a listing of more than {_MAX_LISTING_BYTES:,} bytes")
            text = fetched.path.read_text(encoding="utf-8", errors="replace")
        names = self._names_of_json(text) if text.lstrip()[:1] in {"[", "{"} else _Links(text).found
        return sorted({address for name in names if (address := self._matching_address(name))})

    def _matching_address(self, name: str) -> str | None:
        """Return a name's address if it is a file of this folder that matches the pattern."""
        address = urljoin(self._folder, name)
        parts = urlsplit(address)
        rest = address.removeprefix(self._folder)
        inside = address.startswith(self._folder) and rest and "/" not in rest and not (parts.query or parts.fragment)
        name = unquote(rest)
        matches = inside and fnmatch.fnmatchcase(name, self._pattern) and is_part(name, self._pattern)
        return address if matches else None

    def _names_of_json(self, text: str) -> list[str]:
        try:
            listed = json.loads(text)
        except ValueError as error:
            raise self._unreadable("invalid JSON") from error
        if not isinstance(listed, list):
            raise self._unreadable("JSON that is not a list")
        files = [item for item in listed if not isinstance(item, dict) or item.get("type", "file") == "file"]
        names = [item.get("name") if isinstance(item, dict) else item for item in files]
        if not all(isinstance(name, str) for name in names):
            raise self._unreadable("JSON whose items have no name")
        return [quote(str(name)) for name in names]

    def _unreadable(self, found: str) -> SourceError:
        return SourceError(
            "the folder's listing cannot be read",
            where=without_secrets(self._folder),
            found=found,
            expected="a page of links, or a JSON list of names or of objects with name and type",
            remedy=Remedy("correct {}, or have the server list the folder", "dataset.source"),
        )


class _Links(html.parser.HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a link's target."""
        if tag == "a":
            self.found += [value.strip() for name, value in attrs if name == "href" and value]
