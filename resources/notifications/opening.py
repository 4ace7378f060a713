"""Channels of the settings, checked before anything is to be told.

Does not belong here: reading settings (`resources.settings`), any channel.
"""

from urllib.parse import urlsplit

from pydantic import SecretStr

from assay.errors import did_you_mean
from assay.notices.notice import Kind
from resources.notifications.interface import Channel
from resources.notifications.mail import MailChannel
from resources.notifications.notifier import Notifier
from resources.notifications.slack import SlackChannel
from resources.notifications.webhook import WebhookChannel
from resources.settings import SettingError, Settings

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


def _kinds(names: str) -> frozenset[Kind]:
    options = [str(kind) for kind in Kind if kind is not Kind.TEST]
    chosen = [name.strip().lower() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in options:
            raise SettingError(
                "notices of an unknown kind are asked for",
                where="ASSAY_NOTIFY_ON",
                found=name + did_you_mean(name, options),
                expected=", ".join(options),
                remedy="mend the setting, or remove it to be told of all kinds",
            )
    return frozenset(Kind(name) for name in chosen or options)


def _wrong(setting: str, expected: str) -> SettingError:
    return SettingError(
        "a setting of the notifications is missing or malformed",
        where=setting,
        expected=expected,
        remedy="set it, or remove the channel's other settings",
    )
