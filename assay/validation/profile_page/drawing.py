"""Geometry and colours of the drawings.

Does not belong here: markup (the templates).
"""

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
