"""Files behind `https://`.

Does not belong here: listings; an address names one file. Which hosts may be asked is `web_policy`'s.
"""

import hashlib
import http.client
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.interface import FetchedFile, Source, SourceObject
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
