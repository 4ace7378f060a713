"""Values as a reader may see them: short, on one line, and never of a pii column.

Does not belong here: layout of tables (`report`).
"""

from collections.abc import Iterable
from typing import Any

MASK = "***"
MAX_EXAMPLES = 5
MAX_ROW_NUMBERS = 20
_MAX_LENGTH = 80


def shown(value: Any, *, pii: bool) -> str:
    """Return a value's text: `***` for pii, strings quoted, at most 80 characters."""
    if pii:
        return MASK
    if value is None:
        return "missing"
    text = repr(value) if isinstance(value, str | bool | int | float) else " ".join(str(value).split())
    return shortened(text)


def shortened(text: str) -> str:
    """Return at most 80 characters of a text."""
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def examples(values: Iterable[Any], *, pii: bool) -> tuple[str, ...]:
    """Return the texts of the first five distinct values."""
    texts = dict.fromkeys(shown(value, pii=pii) for value in values)
    return tuple(texts)[:MAX_EXAMPLES]
