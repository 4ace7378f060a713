"""Numbers in sentences: a count with its noun, the first of many, and a share that no rounding moves past its bound."""

import math
from collections.abc import Sequence


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 row`, `2 rows`, `1,000 rows`.

    Args:
        number: of things.
        one: what one of them is called.
        many: what any other number of them is called; `one` with an s unless given.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def first_of(texts: Sequence[str], most: int) -> str:
    """Return the first of some texts, and how many are left out."""
    left = len(texts) - most
    return "; ".join([*texts[:most], *([f"and {left:,} more"] if left > 0 else [])])


def percent(share: float) -> str:
    """Return a share in per cent to a tenth, cut and not rounded: 94.96 % does not reach a bound of 95 %."""
    return f"{math.floor(share * 1000) / 10:g}%"
