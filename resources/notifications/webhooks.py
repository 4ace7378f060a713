"""JSON posted to a web address: the signed webhook, and an incoming webhook of Slack.

Each post has one deadline for all retries, certificates are verified and redirections refused. The address may be the
secret, so messages show its host only. Proxies of the environment are used.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from assay.errors import DeliveryError, DeliveryRefusedError
from assay.notifications.notification import Notification, json_of, slack_of
from resources.notifications.channels import (
    DEADLINE_SECONDS,
    Channel,
    checked_address,
    keep_requests_private,
)
from resources.settings import Settings

SIGNATURE = "X-Assay-Signature-256"
EVENT = "X-Assay-Event"
_SCHEMES = ("https", "http")
_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5
_SUCCESS = range(200, 300)
_TOO_MANY = 429
_SERVER_ERRORS = 500


class WebhookChannel(Channel):
    """Posts notifications as JSON; with a secret, `X-Assay-Signature-256` is `sha256=` and the body's HMAC in hex."""

    name = "webhook"

    def __init__(self, address: SecretStr, secret: SecretStr) -> None:
        self._address, self._secret = address, secret

    def deliver(self, notification: Notification) -> None:
        """Post the notification; `X-Assay-Event` identifies the event, for receivers to detect duplicates."""
        body = json.dumps(json_of(notification), ensure_ascii=False).encode()
        headers = {EVENT: notification.event.encode("ascii", "backslashreplace").decode()}
        if secret := self._secret.get_secret_value():
            headers[SIGNATURE] = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        _post(self._address.get_secret_value(), body, headers, "ASSAY_NOTIFY_WEBHOOK_URL")


class SlackChannel(Channel):
    """Posts notifications to an incoming webhook of Slack, or of a compatible service such as Mattermost."""

    name = "slack"

    def __init__(self, address: SecretStr) -> None:
        self._address = address

    def deliver(self, notification: Notification) -> None:
        """Post the notification."""
        body = json.dumps(slack_of(notification)).encode()
        _post(self._address.get_secret_value(), body, {}, "ASSAY_NOTIFY_SLACK_URL")


def open_webhook(settings: Settings) -> Sequence[Channel]:
    """Return the webhook if it is configured."""
    if not settings.notify_webhook_url.get_secret_value():
        return ()
    address = checked_address(settings.notify_webhook_url, "ASSAY_NOTIFY_WEBHOOK_URL", _SCHEMES)
    return (WebhookChannel(address, settings.notify_webhook_secret),)


def open_slack(settings: Settings) -> Sequence[Channel]:
    """Return the Slack channel if it is configured."""
    if not settings.notify_slack_url.get_secret_value():
        return ()
    return (SlackChannel(checked_address(settings.notify_slack_url, "ASSAY_NOTIFY_SLACK_URL", _SCHEMES)),)


def _post(address: str, body: bytes, headers: Mapping[str, str], setting: str) -> None:
    """Post up to three times, within one deadline.

    Raises:
        DeliveryError: no answer in time, or server errors only.
        DeliveryRefusedError: another status than 200 to 299.
    """
    until, wait = time.monotonic() + DEADLINE_SECONDS, _FIRST_WAIT_SECONDS
    headers = {"Content-Type": "application/json", "User-Agent": "assay", **headers}
    keep_requests_private()
    failure = ""
    with _pool(address) as pool:
        for attempt in range(_ATTEMPTS):
            found = _post_once(pool, address, body, headers, until - time.monotonic())
            if found is None:
                return
            failure = found
            if attempt + 1 == _ATTEMPTS or time.monotonic() + wait >= until:
                break
            time.sleep(wait)
            wait *= 2
    raise DeliveryError(
        "the notification was not accepted",
        where=_shown(address),
        found=failure,
        expected=f"a status of 200 to 299 within {DEADLINE_SECONDS:.0f} s",
        remedy=f"check {setting}, and that the receiver is running",
    )


def _post_once(
    pool: urllib3.PoolManager, address: str, body: bytes, headers: Mapping[str, str], seconds: float
) -> str | None:
    """Post once; return None on success, else a failure that may pass.

    Raises:
        DeliveryRefusedError: a failure that will not pass.
    """
    timeout = urllib3.Timeout(total=max(seconds, 0.001))
    try:
        answer = pool.request("POST", address, body=body, headers=headers, timeout=timeout, retries=False)
    except (HTTPError, OSError) as error:
        return type(error.__cause__ or error).__name__  # the message may hold the address
    if answer.status in _SUCCESS:
        return None
    if answer.status >= _SERVER_ERRORS or answer.status == _TOO_MANY:
        return f"status {answer.status}"
    raise DeliveryRefusedError(
        "the notification is refused",
        where=_shown(address),
        found=f"status {answer.status}",
        expected="a status of 200 to 299; redirections are not followed",
        remedy="check the channel's address and secret",
    )


def _pool(address: str) -> urllib3.PoolManager:
    parts = urlsplit(address)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager()
    login = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    basic = f"{unquote(login.username)}:{unquote(login.password or '')}" if login.username else None
    server = login._replace(netloc=login.netloc.rpartition("@")[2]).geturl()
    return urllib3.ProxyManager(server, proxy_headers=urllib3.make_headers(proxy_basic_auth=basic))


def _shown(address: str) -> str:
    """Return scheme and host of an address; the rest may be secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
