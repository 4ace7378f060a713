"""Delivery by all channels of a deployment: each within its deadline, none blocking another."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from assay.errors import DeliveryError, DeliveryRefusedError, SettingError, did_you_mean
from assay.notifications.notification import Notification, NotificationKind
from assay.notifications.outbox import Delivery, Outbox
from resources.notifications.apprise_services import open_apprise
from resources.notifications.channels import (
    DEADLINE_SECONDS,
    Channel,
    LogChannel,
)
from resources.notifications.mail import open_mail
from resources.notifications.webhooks import open_slack, open_webhook
from resources.settings import Settings

CHANNELS: tuple[Callable[[Settings], Sequence[Channel]], ...] = (open_webhook, open_slack, open_mail, open_apprise)
"""Each returns the channels that the settings configure; a new one is added here."""

# an evaluation of a Dagster sensor may take 60 s, and the last delivery has a deadline of its own
_EVALUATION_SECONDS = 30.0


class Notifier:
    """The channels of a deployment, and which kinds of notifications they deliver.

    Not a configurable resource: Dagster shows the fields of those, and these are secrets.

    Attributes:
        ui_url: address of the user interface, without a final slash.
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
        """Try the deliveries that are due, and return those that still wait.

        A failure is logged, never raised: it fails no run and blocks no other channel.
        """
        until = time.monotonic() + _EVALUATION_SECONDS
        # a channel may have been removed from the settings
        outbox = outbox.without([item for item in outbox.waiting if item.channel not in self.names])
        for channel in self._channels(logger):
            outbox = _delivered(outbox, channel, now, until, logger)
        outbox, given_up = outbox.bounded()
        _log_given_up(given_up, logger)
        return outbox

    def try_all(self, notification: Notification, logger: logging.Logger) -> dict[str, DeliveryError | None]:
        """Deliver one notification by every channel; return each one's failure, or None."""
        return {channel.name: _failure(channel, notification) for channel in self._channels(logger)}

    def _channels(self, logger: logging.Logger) -> Sequence[Channel]:
        return (LogChannel(logger), *self._remote)


def notifier_of(settings: Settings) -> Notifier:
    """Return the notifier of a deployment; connects to nothing.

    Raises:
        SettingError: a setting of the notifications is missing or malformed.
    """
    channels = [channel for open_channels in CHANNELS for channel in open_channels(settings)]
    return Notifier(channels, kinds=_kinds(settings.notify_on), ui_url=settings.ui_address)


def _delivered(outbox: Outbox, channel: Channel, now: float, until: float, logger: logging.Logger) -> Outbox:
    """Deliver what is due by one channel, up to its first failure that may pass."""
    for delivery in outbox.due(channel.name, now):
        if time.monotonic() >= until:
            break
        failure = _failure(channel, delivery.notification)
        if failure is None:
            outbox = outbox.without([delivery])
            continue
        logger.warning("delivery by %s failed: %s", channel.name, failure)
        if isinstance(failure, DeliveryRefusedError):
            outbox = outbox.without([delivery])
            _log_given_up([delivery], logger)
            continue
        outbox, given_up = outbox.after_failure(channel.name, now)
        _log_given_up(given_up, logger)
        break
    return outbox


def _failure(channel: Channel, notification: Notification) -> DeliveryError | None:
    """Deliver in a thread of its own: a socket's timeout starts again with every byte received."""
    answers: queue.Queue[DeliveryError | None] = queue.Queue()

    def deliver() -> None:
        try:
            channel.deliver(notification)
        except DeliveryError as error:
            answers.put(error)
        except Exception as error:  # noqa: BLE001 - one channel's bug must not stop another; its text may hold secrets
            found, remedy = type(error).__name__, "report this as a bug"
            what = "a channel failed unexpectedly"
            answers.put(DeliveryRefusedError(what, where=channel.name, found=found, remedy=remedy))
        else:
            answers.put(None)

    threading.Thread(target=deliver, name=f"notification by {channel.name}", daemon=True).start()
    try:
        return answers.get(timeout=DEADLINE_SECONDS + 1.0)
    except queue.Empty:
        return DeliveryError("a channel takes too long", where=channel.name, expected=f"{DEADLINE_SECONDS:.0f} s")


def _log_given_up(deliveries: Sequence[Delivery], logger: logging.Logger) -> None:
    for item in deliveries:
        logger.error("gave up delivering %s by %s: %s", item.notification.event, item.channel, item.notification.title)


def _kinds(names: str) -> frozenset[NotificationKind]:
    options = [str(kind) for kind in NotificationKind if kind is not NotificationKind.TEST]
    chosen = [name.strip().lower() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in options:
            raise SettingError(
                "unknown kind of notification",
                where="ASSAY_NOTIFY_ON",
                found=name + did_you_mean(name, options),
                expected=", ".join(options),
                remedy="correct the setting, or remove it to get all kinds",
            )
    return frozenset(NotificationKind(name) for name in chosen or options)
