"""Pending deliveries: they wait, are retried, and are given up.

After a failure all deliveries of a channel wait, longer each time, so a channel that is down costs one attempt per
evaluation however many deliveries wait.
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
        due: Unix time of the next attempt, seconds.
    """

    notification: Notification
    channel: str
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Outbox:
    """All pending deliveries, oldest first."""

    waiting: tuple[Delivery, ...] = ()

    def with_notifications(self, notifications: Sequence[Notification], channels: Sequence[str]) -> "Outbox":
        """Add each notification for each channel; an event is added once per channel.

        A channel's new deliveries wait as long as its older ones.
        """
        known = {(item.notification.event, item.channel) for item in self.waiting}
        next_try = {item.channel: item.due for item in self.waiting}
        new = [
            Delivery(notification, channel, due=next_try.get(channel, 0.0))
            for notification in {notification.event: notification for notification in notifications}.values()
            for channel in channels
            if (notification.event, channel) not in known
        ]
        return Outbox((*self.waiting, *new))

    def due(self, channel: str, now: float) -> tuple[Delivery, ...]:
        """Return a channel's deliveries that are due."""
        return tuple(item for item in self.waiting if item.channel == channel and item.due <= now)

    def without(self, done: Sequence[Delivery]) -> "Outbox":
        """Return the outbox without deliveries that arrived or were refused."""
        gone = {(item.notification.event, item.channel) for item in done}
        return Outbox(tuple(item for item in self.waiting if (item.notification.event, item.channel) not in gone))

    def after_failure(self, channel: str, now: float) -> "tuple[Outbox, tuple[Delivery, ...]]":
        """Postpone a channel's due deliveries after a failure; return the outbox and the deliveries to give up."""
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
        """Return the newest `MAX_WAITING` deliveries, and the older ones to give up."""
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
    # "notice" is the stored name since the first version
    return Outbox(
        tuple(
            Delivery(notification_from(each["notice"]), each["channel"], each["attempts"], each["due"])
            for each in stored
        )
    )
