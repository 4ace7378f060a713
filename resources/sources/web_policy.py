"""Which hosts a pipeline's file may make this machine connect to.

The machine may see servers that the author of a pipeline may not: metadata of the cloud, databases, dashboards. So a
host counts by the addresses that it resolves to, after every redirection, and whatever way they are written.
Does not belong here: connecting.
"""

import fnmatch
import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from assay.errors import SourceError, SourceUnreachableError
from resources.sources.address import refuse_credentials, without_secrets

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_EMBEDDING = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "2002::/16", "2001::/32")))
"""Networks whose addresses stand for an IPv4 address: mapped, compatible, NAT64, 6to4, Teredo."""


def resolved(host: str, port: int) -> list[str]:
    """Return a host's IP addresses, as the machine resolves it, in the machine's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class WebPolicy:
    """What may be asked.

    Attributes:
        allowed_hosts: patterns such as `*.example.org`; any host unless given.
        allow_private: whether addresses may be other than public.
        resolve: looks a host up.
    """

    allowed_hosts: tuple[str, ...] = ()
    allow_private: bool = False
    resolve: Resolver = resolved

    def hop(self, address: str, *, before: "Hop | None" = None) -> "Hop":
        """Return where to connect for an address.

        Args:
            address: an http address.
            before: what redirected to it; None for the pipeline's own.

        Raises:
            SourceError: scheme, host or IP address is not allowed, or the address holds credentials.
            SourceUnreachableError: the host cannot be resolved.
        """
        parts, port = _parts_of(address)
        host = (parts.hostname or "").rstrip(".").lower()
        own = host in _LOOPBACK and (before is None or before.own)
        self._require_scheme(parts, address, own=own, before=before)
        if self.allowed_hosts and not any(fnmatch.fnmatchcase(host, pattern) for pattern in self.allowed_hosts):
            raise _refused("the host is not on the list", address, before, host, "ASSAY_HTTPS_ALLOWED_HOSTS")
        found = self._resolved(host, port, address)
        for ip in found:
            reason = unfit(ip, own=own, private=self.allow_private)
            if reason:
                shown = ip if host == ip else f"{host} is {ip}"
                what = f"the host is not public: {reason}"
                raise _refused(what, address, before, shown, "ASSAY_HTTPS_ALLOW_PRIVATE")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return Hop(address, parts.scheme == "https", host, port, tuple(found), target or "/", own)

    def _require_scheme(self, parts: SplitResult, address: str, *, own: bool, before: "Hop | None") -> None:
        refuse_credentials(address)
        plain = parts.scheme == "http" and own and not (before and before.secure)
        if parts.scheme != "https" and not plain:
            raise SourceError(
                f"the server redirects to plain {parts.scheme}" if before else f"plain {parts.scheme} is not taken",
                where=without_secrets(address),
                expected="https://",
                remedy="use the https address, or a local copy",
            )

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


@dataclass(frozen=True, slots=True)
class Hop:
    """One request's way.

    Attributes:
        address: as it was given.
        secure: whether by TLS.
        host: whose name the certificate must bear.
        port: of the host.
        ips: what the host resolved to once; connections go nowhere else.
        target: path and query.
        own: whether the pipeline itself names this machine.
    """

    address: str
    secure: bool
    host: str
    port: int
    ips: tuple[str, ...]
    target: str
    own: bool


def unfit(ip: str, *, own: bool = False, private: bool = False) -> str:
    """Return why an IP address may not be connected to; empty where it may.

    Args:
        ip: as the resolver writes it.
        own: whether this machine was asked for by name, so that loopback alone will do.
        private: whether other than public addresses are allowed.
    """
    parsed = ipaddress.ip_address(ip.partition("%")[0])  # a scope such as %eth0 is no part of the address
    if own:
        return "" if parsed.is_loopback else "not this machine"
    if parsed.is_multicast:
        return "multicast"
    if parsed.is_unspecified:
        return "unspecified"
    if private:
        return ""
    if parsed.version == 6 and any(parsed in network for network in _EMBEDDING) and not parsed.is_loopback:  # noqa: PLR2004
        return "IPv4 inside IPv6"
    kinds = {"loopback": parsed.is_loopback, "link-local": parsed.is_link_local, "reserved": parsed.is_reserved}
    kinds |= {"private": not parsed.is_global}
    return next((kind for kind, is_so in kinds.items() if is_so), "")


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
            remedy="mend dataset.source",
        )
    return parts, port or (443 if parts.scheme == "https" else 80)


def _refused(what: str, address: str, before: "Hop | None", found: str, setting: str) -> SourceError:
    return SourceError(
        f"{what}, after a redirection" if before else what,
        where=without_secrets(address),
        found=found,
        remedy=f"use another address, or have the deployment's {setting} allow it",
    )
