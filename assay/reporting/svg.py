"""Coordinates of a small drawing: data to places in a box of 320 by 240."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 312.0, 8.0, 204.0
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Axes:
    """Two axes; values beyond their ends are drawn at the ends.

    Attributes:
        x_low: value at the left.
        x_high: value at the right.
        y_low: value at the bottom.
        y_high: value at the top.
    """

    x_low: float = 0.0
    x_high: float = 1.0
    y_low: float = 0.0
    y_high: float = 1.0

    @classmethod
    def around(cls, x: Sequence[float], y: Sequence[float]) -> "Axes":
        """Return axes that hold all points, with some room above and below."""
        y_low, y_high = _apart(min(y), max(y))
        room = 0.06 * (y_high - y_low)
        return cls(*_apart(min(x), max(x)), y_low - room, y_high + room)

    def x(self, value: float) -> float:
        """Return the horizontal place of a value."""
        return _placed(value, self.x_low, self.x_high, _LEFT, _RIGHT)

    def y(self, value: float) -> float:
        """Return the vertical place of a value."""
        return _placed(value, self.y_low, self.y_high, _BOTTOM, _TOP)

    def path(self, x: Sequence[float], y: Sequence[float], *, steps: bool = False) -> str:
        """Return a line through points as an SVG path; with `steps` it stays level until the next point."""
        places = [(self.x(one), self.y(other)) for one, other in zip(x, y, strict=True)]
        parts = [f"M{places[0][0]:.1f} {places[0][1]:.1f}"] if places else []
        for across, up in places[1:]:
            parts.append(f"H{across:.1f}V{up:.1f}" if steps else f"L{across:.1f} {up:.1f}")
        return "".join(parts)

    @property
    def x_ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round values."""
        return [(self.x(value), label) for value, label in _ticks(self.x_low, self.x_high)]

    @property
    def y_ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round values."""
        return [(self.y(value), label) for value, label in _ticks(self.y_low, self.y_high)]


def _apart(low: float, high: float) -> tuple[float, float]:
    """Return ends that differ, whatever the size of the values."""
    if high > low:
        return low, high
    around = abs(low) / 2 or 1.0
    return low - around, high + around


def _placed(value: float, low: float, high: float, start: float, end: float) -> float:
    # halves first: the difference of huge numbers overflows
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return start + min(1.0, max(0.0, share)) * (end - start)


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return up to five round values between two ends, with labels."""
    rough = high / _TICKS - low / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    values = [number * step for number in range(first, first + _TICKS + 2) if number * step <= high + step * 1e-6]
    return [(value, f"{round(value, 12) + 0.0:,.6g}") for value in values]
