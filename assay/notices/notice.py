"""One message about one event.

Does not belong here: which sentences an event is told by (`wording`), how a channel writes them (`forms`).
"""

from dataclasses import dataclass
from enum import StrEnum

from assay.credentials import without_credentials

_MAX_TEXT = 300
_MAX_LINES = 12


class Kind(StrEnum):
    """Kinds of events that people are told of."""

    GATE_REFUSED = "gate_refused"
    RUN_FAILED = "run_failed"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
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

    kind: Kind
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
