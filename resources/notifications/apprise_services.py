"""Every service of apprise: Slack, Teams, Discord, Telegram, PagerDuty and over 100 more, one channel for each URL.

Apprise reports success, failure or a timeout, so each failure counts as one that may pass
(docs/adr/0008-notifications-by-apprise.md). Its URLs and its log hold secrets: neither leaves this module unmasked.
"""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from assay.errors import DeliveryError
from assay.notifications.notification import Notification, details_of
from resources.notifications.channels import (
    DEADLINE_SECONDS,
    GOOD_NEWS,
    Channel,
    keep_requests_private,
    setting_error,
)
from resources.settings import Settings

if TYPE_CHECKING:
    from apprise import AppriseAsset
    from apprise.plugins import NotifyBase

_SETTING = "ASSAY_NOTIFY_APPRISE_URLS"
_SHORTEST_SECRET = 4
"""Shorter parts of a URL would mask ordinary words."""


class AppriseChannel(Channel):
    """One service of apprise."""

    def __init__(self, name: str, service: "NotifyBase", url: str, asset: "AppriseAsset") -> None:
        self.name, self._service, self._asset = name, service, asset
        self._scheme, _, rest = url.partition("://")
        parts = {part for text in (rest, unquote(rest)) for part in re.split(r"[/:@?&=+,\s]", text)}
        self._secrets = sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)

    def deliver(self, notification: Notification) -> None:
        """Send title and text by the service."""
        from apprise import Apprise, NotifyFormat, NotifyType

        sender = Apprise(asset=self._asset)
        sender.add(self._service)
        result = sender.notify(
            title=notification.title,
            body=details_of(notification) or notification.title,
            body_format=NotifyFormat.TEXT,
            notify_type=NotifyType.INFO if notification.kind in GOOD_NEWS else NotifyType.WARNING,
            timeout=DEADLINE_SECONDS,
            log_level=logging.WARNING,
        )
        if result:
            return
        messages = [entry.message for service in result for attempt in service.attempts for entry in attempt.logs]
        raise DeliveryError(
            "the notification was not accepted",
            where=f"{self._scheme}://...",
            found=self._masked("; ".join(messages)) or result.status.name.lower(),
            expected=f"success within {DEADLINE_SECONDS:.0f} s",
            remedy=f"check the URL in {_SETTING}, and that the service is available",
        )

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def open_apprise(settings: Settings) -> Sequence[Channel]:
    """Return a channel for each configured URL.

    Raises:
        SettingError: apprise does not know a URL; the error gives its position only.
    """
    urls = settings.notify_apprise_urls.get_secret_value().split()
    if not urls:
        return ()
    from apprise import Apprise, AppriseAsset

    keep_requests_private()
    logging.getLogger("apprise").propagate = False  # its lines show URLs; each delivery's result has its own copy
    # redirections could lead to hosts that the settings do not name
    asset = AppriseAsset(app_id="Assay", app_desc="Assay", app_url="", http_redirects=False, async_mode=False)
    channels: list[Channel] = []
    names: Counter[str] = Counter()
    for position, url in enumerate(urls, 1):
        service = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise setting_error(f"{_SETTING}, URL {position}", "URLs as apprise writes them, separated by spaces")
        name = f"apprise-{url.partition('://')[0].lower()}"
        names[name] += 1
        channels.append(AppriseChannel(f"{name}-{names[name]}" if names[name] > 1 else name, service, url, asset))
    return channels
