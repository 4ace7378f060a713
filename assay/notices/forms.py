"""A notice as text, as a Slack message and as JSON.

Does not belong here: sending it (`resources.notifications`).
"""

from typing import Any

from assay.notices.notice import Kind, Notice

JSON_VERSION = 1
# of Slack's blocks: https://docs.slack.dev/reference/block-kit/blocks
_MAX_HEADER = 150
_MAX_SECTION = 3000


def subject_of(notice: Notice) -> str:
    """Return the line by which a mail is found again."""
    return f"[assay] {notice.title}"


def text_of(notice: Notice) -> str:
    """Return title, lines and link, each on a line of its own."""
    return "\n".join([notice.title, *(f"  {line}" for line in notice.lines), *([notice.link] if notice.link else [])])


def slack_of(notice: Notice) -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack: blocks, and a text for previews and screen readers."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(notice.title, _MAX_HEADER), "emoji": False}}
    ]
    if notice.lines:
        blocks.append(_section("\n".join(map(_escaped, notice.lines))))
    if notice.link:
        blocks.append(_section(f"<{_escaped(notice.link).replace('|', '%7C')}|Open in Dagster>"))
    return {"text": _escaped(notice.title), "blocks": blocks}


def json_of(notice: Notice) -> dict[str, Any]:
    """Return every field under its own name, and the text, for programs that pass it on."""
    return {"version": JSON_VERSION, **fields_of(notice), "text": text_of(notice)}


def fields_of(notice: Notice) -> dict[str, Any]:
    """Return the fields as JSON-able values."""
    return {
        "kind": str(notice.kind),
        "event": notice.event,
        "pipeline": notice.pipeline,
        "partition": notice.partition,
        "title": notice.title,
        "lines": list(notice.lines),
        "link": notice.link,
    }


def notice_from(fields: dict[str, Any]) -> Notice:
    """Return the notice of `fields_of`."""
    return Notice(**{**fields, "kind": Kind(fields["kind"]), "lines": tuple(fields["lines"])})


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _MAX_SECTION)}}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _escaped(text: str) -> str:
    # the three characters by which Slack tells links and mentions: https://docs.slack.dev/messaging/formatting-message-text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
