"""The interface of channels, and the log channel."""

import logging
from abc import ABC, abstractmethod
from urllib.parse import urlsplit

from pydantic import SecretStr

from assay.errors import SettingError
from assay.notifications.notification import Notification, NotificationKind, text_of

DEADLINE_SECONDS = 10.0
"""For one delivery, retries within it included."""
GOOD_NEWS = frozenset({NotificationKind.PROMOTION, NotificationKind.TEST})


class Channel(ABC):
    """One way to deliver notifications. Neither its text nor its errors show secrets."""

    name: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def deliver(self, notification: Notification) -> None:
        """Deliver a notification.

        Raises:
            DeliveryError: the channel did not accept it in time.
            DeliveryRefusedError: it never will.
        """


class LogChannel(Channel):
    """Writes notifications to a logger: good news as information, the rest as warnings."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def deliver(self, notification: Notification) -> None:
        """Log the text."""
        level = logging.INFO if notification.kind in GOOD_NEWS else logging.WARNING
        self._logger.log(level, "%s", text_of(notification))


def checked_address(secret: SecretStr, setting: str, schemes: tuple[str, ...]) -> SecretStr:
    """Return the address in a setting.

    Raises:
        SettingError: it is missing or malformed; the error does not show it.
    """
    address = secret.get_secret_value()
    try:
        parts = urlsplit(address)
        valid = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # its text would show the address
        valid = False
    if not valid or not address.isprintable() or " " in address:
        raise setting_error(setting, " or ".join(f"{scheme}://host" for scheme in schemes))
    return secret


def keep_requests_private() -> None:
    """Keep urllib3's request lines out of every log: a path may be the secret."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def setting_error(setting: str, expected: str) -> SettingError:
    """Return the error for a channel's missing or malformed setting."""
    return SettingError(
        "a setting of the notifications is missing or malformed",
        where=setting,
        expected=expected,
        remedy="set it, or remove the channel's other settings",
    )
