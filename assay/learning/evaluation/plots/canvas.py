"""Figures as PNG bytes, without matplotlib's global state."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

# Okabe and Ito's colours are distinguishable with every common colour blindness
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#666666"
MOST_POINTS = 5_000

_SIZE_IN_INCHES = (6.4, 4.8)
_DPI = 100
_LONGEST_LABEL = 24


def draw(title: str, x_label: str, y_label: str, paint: Callable[[Any], None]) -> bytes:
    """Return a PNG of one pair of axes.

    Args:
        title: first line in bold; further lines below it.
        x_label: with the unit, if there is one.
        y_label: likewise.
        paint: draws on the axes; a legend is added for what it labels.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    headline, _, detail = title.partition("\n")
    # the empty second line keeps room for the detail, which may be wider than the axes
    figure.suptitle(f"{headline}\n ", fontsize=12, fontweight="bold", x=0.02, ha="left")
    figure.text(0.02, 0.925, detail, fontsize=9, color=GREY, va="top")
    paint(axes)
    if axes.get_legend_handles_labels()[1] and axes.get_legend() is None:
        axes.legend(fontsize=9, framealpha=0.9)
    buffer = io.BytesIO()
    # the library's version in the file would make equal pictures differ
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def grid(axes: Any) -> None:
    """Draw a quiet grid behind the data."""
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.7)


def shortened(text: object, longest: int = _LONGEST_LABEL) -> str:
    """Return a label that fits; `$` is taken literally."""
    label = str(text) if len(str(text)) <= longest else f"{str(text)[: longest - 1]}…"
    return label.replace("$", r"\$")


def sample(rows: int, seed: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return row positions, ascending: all, or a seeded sample of `most`."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
