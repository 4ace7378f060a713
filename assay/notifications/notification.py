"""One message about one event.

A notification as text, as a Slack message and as JSON.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assay.credentials import without_credentials

_MAX_TEXT = 300
_MAX_LINES = 12


class NotificationKind(StrEnum):
    """Kinds of events that people are told of."""

    GATE_REFUSED = "gate_refused"
    RUN_FAILED = "run_failed"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notification:
    """What happened, short enough for a telephone: each text is one line, without credentials or control characters.

    Attributes:
        kind: of the event.
        event: identity of the event; a receiver that knows it already was told twice.
        pipeline: which pipeline; empty for none.
        partition: key, or keys with commas between; empty without partitions.
        title: one sentence.
        lines: what else to know, and what to do.
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
        told = [line for line in map(_one_line, self.lines) if line]
        more = [f"and {len(told) - _MAX_LINES} more"] if len(told) > _MAX_LINES else []
        object.__setattr__(self, "lines", (*told[:_MAX_LINES], *more))


def _one_line(text: str) -> str:
    # names and messages come from files and data: neither a line nor a mail header may be forged
    plain = " ".join("".join(char if char.isprintable() else " " for char in without_credentials(text)).split())
    return plain if len(plain) <= _MAX_TEXT else plain[: _MAX_TEXT - 1] + "…"


JSON_VERSION = 1
# of Slack's blocks: https://docs.slack.dev/reference/block-kit/blocks
_MAX_HEADER = 150
_MAX_SECTION = 3000


def subject_of(notification: Notification) -> str:
    """Return the line by which a mail is found again."""
    return f"[assay] {notification.title}"


def text_of(notification: Notification) -> str:
    """Return title, lines and link, each on a line of its own."""
    return "\n".join(
        [
            notification.title,
            *(f"  {line}" for line in notification.lines),
            *([notification.link] if notification.link else []),
        ]
    )


def slack_of(notification: Notification) -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack: blocks, and a text for previews and screen readers."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": _cut(notification.title, _MAX_HEADER), "emoji": False},
        }
    ]
    if notification.lines:
        blocks.append(_section("\n".join(map(_escaped, notification.lines))))
    if notification.link:
        blocks.append(_section(f"<{_escaped(notification.link).replace('|', '%7C')}|Open in Dagster>"))
    return {"text": _escaped(notification.title), "blocks": blocks}


def json_of(notification: Notification) -> dict[str, Any]:
    """Return every field under its own name, and the text, for programs that pass it on."""
    return {"version": JSON_VERSION, **fields_of(notification), "text": text_of(notification)}


def fields_of(notification: Notification) -> dict[str, Any]:
    """Return the fields as JSON-able values."""
    return {
        "kind": str(notification.kind),
        "event": notification.event,
        "pipeline": notification.pipeline,
        "partition": notification.partition,
        "title": notification.title,
        "lines": list(notification.lines),
        "link": notification.link,
    }


def notification_from(fields: dict[str, Any]) -> Notification:
    """Return the notification of `fields_of`."""
    return Notification(**{**fields, "kind": NotificationKind(fields["kind"]), "lines": tuple(fields["lines"])})


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _MAX_SECTION)}}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escaped(text: str) -> str:
    # the three characters by which Slack tells links and mentions: https://docs.slack.dev/messaging/formatting-message-text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
