"""Keys of requests: compared in constant time, required wherever other machines reach the endpoint."""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from http import HTTPStatus

from assay.errors import SettingError
from serving.refusals import RequestError

HEADER = "X-API-Key"
SHORTEST = 16
_BEARER = "bearer "


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Digests of the keys that requests may show; without one no key is required.

    Attributes:
        digests: SHA-256 of each.
    """

    digests: tuple[bytes, ...]

    @classmethod
    def of(cls, keys: tuple[str, ...], host: str) -> "Keys":
        """Return the keys of an endpoint.

        Raises:
            SettingError: a key is short, or missing while other machines can reach the endpoint.
        """
        if any(len(key) < SHORTEST for key in keys):
            raise SettingError(
                "a key of the endpoint is too short",
                where="ASSAY_SERVE_KEYS",
                expected=f"{SHORTEST} characters or more",
                remedy="make one by `openssl rand -hex 24`",
            )
        if not keys and not is_loopback(host):
            raise SettingError(
                "an endpoint that other machines reach needs keys",
                where="ASSAY_SERVE_KEYS",
                found=f"no key, and ASSAY_SERVE_HOST={host}",
                expected="keys, or a host of this machine alone such as 127.0.0.1",
                remedy="set ASSAY_SERVE_KEYS, for example to the output of `openssl rand -hex 24`",
            )
        return cls(tuple(_digest(key) for key in keys))

    @property
    def required(self) -> bool:
        """Whether requests have to show a key."""
        return bool(self.digests)

    def require(self, shown: str | None, authorization: str | None) -> None:
        """Refuse a request without a known key; the time taken does not depend on which key is near.

        Args:
            shown: header `X-API-Key`.
            authorization: header `Authorization`, for clients that know only `Bearer <key>`.

        Raises:
            RequestError: the key is missing or not known.
        """
        if not self.digests:
            return
        if shown is None and authorization is not None and authorization.lower().startswith(_BEARER):
            shown = authorization[len(_BEARER) :].strip()
        digest = _digest(shown or "")
        matches = [hmac.compare_digest(digest, known) for known in self.digests]
        if not any(matches):
            raise RequestError(
                "the request shows no known key",
                status=HTTPStatus.UNAUTHORIZED,
                where=f"header {HEADER}",
                found="none" if shown is None else "another key",
                remedy="ask who runs the endpoint for a key",
            )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
