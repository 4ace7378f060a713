"""Files behind `https://`.

Does not belong here: listings; an address names one file.
"""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError
from resources.sources.address import refuse_credentials, without_secrets
from resources.sources.interface import FetchedFile, Source, SourceObject

MAX_BYTES = 8 * 1024**3
DEADLINE_SECONDS = 600.0
_SOCKET_SECONDS = 20.0
_STEP = 1 << 20
_HEAD_NOT_ALLOWED = frozenset({403, 405, 501})
_ABSENT = frozenset({404, 410})
_NEVER_QUOTED = "%/:?#[]@!$&'()*+,;=~"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class WebSource(Source):
    """One file; plain `http://` is taken from this machine alone, also after a redirection."""

    def __init__(self, address: str) -> None:
        self._address = quote(address, safe=_NEVER_QUOTED)
        self._shown = without_secrets(address)
        refuse_credentials(address)
        _refuse_plain_http(address, "plain http is not taken")

    def objects(self) -> list[SourceObject]:
        """Ask the server for the file's ETag, or its date and size; the version is empty where it tells neither."""
        try:
            answer = self._opened("HEAD")
        except _HeadRefusedError:
            answer = self._opened("GET")  # signed addresses allow one method only
        with answer:
            size = answer.headers.get("Content-Length")
            return [SourceObject(self._shown, _version(answer), int(size) if size else None)]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Download the file, bounded in bytes and in total time.

        The version is that of the downloaded bytes, which may be newer than the listed one; their digest where the
        server tells none.
        """
        path = folder / "download"
        try:
            with self._opened("GET") as answer, path.open("wb") as file:
                digest = self._copied(answer, file)
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise self._unreachable(error) from error
        return FetchedFile(path=path, uri=item.uri, version=_version(answer) or f"sha256-{digest}")

    def _copied(self, answer: http.client.HTTPResponse, file: IO[bytes]) -> str:
        digest, deadline = hashlib.sha256(), time.monotonic() + DEADLINE_SECONDS
        while block := answer.read1(_STEP):  # returns what has come, so that the deadline is looked at
            file.write(block)
            digest.update(block)
            if file.tell() > MAX_BYTES or time.monotonic() > deadline:
                raise SourceError(
                    "the download went past its bounds",
                    where=self._shown,
                    found=f"{file.tell():,} bytes so far",
                    expected=f"at most {MAX_BYTES:,} bytes within {DEADLINE_SECONDS:.0f} s",
                )
        announced = answer.headers.get("Content-Length")
        if announced is not None and int(announced) != file.tell():
            raise SourceUnreachableError(
                "the download broke off",
                where=self._shown,
                found=f"{file.tell():,} bytes",
                expected=f"{int(announced):,} bytes",
                remedy="run again",
            )
        return digest.hexdigest()

    def _opened(self, method: str) -> http.client.HTTPResponse:
        request = urllib.request.Request(self._address, method=method)  # noqa: S310 - the scheme was checked
        try:
            opener = urllib.request.build_opener(_GuardedRedirects)
            answer: http.client.HTTPResponse = opener.open(request, timeout=_SOCKET_SECONDS)
        except urllib.error.HTTPError as error:
            raise self._refused(error, method) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        return answer

    def _refused(self, error: urllib.error.HTTPError, method: str) -> SourceError:
        if method == "HEAD" and error.code in _HEAD_NOT_ALLOWED:
            return _HeadRefusedError("the server answers no HEAD", where=self._shown)
        kind = SourceNotFoundError if error.code in _ABSENT else SourceError
        return kind(
            "the server refused the file",
            where=self._shown,
            found=f"HTTP {error.code}",
            remedy="check the address, and whether it is open to this machine",
        )

    def _unreachable(self, error: Exception) -> SourceUnreachableError:
        return SourceUnreachableError(
            f"the server does not answer: {type(error).__name__}",
            where=self._shown,
            found=str(getattr(error, "reason", "")),  # an invalid URL's own message would show its query
            remedy="check address and network, and run again",
        )


class _GuardedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to where the address itself could have pointed."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        refuse_credentials(newurl)
        _refuse_plain_http(newurl, "the server redirects to plain http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _HeadRefusedError(SourceError):
    """The server may still answer a GET."""


def _version(answer: http.client.HTTPResponse) -> str:
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    if etag:
        return str(etag).strip('"')
    return f"{modified}-{answer.headers.get('Content-Length', '')}" if modified else ""


def _refuse_plain_http(address: str, what: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise SourceError(
            what,
            where=without_secrets(address),
            expected="https://",
            remedy="use the https address, or a local copy",
        )
