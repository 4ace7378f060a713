"""One file's request over HTTP: the checked addresses alone, redirections, and an end in time.

Proxies of the environment are not used: which address they connect to could not be checked.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from assay.errors import SourceError
from resources.sources.address import without_secrets
from resources.sources.web_policy import Hop, WebPolicy

MAX_REDIRECTS = 5
_SOCKET_SECONDS = 20.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NEVER_QUOTED = "%/:?#[]@!$&'()*+,;=~"
_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "assay"}


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which all of it must be done."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the one so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds that are left; negative afterwards."""
        return self.moment - time.monotonic()


class _Plain(http.client.HTTPConnection):
    """Connects to addresses that were checked, whatever the host resolves to by now."""

    def __init__(self, hop: Hop, deadline: Deadline) -> None:
        super().__init__(hop.host, hop.port)
        self._ips, self._deadline = hop.ips, deadline

    def connect(self) -> None:
        """Try the addresses in order."""
        failure: OSError = TimeoutError("timed out")
        for ip in self._ips:
            seconds = min(_SOCKET_SECONDS, self._deadline.left)
            if seconds <= 0:
                break
            try:
                self.sock = socket.create_connection((ip, self.port), seconds)
            except OSError as error:
                failure = error
            else:
                return
        raise failure


class _Tls(_Plain):
    """The same, and the certificate must bear the host's name."""

    default_port = 443

    def connect(self) -> None:
        """Connect and shake hands."""
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


@contextmanager
def exchange(method: str, address: str, policy: WebPolicy, deadline: Deadline) -> Iterator[http.client.HTTPResponse]:
    """Ask for a file for the length of a `with`; a server that dawdles is cut off at the deadline.

    Neither credentials nor cookies are sent, so that none can reach another host.

    Args:
        method: GET or HEAD.
        address: where the file is.
        policy: which hosts may be asked.
        deadline: when all must be done.

    Raises:
        SourceError: an address is not allowed, or there are too many redirections.
        OSError: the server cannot be reached; http.client.HTTPException when it speaks no HTTP.
    """
    hop = policy.hop(_quoted(address))
    for _ in range(MAX_REDIRECTS + 1):
        connection = _Tls(hop, deadline) if hop.secure else _Plain(hop, deadline)
        try:
            with _cut_off(connection, deadline):
                connection.request(method, hop.target, headers=_HEADERS)
                answer = connection.getresponse()
                location = answer.headers.get("Location")
                if answer.status not in _REDIRECTS or not location:
                    yield answer
                    return
        finally:
            connection.close()
        hop = policy.hop(_quoted(urljoin(hop.address, location)), before=hop)
    raise SourceError(
        "the server redirects too often",
        where=without_secrets(address),
        expected=f"at most {MAX_REDIRECTS} redirections",
        remedy="use the address where the file is",
    )


@contextmanager
def _cut_off(connection: http.client.HTTPConnection, deadline: Deadline) -> Iterator[None]:
    """Shut the socket at the deadline: a timeout of its own would begin again with every byte that comes."""
    connection.connect()
    shut = threading.Timer(max(deadline.left, 0), _shut, [connection.sock])
    shut.start()
    try:
        yield
        if deadline.left < 0:  # what was cut off may look like a short answer
            raise TimeoutError
    finally:
        shut.cancel()


def _shut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster


def _quoted(address: str) -> str:
    return quote(address.partition("#")[0], safe=_NEVER_QUOTED)
