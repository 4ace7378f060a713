"""Geometry and colours of the drawings.

Foreign text as it may stand on the page: short, on one line, without invisible characters.
"""

import math

WIDTH, HEIGHT = 288, 64


def histogram_path(counts: tuple[int, ...]) -> str:
    """Return the outline of a histogram's bars as an SVG path in a box of 288 by 64."""
    most = max(counts)
    step = WIDTH / len(counts)
    gap = 1 if step > 4 else 0  # noqa: PLR2004 - pixels
    parts = []
    for place, count in enumerate(counts):
        if count:
            # a bin with one value among thousands stays visible
            height = max(HEIGHT * count / most, 1.0)
            parts.append(f"M{place * step:.1f} {HEIGHT}v-{height:.1f}h{step - gap:.1f}v{height:.1f}z")
    return "".join(parts)


def heat(value: float | None) -> str:
    """Return the style class of a correlation: `n10` (-1) ... `p0` (0) ... `p10` (1); `none` where it is undefined."""
    if value is None:
        return "none"
    step = round(abs(value) * 10)
    return f"{'n' if value < 0 and step else 'p'}{step}"


NOTHING = "\N{EN DASH}"
_EXACT_INTEGERS = 1e15


def readable(text: str, limit: int = 120) -> str:
    """Return a text with control, direction and other invisible characters spelled out, at most `limit` long.

    Names and values come from files: a right-to-left mark would turn the text around it, a NUL is no HTML, and a lone
    surrogate cannot be written at all.
    """
    head = text[:limit]
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in head)
    return plain if len(text) <= limit and len(plain) <= limit else f"{plain[: limit - 1]}…"


def number(value: float | None) -> str:
    """Return a number with five significant digits; integers up to 1e15 in full; a dash for none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    whole = value == int(value) and abs(value) < _EXACT_INTEGERS
    return f"{value:,.0f}" if whole else f"{value:,.5g}"


def coefficient(value: float | None) -> str:
    """Return a correlation with two decimals and no negative zero; a dash for none."""
    return NOTHING if value is None else f"{round(value, 2) + 0.0:.2f}"


def percent(share: float) -> str:
    """Return a share as a percentage that is 0 % or 100 % only if it is exactly so."""
    text = f"{share:.2%}"
    if text == "0.00%" and share > 0:
        return "<0.01%"
    return ">99.99%" if text == "100.00%" and share < 1 else text
