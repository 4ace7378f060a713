"""Deliveries by all channels of a deployment: each in its time, none in the way of another.

Channels of the settings, checked before anything is to be told.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr

from assay.errors import DeliveryError, DeliveryRefusedError, SettingError, did_you_mean
from assay.notifications.notification import Notification, NotificationKind
from assay.notifications.outbox import Delivery, Outbox
from resources.notifications.channels import (
    DEADLINE_SECONDS,
    Channel,
    LogChannel,
    MailChannel,
    SlackChannel,
    WebhookChannel,
)
from resources.settings import Settings

# a tick of a Dagster sensor may take 60 s; the last delivery that begins has its own deadline
_TICK_SECONDS = 30.0


class Notifier:
    """The channels of a deployment, and which kinds of notifications they carry.

    A plain object on purpose: Dagster shows the fields of a configurable resource, and these are secrets.

    Attributes:
        kinds: what is told at all.
        ui_url: address of the user interface, without a slash at its end.
    """

    def __init__(self, remote: Sequence[Channel], kinds: frozenset[NotificationKind], ui_url: str) -> None:
        self._remote, self.kinds, self.ui_url = tuple(remote), kinds, ui_url

    def __repr__(self) -> str:
        return f"Notifier({', '.join(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels, the log first."""
        return ("log", *(channel.name for channel in self._remote))

    def outbox_after(self, outbox: Outbox, now: float, logger: logging.Logger) -> Outbox:
        """Try what is due, and return what still waits.

        A failure is logged and never raised: neither a run nor another channel waits for it.

        Args:
            outbox: what waits.
            now: Unix time, seconds.
            logger: for the notifications themselves and for failures.
        """
        until = time.monotonic() + _TICK_SECONDS
        # the settings may have lost a channel since
        outbox = outbox.without([item for item in outbox.waiting if item.channel not in self.names])
        for channel in self._channels(logger).values():
            outbox = _told(outbox, channel, now, until, logger)
        outbox, given_up = outbox.bounded()
        _tell_given_up(given_up, logger)
        return outbox

    def try_all(self, notification: Notification, logger: logging.Logger) -> dict[str, DeliveryError | None]:
        """Hand one notification to every channel; return each one's failure, or None."""
        return {name: _failure(channel, notification) for name, channel in self._channels(logger).items()}

    def _channels(self, logger: logging.Logger) -> Mapping[str, Channel]:
        return {channel.name: channel for channel in (LogChannel(logger), *self._remote)}


def _told(outbox: Outbox, channel: Channel, now: float, until: float, logger: logging.Logger) -> Outbox:
    """Deliver what is due by one channel, up to its first failure that may pass."""
    for delivery in outbox.due(channel.name, now):
        if time.monotonic() >= until:
            break
        failure = _failure(channel, delivery.notification)
        if failure is None:
            outbox = outbox.without([delivery])
            continue
        logger.warning("a notification did not arrive by %s: %s", channel.name, failure)
        if isinstance(failure, DeliveryRefusedError):
            outbox = outbox.without([delivery])
            _tell_given_up([delivery], logger)
            continue
        outbox, given_up = outbox.after_failure(channel.name, now)
        _tell_given_up(given_up, logger)
        break
    return outbox


def _failure(channel: Channel, notification: Notification) -> DeliveryError | None:
    """Deliver in a thread of its own: a timeout of a socket begins again with every byte that comes."""
    answers: queue.Queue[DeliveryError | None] = queue.Queue()

    def deliver() -> None:
        try:
            channel.deliver(notification)
        except DeliveryError as error:
            answers.put(error)
        except Exception as error:  # noqa: BLE001 - one channel's defect is not another's; its text may hold secrets
            answers.put(_defect(channel, type(error).__name__))
        else:
            answers.put(None)

    threading.Thread(target=deliver, name=f"notification by {channel.name}", daemon=True).start()
    try:
        return answers.get(timeout=DEADLINE_SECONDS + 1.0)
    except queue.Empty:
        return DeliveryError("a channel takes too long", where=channel.name, expected=f"{DEADLINE_SECONDS:.0f} s")


def _defect(channel: Channel, found: str) -> DeliveryError:
    return DeliveryRefusedError(
        "a channel failed in an unforeseen way", where=channel.name, found=found, remedy="report this defect"
    )


def _tell_given_up(deliveries: Sequence[Delivery], logger: logging.Logger) -> None:
    for item in deliveries:
        logger.error("gave up telling %s by %s: %s", item.notification.event, item.channel, item.notification.title)


_WEB = ("https", "http")
_MAIL = ("smtp", "smtps")


def notifier_of(settings: Settings) -> Notifier:
    """Return the notifier of a deployment; nothing is connected.

    Args:
        settings: the deployment's settings.

    Raises:
        SettingError: an address, a kind or a companion setting is wrong or missing.
    """
    return Notifier(remote=_remote(settings), kinds=_kinds(settings.notify_on), ui_url=settings.ui_url.rstrip("/"))


def _remote(settings: Settings) -> tuple[Channel, ...]:
    channels: list[Channel] = []
    if settings.notify_webhook_url:
        address = _address(settings.notify_webhook_url, "ASSAY_NOTIFY_WEBHOOK_URL", _WEB)
        channels.append(WebhookChannel(address, settings.notify_webhook_secret))
    if settings.notify_slack_url:
        channels.append(SlackChannel(_address(settings.notify_slack_url, "ASSAY_NOTIFY_SLACK_URL", _WEB)))
    if settings.notify_email_to:
        channels.append(_mail(settings))
    return tuple(channels)


def _mail(settings: Settings) -> MailChannel:
    recipients = [part.strip() for part in settings.notify_email_to.split(",") if part.strip()]
    for name, addresses in (("FROM", [settings.notify_email_from]), ("TO", recipients)):
        if not addresses or any("@" not in address or not address.isprintable() for address in addresses):
            raise _wrong(f"ASSAY_NOTIFY_EMAIL_{name}", "mail addresses, e.g. ml-team@example.org")
    server = _address(settings.notify_smtp_url, "ASSAY_NOTIFY_SMTP_URL", _MAIL)
    return MailChannel(server, settings.notify_email_from, recipients)


def _address(secret: SecretStr, setting: str, schemes: tuple[str, ...]) -> SecretStr:
    address = secret.get_secret_value()
    try:
        parts = urlsplit(address)
        known = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port or host that is none; its text would show the address
        known = False
    if not known or not address.isprintable() or " " in address:
        raise _wrong(setting, f"{schemes[0]}://host or {schemes[1]}://host")
    return secret


def _kinds(names: str) -> frozenset[NotificationKind]:
    options = [str(kind) for kind in NotificationKind if kind is not NotificationKind.TEST]
    chosen = [name.strip().lower() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in options:
            raise SettingError(
                "notifications of an unknown kind are asked for",
                where="ASSAY_NOTIFY_ON",
                found=name + did_you_mean(name, options),
                expected=", ".join(options),
                remedy="mend the setting, or remove it to be told of all kinds",
            )
    return frozenset(NotificationKind(name) for name in chosen or options)


def _wrong(setting: str, expected: str) -> SettingError:
    return SettingError(
        "a setting of the notifications is missing or malformed",
        where=setting,
        expected=expected,
        remedy="set it, or remove the channel's other settings",
    )
