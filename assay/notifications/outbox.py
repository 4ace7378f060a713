"""Who is still to be told what: deliveries that wait, are tried again, and are given up.

A channel that fails is left alone for a while, longer each time, and its other deliveries wait with it: one channel
that is down costs one attempt at a time, however much there is to tell.
Does not belong here: delivering (`resources.notifications`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.notifications.notification import Notification, fields_of, notification_from

MAX_ATTEMPTS = 8
MAX_WAITING = 100
_FIRST_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification for one channel.

    Attributes:
        notification: what to tell.
        channel: the channel's name.
        attempts: how often it failed.
        due: Unix time in seconds before which it is not tried again.
    """

    notification: Notification
    channel: str
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Outbox:
    """All deliveries that wait, the oldest first."""

    waiting: tuple[Delivery, ...] = ()

    def with_notifications(self, notifications: Sequence[Notification], channels: Sequence[str]) -> "Outbox":
        """Return the outbox with each notification for each channel; each event once for a channel.

        A channel's new deliveries wait as long as its older ones do.
        """
        known = {(item.notification.event, item.channel) for item in self.waiting}
        held = {item.channel: item.due for item in self.waiting}
        new = [
            Delivery(notification, channel, due=held.get(channel, 0.0))
            for notification in {notification.event: notification for notification in notifications}.values()
            for channel in channels
            if (notification.event, channel) not in known
        ]
        return Outbox((*self.waiting, *new))

    def due(self, channel: str, now: float) -> tuple[Delivery, ...]:
        """Return a channel's deliveries that may be tried now."""
        return tuple(item for item in self.waiting if item.channel == channel and item.due <= now)

    def without(self, done: Sequence[Delivery]) -> "Outbox":
        """Return the outbox without deliveries that arrived, or that no one will take."""
        gone = {(item.notification.event, item.channel) for item in done}
        return Outbox(tuple(item for item in self.waiting if (item.notification.event, item.channel) not in gone))

    def after_failure(self, channel: str, now: float) -> "tuple[Outbox, tuple[Delivery, ...]]":
        """Return the outbox after a channel did not answer, and what is given up.

        Every delivery of the channel that was due has failed with the one that was tried.
        """
        kept, given_up = [], []
        for item in self.waiting:
            if item.channel != channel or item.due > now:
                kept.append(item)
            elif item.attempts + 1 >= MAX_ATTEMPTS:
                given_up.append(item)
            else:
                wait = _FIRST_WAIT_SECONDS * 2**item.attempts
                kept.append(replace(item, attempts=item.attempts + 1, due=now + wait))
        return Outbox(tuple(kept)), tuple(given_up)

    def bounded(self) -> "tuple[Outbox, tuple[Delivery, ...]]":
        """Return the outbox with at most `MAX_WAITING` deliveries, and the oldest ones that are given up for it."""
        surplus = max(len(self.waiting) - MAX_WAITING, 0)
        return Outbox(self.waiting[surplus:]), self.waiting[:surplus]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the deliveries as JSON-able values."""
        return [
            {
                "notice": fields_of(each.notification),
                "channel": each.channel,
                "attempts": each.attempts,
                "due": each.due,
            }
            for each in self.waiting
        ]


def outbox_from(stored: Sequence[dict[str, Any]]) -> Outbox:
    """Return the outbox of `to_json`."""
    return Outbox(tuple(_delivery(item) for item in stored))


def _delivery(stored: dict[str, Any]) -> Delivery:
    # "notice" is the stored name since the first version
    return Delivery(notification_from(stored["notice"]), stored["channel"], stored["attempts"], stored["due"])
