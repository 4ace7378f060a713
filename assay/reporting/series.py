"""Numbers over windows as small drawings: lines through the windows that have a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.reporting.svg import Axes

_LONGEST = 12
_APART = 0.09
"""How far from the middle a window may be whose name fits between the first and the last."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawing.

    Attributes:
        name: of what it shows.
        x: numbers of the windows that have a value.
        y: the values.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SeriesChart:
    """A drawing over windows.

    Attributes:
        title: of the drawing.
        caption: what it shows.
        lines: at most six.
        axes: hold all of them.
        labels: place and name of some windows.
        marked: numbers of the windows with an alarm.
    """

    title: str
    caption: str
    lines: tuple[Line, ...]
    axes: Axes
    labels: tuple[tuple[float, str], ...]
    marked: tuple[float, ...] = ()

    @property
    def in_words(self) -> str:
        """The newest value of each line, for those who do not see the drawing."""
        return "; ".join(f"{each.name}: {each.y[-1]:.4g} at last" for each in self.lines)


def series_chart(
    title: str,
    caption: str,
    windows: Sequence[str],
    values: Mapping[str, Sequence[float | None]],
    *,
    marked: Sequence[bool] = (),
    ends: tuple[float, float] | None = None,
) -> SeriesChart | None:
    """Return a drawing; None where no window has a value.

    Args:
        title: of the drawing.
        caption: what it shows.
        windows: their names, oldest first.
        values: of each line, one for each window; None where it has none.
        marked: whether each window has an alarm.
        ends: least and largest value of the axis; by the values unless given.
    """
    lines = [
        Line(name, tuple(float(place) for place, _ in known), tuple(value for _, value in known))
        for name, all_values in values.items()
        if (known := [(place, value) for place, value in enumerate(all_values) if value is not None])
    ]
    if not lines:
        return None
    last = max(len(windows) - 1, 1)
    axes = Axes.around([0, last], [y for line in lines for y in line.y])
    if ends is not None:
        axes = Axes(0.0, float(last), *ends)
    return SeriesChart(
        title=title,
        caption=caption,
        lines=tuple(lines),
        axes=axes,
        labels=tuple(_labels(windows)),
        marked=tuple(float(place) for place, is_marked in enumerate(marked) if is_marked),
    )


def _short(name: str) -> str:
    """Return the end of a long name, from a whole part on."""
    return name if len(name) <= _LONGEST else name[-_LONGEST:].lstrip("-_ T:")


def _labels(windows: Sequence[str]) -> list[tuple[float, str]]:
    """Return the first and the last window, and the one between them where its name fits."""
    last = len(windows) - 1
    middle = last // 2
    fits = last > 1 and abs(middle / last - 0.5) < _APART
    places = sorted({0, *([middle] if fits else []), last})
    return [(float(place), _short(windows[place])) for place in places]
