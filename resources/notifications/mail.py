"""Mail over SMTP: encrypted where the server offers it, and never a password in the clear.

Why not by apprise: docs/adr/0008-notifications-by-apprise.md.
"""

import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from assay.errors import DeliveryError, DeliveryRefusedError
from assay.notifications.notification import Notification, text_of
from resources.notifications.channels import (
    DEADLINE_SECONDS,
    Channel,
    checked_address,
    setting_error,
)
from resources.settings import Settings

_PORTS = {"smtp": 587, "smtps": 465}
_SCHEMES = tuple(_PORTS)
_REMEDY = "check ASSAY_NOTIFY_SMTP_URL, and that the mail server is running"
_TRANSIENT = range(400, 500)


class MailChannel(Channel):
    """Sends notifications as plain text.

    `smtp://` switches to TLS where the server offers it; `smtps://` starts with TLS.
    """

    name = "mail"

    def __init__(self, server: SecretStr, sender: str, recipients: Sequence[str]) -> None:
        self._server, self._sender, self._recipients = server, sender, tuple(recipients)

    def deliver(self, notification: Notification) -> None:
        """Send one message to all recipients; retries of an event have the same `Assay-Event` header."""
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
            raise self._failed(DeliveryRefusedError, found, "recipients that the server accepts")

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
        message["Subject"] = f"[assay] {notification.title}"
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
        return kind("the mail was not accepted", where=where, found=found, expected=expected, remedy=_REMEDY)


def open_mail(settings: Settings) -> Sequence[Channel]:
    """Return the mail channel if there are recipients."""
    if not settings.notify_email_to:
        return ()
    recipients = [part.strip() for part in settings.notify_email_to.split(",") if part.strip()]
    for name, addresses in (("FROM", [settings.notify_email_from]), ("TO", recipients)):
        if not addresses or any("@" not in address or not address.isprintable() for address in addresses):
            raise setting_error(f"ASSAY_NOTIFY_EMAIL_{name}", "mail addresses, e.g. ml-team@example.org")
    server = checked_address(settings.notify_smtp_url, "ASSAY_NOTIFY_SMTP_URL", _SCHEMES)
    return (MailChannel(server, settings.notify_email_from, recipients),)


def _is_this_machine(connected: socket.socket | None) -> bool:
    return connected is not None and ipaddress.ip_address(connected.getpeername()[0]).is_loopback
