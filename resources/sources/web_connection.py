"""HTTP requests of `https://` sources: only to addresses that the deployment's policy allows, within a deadline.

This machine may reach servers that a pipeline's author may not: cloud metadata, databases, dashboards. So a host is
judged by the IP addresses that it resolves to, again after every redirection, and the connection goes to the very
addresses that were checked. Proxies of the environment are not used: the address they connect to cannot be checked.
"""

import fnmatch
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Self, TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from assay.errors import Remedy, SourceError, SourceUnreachableError
from resources.sources.address import refuse_credentials, without_secrets

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError."""

MAX_REDIRECTS = 5
_SOCKET_SECONDS = 20.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NEVER_QUOTED = "%/:?#[]@!$&'()*+,;=~"
_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "assay"}
_PORTS = {"https": 443, "http": 80}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_EMBEDDING = _networks(
    "::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"
)
"""Networks whose addresses stand for an IPv4 address: mapped, translated, compatible, NAT64, 6to4, Teredo."""
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
"""What IANA has allocated for global unicast; nothing else of IPv6 is public."""
_SPECIAL = _networks(
    # of the IANA special-purpose registries, what `is_global` calls global in some version of Python
    "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24",
    "2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fec0::/10",
)  # fmt: skip
"""Networks for special purposes that `ipaddress` does not refuse."""
_CLOUD = _networks(
    "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128"
)
"""Services of clouds for their own machines, such as credentials; no private network is a reason to request them."""


def resolved(host: str, port: int) -> list[str]:
    """Return a host's IP addresses in the order of the machine's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """An address that may be requested.

    Attributes:
        address: the URL.
        secure: whether TLS is used.
        host: the certificate must be valid for it.
        port: of the host.
        ips: what the host resolved to; connections go nowhere else.
        target: path and query.
        loopback: whether the pipeline itself names this machine.
    """

    address: str
    secure: bool
    host: str
    port: int
    ips: tuple[str, ...]
    target: str
    loopback: bool

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class WebPolicy:
    """Which hosts may be requested.

    Attributes:
        allowed_hosts: patterns such as `*.example.org`; any host when empty.
        allow_private: whether hosts of private networks are allowed.
        loopback_ports: ports of this machine that are allowed where it is named; any when None.
        resolve: resolves a host.
    """

    allowed_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    loopback_ports: tuple[int, ...] | None = None
    resolve: Resolver = resolved

    def check(self, address: str, *, before: CheckedAddress | None = None) -> CheckedAddress:
        """Check an address and resolve its host.

        Raises:
            SourceError: scheme, host or IP address is not allowed, or the address holds credentials.
            SourceUnreachableError: the host cannot be resolved.
        """
        parts, port = _parts_of(address)
        host = (parts.hostname or "").rstrip(".").lower()
        loopback = host in _LOOPBACK and (before is None or before.loopback)
        _require_scheme(parts, address, loopback=loopback, before=before)
        if self.allowed_hosts and not any(fnmatch.fnmatchcase(host, pattern) for pattern in self.allowed_hosts):
            raise _refused("the host is not on the list", address, before, host, "ASSAY_HTTPS_ALLOWED_HOSTS")
        if loopback and self.loopback_ports is not None and port not in self.loopback_ports:
            what = "this port of this machine is not on the list"
            raise _refused(what, address, before, f"{host}, port {port}", "ASSAY_HTTPS_LOOPBACK_PORTS")
        ips = self._resolved(host, port, address)
        for ip in ips:
            reason = refusal_reason(ip, loopback=loopback, private=self.allow_private)
            if reason:
                found = ip if host == ip else f"{host} is {ip}"
                what = f"the host is not public: {reason}"
                raise _refused(what, address, before, found, _setting_for(ip))
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return CheckedAddress(address, parts.scheme == "https", host, port, tuple(ips), target or "/", loopback)

    def _resolved(self, host: str, port: int, address: str) -> Sequence[str]:
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise SourceUnreachableError(
                "the host has no address",
                where=without_secrets(address),
                found=getattr(error, "strerror", None) or type(error).__name__,
                remedy="check the host's name and the network",
            ) from error
        if not found:
            raise SourceUnreachableError("the host has no address", where=without_secrets(address), found=host)
        return found


ANY_PUBLIC_HOST = WebPolicy()


