"""Files behind `https://`.

Does not belong here: listings; an address names one file.
"""

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError
from resources.sources.interface import FetchedFile, Source, SourceObject

MAX_BYTES = 8 * 1024**3
DEADLINE_SECONDS = 600.0
_SOCKET_SECONDS = 20.0
_STEP = 1 << 20
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class WebSource(Source):
    """One file; plain `http://` is taken from this machine alone."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._address = address
        self._shown = urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", ""))
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise SourceError("plain http is not taken", where=self._shown, expected="https://")

    def objects(self) -> list[SourceObject]:
        """Ask the server for the file's ETag, or its date and size."""
        with self._opened("HEAD") as answer:
            headers = answer.headers
        version = headers.get("ETag") or f"{headers.get('Last-Modified', '')}-{headers.get('Content-Length', '')}"
        size = headers.get("Content-Length")
        return [SourceObject(self._shown, version.strip('"'), int(size) if size else None)]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the file, bounded in bytes and in total time."""
        path = folder / (self._shown.rsplit("/", 1)[-1] or "download")
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._opened("GET") as answer, path.open("wb") as file:
            while block := answer.read(_STEP):
                file.write(block)
                if file.tell() > MAX_BYTES or time.monotonic() > deadline:
                    raise SourceError(
                        "the download went past its bounds",
                        where=self._shown,
                        expected=f"at most {MAX_BYTES:,} bytes within {DEADLINE_SECONDS:.0f} s",
                    )
        return FetchedFile(path=path, uri=item.uri, version=item.version)

    def _opened(self, method: str) -> http.client.HTTPResponse:
        request = urllib.request.Request(self._address, method=method)  # noqa: S310 - the scheme was checked
        try:
            answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_SOCKET_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            absent = error.code in {404, 410}
            kind = SourceNotFoundError if absent else SourceError
            raise kind("the server refused the file", where=self._shown, found=f"HTTP {error.code}") from error
        except OSError as error:
            raise SourceUnreachableError(
                "the server does not answer", where=self._shown, found=str(error), remedy="check address and network"
            ) from error
        return answer
