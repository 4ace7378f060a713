"""Mail over SMTP: encrypted where the server can, and a password never in the clear.

What every channel promises.

The log: always there.

Handing JSON to a web address: a deadline for all of it, retries, certificates verified, no redirections.

Proxies of the environment are used. The address may itself be the secret, so that only its host is ever told.

An incoming webhook of Slack; Mattermost and others take the same.

A webhook: the notification as JSON, signed.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from assay.errors import DeliveryError, DeliveryRefusedError
from assay.notifications.notification import Notification, NotificationKind, json_of, slack_of, subject_of, text_of

DEADLINE_SECONDS = 10.0


class Channel(ABC):
    """One way to people. Neither its text nor its errors show an address that is secret."""

    name: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def deliver(self, notification: Notification) -> None:
        """Hand a notification over.

        Args:
            notification: what to tell.

        Raises:
            DeliveryError: the channel did not take it in time.
            DeliveryRefusedError: it never will.
        """


_GOOD_NEWS = frozenset({NotificationKind.PROMOTION, NotificationKind.TEST})


class LogChannel(Channel):
    """Writes notifications to a logger, those that ask for somebody as warnings."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def deliver(self, notification: Notification) -> None:
        """Write the notification's text."""
        level = logging.INFO if notification.kind in _GOOD_NEWS else logging.WARNING
        self._logger.log(level, "%s", text_of(notification))


_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5
_TOO_MANY = 429
_SERVER_ERRORS = 500


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without the notification, and at a host that nobody named."""

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
        "the notification was not taken",
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
            "the notification is refused",
            where=shown(request.full_url),
            found=f"status {error.code}",
            expected="a status of 200 to 299; redirections are not followed",
            remedy="check the channel's address and secret",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        # the cause's text may hold the address
        reason = getattr(error, "reason", error)
        return type(reason).__name__


class SlackChannel(Channel):
    """Posts notifications to the channel that the address stands for."""

    name = "slack"

    def __init__(self, address: SecretStr) -> None:
        self._address = address

    def deliver(self, notification: Notification) -> None:
        """Post the notification."""
        body = json.dumps(slack_of(notification)).encode()
        post_json(self._address.get_secret_value(), body, {}, "ASSAY_NOTIFY_SLACK_URL")


SIGNATURE = "X-Assay-Signature-256"
EVENT = "X-Assay-Event"


class WebhookChannel(Channel):
    """Posts notifications; with a secret, the header says who posted: `sha256=` and the body's HMAC-SHA-256 in hex."""

    name = "webhook"

    def __init__(self, address: SecretStr, secret: SecretStr) -> None:
        self._address, self._secret = address, secret

    def deliver(self, notification: Notification) -> None:
        """Post the notification; `X-Assay-Event` names the event, so that a receiver knows one it has heard of."""
        body = json.dumps(json_of(notification), ensure_ascii=False).encode()
        headers = {EVENT: notification.event.encode("ascii", "backslashreplace").decode()}
        if secret := self._secret.get_secret_value():
            headers[SIGNATURE] = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        post_json(self._address.get_secret_value(), body, headers, "ASSAY_NOTIFY_WEBHOOK_URL")


_PORTS = {"smtp": 587, "smtps": 465}
_REMEDY = "check ASSAY_NOTIFY_SMTP_URL, and that the mail server runs"
_TRANSIENT = range(400, 500)


class MailChannel(Channel):
    """Sends notifications as plain text.

    `smtp://` begins in the clear and changes to TLS where the server offers it; `smtps://` begins with TLS.
    """

    name = "mail"

    def __init__(self, server: SecretStr, sender: str, recipients: Sequence[str]) -> None:
        self._server, self._sender, self._recipients = server, sender, tuple(recipients)

    def deliver(self, notification: Notification) -> None:
        """Send one message to all recipients; a retry of the same event bears the same `Assay-Event` header."""
        try:
            with self._connected() as smtp:
                self._log_in(smtp)
                refused = smtp.send_message(self._message(notification), to_addrs=list(self._recipients))
        except smtplib.SMTPServerDisconnected as error:
            raise self._failed(DeliveryError, type(error).__name__) from None
        except smtplib.SMTPResponseException as error:
            kind = DeliveryError if error.smtp_code in _TRANSIENT else DeliveryRefusedError
            raise self._failed(kind, f"status {error.smtp_code}") from None
        except smtplib.SMTPException as error:
            raise self._failed(DeliveryRefusedError, type(error).__name__) from None
        except OSError as error:
            raise self._failed(DeliveryError, type(error).__name__) from None
        if refused:
            found = f"{len(refused)} of {len(self._recipients)} recipients refused"
            raise self._failed(DeliveryRefusedError, found, "recipients that the server takes")

    def _connected(self) -> smtplib.SMTP:
        parts = urlsplit(self._server.get_secret_value())
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        if parts.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=DEADLINE_SECONDS, context=ssl.create_default_context())
        return smtplib.SMTP(host, port, timeout=DEADLINE_SECONDS)

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        parts = urlsplit(self._server.get_secret_value())
        smtp.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp" and smtp.has_extn("starttls"):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if parts.username is None:
            return
        if not isinstance(smtp.sock, ssl.SSLSocket) and not _is_this_machine(smtp.sock):
            raise self._failed(DeliveryRefusedError, "no encryption", "encryption before the password is sent")
        smtp.login(unquote(parts.username), unquote(parts.password or ""))

    def _message(self, notification: Notification) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = subject_of(notification)
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Date"] = formatdate()
        message["Assay-Event"] = notification.event
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text_of(notification) + "\n")
        return message

    def _failed(self, kind: type[DeliveryError], found: str, expected: str = "") -> DeliveryError:
        parts = urlsplit(self._server.get_secret_value())
        where = f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"
        return kind("the mail was not taken", where=where, found=found, expected=expected, remedy=_REMEDY)


def _is_this_machine(connected: socket.socket | None) -> bool:
    return connected is not None and ipaddress.ip_address(connected.getpeername()[0]).is_loopback