def refusal_reason(ip: str, *, loopback: bool = False, private: bool = False) -> str:
    """Return why an IP address may not be connected to; empty where it may.

    Args:
        ip: as the resolver writes it.
        loopback: whether the source names this machine, so that only loopback addresses are allowed.
        private: whether private addresses are allowed.
    """
    parsed = ipaddress.ip_address(ip.partition("%")[0])  # without a scope such as %eth0
    if loopback:
        return "" if parsed.is_loopback else "not this machine"
    meant = (parsed, *_embedded(parsed))
    reasons = {
        "multicast": parsed.is_multicast,
        "unspecified": any(each.is_unspecified for each in meant),
        "a service of the cloud for its machines": any(_within(each, _CLOUD) for each in meant),
        "loopback": any(each.is_loopback for each in meant),
    }
    if not private:
        reasons |= {
            "IPv4 inside IPv6": _within(parsed, _EMBEDDING),
            "link-local": parsed.is_link_local,
            "reserved": parsed.is_reserved,
            "special-purpose": _within(parsed, _SPECIAL),
            "private": not parsed.is_global,
            "not allocated": parsed.version == 6 and parsed not in _PUBLIC_V6,  # noqa: PLR2004
        }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _setting_for(ip: str) -> str:
    """Return the setting that allows an IP address; empty where none does."""
    return "" if refusal_reason(ip, private=True) else "ASSAY_HTTPS_ALLOW_PRIVATE"


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 address that an IPv6 address stands for, if any."""
    if address.version == 4 or not _within(address, _EMBEDDING):  # noqa: PLR2004
        return ()
    server = address.teredo[1] if address.teredo else address.sixtofour
    return (server or ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Sequence[_Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a request must be done."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds that are left; negative afterwards."""
        return self.moment - time.monotonic()

    @contextmanager
    def cuts_off(self, connected: socket.socket) -> Iterator[None]:
        """Shut a socket at the deadline: a socket's own timeout starts again with every byte received."""
        timer = threading.Timer(max(self.left, 0), _shut, [connected])
        timer.start()
        try:
            yield
            if self.left < 0:  # a body that was cut off may read like a short one
                raise TimeoutError
        finally:
            timer.cancel()


@contextmanager
def exchange(
    method: str, address: str, policy: WebPolicy, deadline: Deadline, unless: str = ""
) -> Iterator[HTTPResponse]:
    """Request a file and follow redirections, for the length of a `with`; the answer's `url` is the final address.

    With an ETag as `unless`, a server that has this version answers 304 without a body. Neither credentials nor
    cookies are sent, so none can reach another host.

    Raises:
        SourceError: an address is not allowed, or there are too many redirections.
        OSError: the server cannot be reached.
        http.client.HTTPException: the server does not speak HTTP.
        urllib3.exceptions.HTTPError: either of them, while the body is read.
    """
    checked = policy.check(_quoted(address))
    for _ in range(MAX_REDIRECTS + 1):
        with closing(_connected(checked, deadline)) as connection, deadline.cuts_off(connection.sock):
            headers = {**_HEADERS, "Host": checked.authority} | ({"If-None-Match": unless} if unless else {})
            # the caller compares sizes itself
            connection.request(
                method, checked.target, headers=headers, preload_content=False, enforce_content_length=False
            )
            answer = connection.getresponse()
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location:
                answer.url = checked.address
                yield answer
                return
        checked = policy.check(_quoted(urljoin(checked.address, location)), before=checked)
    raise SourceError(
        "the server redirects too often",
        where=without_secrets(address),
        expected=f"at most {MAX_REDIRECTS} redirections",
        remedy="use the final address of the file",
    )


def _connected(checked: CheckedAddress, deadline: Deadline) -> HTTPConnection:
    """Connect to the first checked IP address that answers."""
    failure: Exception = TimeoutError("timed out")
    for ip in checked.ips:
        seconds = min(_SOCKET_SECONDS, deadline.left)
        if seconds <= 0:
            break
        connection = _connection(checked, ip, seconds)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _connection(checked: CheckedAddress, ip: str, seconds: float) -> HTTPConnection:
    if not checked.secure:
        return HTTPConnection(ip, checked.port, timeout=seconds)
    context = ssl.create_default_context()  # verifies the certificate, for the host's name
    return HTTPSConnection(ip, checked.port, timeout=seconds, ssl_context=context, server_hostname=checked.host)


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # the server closed it first
        connected.shutdown(socket.SHUT_RDWR)


def _quoted(address: str) -> str:
    return quote(address.partition("#")[0], safe=_NEVER_QUOTED)


def _parts_of(address: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or not parts.hostname:
        raise SourceError(
            "the address is malformed",
            where=f"{address.partition('://')[0][:8]}://...",
            expected="https://host/path",
            remedy=Remedy("correct {}", "dataset.source"),
        )
    return parts, port or _PORTS.get(parts.scheme, 80)


def _require_scheme(parts: SplitResult, address: str, *, loopback: bool, before: CheckedAddress | None) -> None:
    refuse_credentials(address)
    plain = parts.scheme == "http" and loopback and not (before and before.secure)
    if parts.scheme != "https" and not plain:
        raise SourceError(
            f"the server redirects to plain {parts.scheme}" if before else f"plain {parts.scheme} is not allowed",
            where=without_secrets(address),
            expected="https://",
            remedy="use the https address, or a local copy",
        )


def _refused(what: str, address: str, before: CheckedAddress | None, found: str, setting: str) -> SourceError:
    return SourceError(
        f"{what}, after a redirection" if before else what,
        where=without_secrets(address),
        found=found,
        remedy=f"use another address, or have the deployment's {setting} allow it"
        if setting
        else "use another address",
    )
