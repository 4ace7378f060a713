"""Handing JSON to a web address: a deadline for all of it, retries, certificates verified, no redirections.

Proxies of the environment are used. The address may itself be the secret, so that only its host is ever told.
Does not belong here: what is posted (`webhook`, `slack`).
"""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlsplit

from resources.notifications.interface import DEADLINE_SECONDS, DeliveryError, DeliveryRefusedError

_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5
_TOO_MANY = 429
_SERVER_ERRORS = 500


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without the notice, and at a host that nobody named."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def post_json(address: str, body: bytes, headers: Mapping[str, str], setting: str) -> None:
    """Post until the other side takes it, three times at most.

    Args:
        address: `https://` or `http://`.
        body: JSON, UTF-8.
        headers: further headers.
        setting: the variable that holds the address, for errors.

    Raises:
        DeliveryError: no answer in time, or server errors throughout.
        DeliveryRefusedError: the other side refuses, or redirects.
    """
    until, wait = time.monotonic() + DEADLINE_SECONDS, _FIRST_WAIT_SECONDS
    headers = {"Content-Type": "application/json", "User-Agent": "assay", **headers}
    found: str | None = None
    for attempt in range(_ATTEMPTS):
        request = urllib.request.Request(address, data=body, headers=headers, method="POST")  # noqa: S310 - see web_address
        found = _refusal(request, until - time.monotonic())
        if found is None:
            return
        # a wait that leaves no time for an answer helps nobody
        if attempt + 1 == _ATTEMPTS or time.monotonic() + wait >= until:
            break
        time.sleep(wait)
        wait *= 2
    raise DeliveryError(
        "the notice was not taken",
        where=shown(address),
        found=found or "",
        expected=f"a status of 200 to 299 within {DEADLINE_SECONDS:.0f} s",
        remedy=f"check {setting}, and that the other side runs",
    )


def shown(address: str) -> str:
    """Return scheme and host of an address; the rest may be a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")


def _refusal(request: urllib.request.Request, seconds: float) -> str | None:
    """Post once; return None when it was taken, else what may pass.

    Raises:
        DeliveryRefusedError: what will not pass.
    """
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= _SERVER_ERRORS or error.code == _TOO_MANY:
            return f"status {error.code}"
        raise DeliveryRefusedError(
            "the notice is refused",
            where=shown(request.full_url),
            found=f"status {error.code}",
            expected="a status of 200 to 299; redirections are not followed",
            remedy="check the channel's address and secret",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        # the cause's text may hold the address
        reason = getattr(error, "reason", error)
        return type(reason).__name__
