"""Stated probabilities: whether they hold, and how they are spread.

Does not belong here: rankings (`ranking`).
"""

from typing import Any, NamedTuple

import numpy as np

from assay.evaluation.plots.canvas import BLUE, GREY, VERMILLION, draw, grid

_BINS = 10
_HISTOGRAM_BINS = 40


class Stated(NamedTuple):
    """Probabilities that a model stated, and whether what it said came true.

    Attributes:
        probability: shape (n,).
        came_true: shape (n,), boolean.
        event: what the probability is of, for the axis.
        if_true: legend of rows where it came true.
        if_false: legend of the other rows.
    """

    probability: np.ndarray
    came_true: np.ndarray
    event: str
    if_true: str
    if_false: str


def calibration_plot(stated: Stated, subtitle: str) -> bytes:
    """Draw the observed share against the stated probability, with 95 % Wilson intervals by bin of equal rows.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """

    def paint(axes: Any) -> None:
        means, shares, below, above = _by_bin(stated)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
        axes.errorbar(
            means,
            shares,
            yerr=[below, above],
            color=BLUE,
            marker="o",
            linewidth=1.5,
            capsize=3,
            label="observed, with 95 % interval",
        )
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        grid(axes)
        axes.legend(loc="upper left", fontsize=9)

    title = f"Calibration\n{subtitle}; {_BINS} bins of equally many rows"
    return draw(title, f"Stated probability of {stated.event}", "Observed share", paint)


def _by_bin(stated: Stated) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(stated.probability, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    means = np.array([stated.probability[rows].mean() for rows in bins])
    shares = np.array([stated.came_true[rows].mean() for rows in bins])
    sizes = np.array([len(rows) for rows in bins])
    z = 1.96
    centre = (shares + z**2 / (2 * sizes)) / (1 + z**2 / sizes)
    half = z * np.sqrt(shares * (1 - shares) / sizes + z**2 / (4 * sizes**2)) / (1 + z**2 / sizes)
    return means, shares, np.maximum(shares - (centre - half), 0), np.maximum(centre + half - shares, 0)


def score_distribution_plot(stated: Stated, subtitle: str) -> bytes:
    """Draw how the stated probabilities are spread, for rows where the event came true and for the others."""

    def paint(axes: Any) -> None:
        edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
        groups = ((~stated.came_true, VERMILLION, stated.if_false), (stated.came_true, BLUE, stated.if_true))
        for rows, colour, name in groups:
            counted = f"{name} ({int(rows.sum()):,} rows)"
            if rows.any():
                weights = np.full(int(rows.sum()), 100 / rows.sum())
                axes.hist(stated.probability[rows], edges, weights=weights, color=colour, alpha=0.55, label=counted)
        axes.set(xlim=(-0.01, 1.01))
        grid(axes)

    title = f"Distribution of stated probabilities\n{subtitle}"
    return draw(title, f"Stated probability of {stated.event}", "Rows of the group, in %", paint)
