"""Deliveries by all channels of a deployment: each in its time, none in the way of another.

Does not belong here: which deliveries wait (`assay.notices.outbox`), how a channel delivers.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence

from assay.notices.notice import Kind, Notice
from assay.notices.outbox import Delivery, Outbox
from resources.notifications.interface import DEADLINE_SECONDS, Channel, DeliveryError, DeliveryRefusedError
from resources.notifications.log import LogChannel

# a tick of a Dagster sensor may take 60 s; the last delivery that begins has its own deadline
_TICK_SECONDS = 30.0


class Notifier:
    """The channels of a deployment, and which kinds of notices they carry.

    A plain object on purpose: Dagster shows the fields of a configurable resource, and these are secrets.

    Attributes:
        kinds: what is told at all.
        ui_url: address of the user interface, without a slash at its end.
    """

    def __init__(self, remote: Sequence[Channel], kinds: frozenset[Kind], ui_url: str) -> None:
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
            logger: for the notices themselves and for failures.
        """
        until = time.monotonic() + _TICK_SECONDS
        # the settings may have lost a channel since
        outbox = outbox.without([item for item in outbox.waiting if item.channel not in self.names])
        for channel in self._channels(logger).values():
            outbox = _told(outbox, channel, now, until, logger)
        outbox, given_up = outbox.bounded()
        _tell_given_up(given_up, logger)
        return outbox

    def try_all(self, notice: Notice, logger: logging.Logger) -> dict[str, DeliveryError | None]:
        """Hand one notice to every channel; return each one's failure, or None."""
        return {name: _failure(channel, notice) for name, channel in self._channels(logger).items()}

    def _channels(self, logger: logging.Logger) -> Mapping[str, Channel]:
        return {channel.name: channel for channel in (LogChannel(logger), *self._remote)}


def _told(outbox: Outbox, channel: Channel, now: float, until: float, logger: logging.Logger) -> Outbox:
    """Deliver what is due by one channel, up to its first failure that may pass."""
    for delivery in outbox.due(channel.name, now):
        if time.monotonic() >= until:
            break
        failure = _failure(channel, delivery.notice)
        if failure is None:
            outbox = outbox.without([delivery])
            continue
        logger.warning("a notice did not arrive by %s: %s", channel.name, failure)
        if isinstance(failure, DeliveryRefusedError):
            outbox = outbox.without([delivery])
            _tell_given_up([delivery], logger)
            continue
        outbox, given_up = outbox.after_failure(channel.name, now)
        _tell_given_up(given_up, logger)
        break
    return outbox


def _failure(channel: Channel, notice: Notice) -> DeliveryError | None:
    """Deliver in a thread of its own: a timeout of a socket begins again with every byte that comes."""
    answers: queue.Queue[DeliveryError | None] = queue.Queue()

    def deliver() -> None:
        try:
            channel.deliver(notice)
        except DeliveryError as error:
            answers.put(error)
        except Exception as error:  # noqa: BLE001 - one channel's defect is not another's; its text may hold secrets
            answers.put(_defect(channel, type(error).__name__))
        else:
            answers.put(None)

    threading.Thread(target=deliver, name=f"notice by {channel.name}", daemon=True).start()
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
        logger.error("gave up telling %s by %s: %s", item.notice.event, item.channel, item.notice.title)
