"""A notification of one event, and its forms: text, Slack message and JSON."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from assay.credentials import without_credentials

JSON_VERSION = 1
_MAX_TEXT = 300
_MAX_LINES = 12
# limits of Slack's blocks: https://docs.slack.dev/reference/block-kit/blocks
_MAX_HEADER = 150
_MAX_SECTION = 3000


class NotificationKind(StrEnum):
    """Kinds of events."""

    GATE_REFUSED = "gate_refused"
    RUN_FAILED = "run_failed"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    APPROVAL = "approval"
    BELOW_MINIMUM = "below_minimum"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notification:
    """One event in a few short lines, without credentials or control characters.

    Attributes:
        kind: of the event.
        event: identity of the event, by which receivers detect duplicates.
        pipeline: name; empty for none.
        partition: comma-separated keys; empty without partitions.
        title: one sentence.
        lines: details, and what to do.
        link: page of the user interface.
    """

    kind: NotificationKind
    event: str
    pipeline: str
    partition: str
    title: str
    lines: tuple[str, ...]
    link: str

    def __post_init__(self) -> None:
        for name in ("event", "pipeline", "partition", "title", "link"):
            object.__setattr__(self, name, _one_line(getattr(self, name)))
        lines = [line for line in map(_one_line, self.lines) if line]
        more = [f"and {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else []
        object.__setattr__(self, "lines", (*lines[:_MAX_LINES], *more))


def details_of(notification: Notification) -> str:
    """Return the lines and the link, one per line."""
    lines = [f"  {line}" for line in notification.lines]
    return "\n".join([*lines, notification.link] if notification.link else lines)


def text_of(notification: Notification) -> str:
    """Return title, lines and link, one per line."""
    details = details_of(notification)
    return f"{notification.title}\n{details}" if details else notification.title


def slack_of(notification: Notification) -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack: blocks, and a text for previews and screen readers."""
    header = {"type": "plain_text", "text": _cut(notification.title, _MAX_HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    if notification.lines:
        blocks.append(_section("\n".join(map(_escaped, notification.lines))))
    if notification.link:
        blocks.append(_section(f"<{_escaped(notification.link).replace('|', '%7C')}|Open in Dagster>"))
    return {"text": _escaped(notification.title), "blocks": blocks}


def json_of(notification: Notification) -> dict[str, Any]:
    """Return all fields and the text, for programs."""
    return {"version": JSON_VERSION, **fields_of(notification), "text": text_of(notification)}


def fields_of(notification: Notification) -> dict[str, Any]:
    """Return the fields as JSON-able values."""
    return {**asdict(notification), "kind": str(notification.kind), "lines": list(notification.lines)}


def notification_from(fields: dict[str, Any]) -> Notification:
    """Return the notification of `fields_of`."""
    return Notification(**{**fields, "kind": NotificationKind(fields["kind"]), "lines": tuple(fields["lines"])})


def _one_line(text: str) -> str:
    # names and messages come from files and data: they must not forge lines or mail headers
    plain = " ".join("".join(char if char.isprintable() else " " for char in without_credentials(text)).split())
    return _cut(plain, _MAX_TEXT)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _MAX_SECTION)}}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escaped(text: str) -> str:
    # Slack's three control characters: https://docs.slack.dev/messaging/formatting-message-text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
