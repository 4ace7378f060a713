"""Permutation importance: what the primary metric loses when one column is shuffled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from assay.learning.evaluation.metrics import Metric, Predictions, measure
from assay.learning.evaluation.plots.canvas import BLUE, GREY, draw, grid, sample, shortened

MOST_COLUMNS = 300
_MOST_ROWS = 2_000
_FEWEST_ROWS = 500
_MOST_REPEATS = 5
_BUDGET = 250
_SHOWN = 15


def rows_for(classes: int) -> int:
    """Return how many rows are enough: 2,000, fewer with many classes, each of which costs a boosted tree per round."""
    return max(_FEWEST_ROWS, min(_MOST_ROWS, 2 * _MOST_ROWS // max(classes, 1)))


def permutation_importance(
    predict_rows: Callable[[pd.DataFrame], Predictions],
    features: pd.DataFrame,
    truth: np.ndarray,
    metric: Metric,
    seed: int,
    most_rows: int,
) -> dict[str, list[float]]:
    """Return, by column, the metric's loss in each shuffle; positive means that the column helps.

    Source: Breiman (2001), "Random Forests"; Fisher, Rudin and Dominici (2019), "All models are wrong, but many are
    useful".

    Args:
        predict_rows: predicts rows of the feature frame.
        features: rows of the feature frame.
        truth: shape (n,).
        metric: what is lost.
        seed: of the choice of rows and of the shuffles.
        most_rows: how many rows are used, see `rows_for`.

    Returns:
        One to five losses of each column, fewer the more columns there are; empty where the metric has no value.
    """
    chosen = sample(len(truth), seed, most_rows)
    rows, true = features.iloc[chosen].reset_index(drop=True), truth[chosen]
    intact = measure(metric, true, predict_rows(rows)).value
    if intact is None:
        return {}
    random = np.random.default_rng(seed)
    repeats = int(np.clip(_BUDGET // max(rows.shape[1], 1), 1, _MOST_REPEATS))
    losses: dict[str, list[float]] = {}
    for name in rows.columns:
        for _ in range(repeats):
            shuffled = rows.copy(deep=False)
            shuffled[name] = rows[name].to_numpy()[random.permutation(len(rows))]
            without = measure(metric, true, predict_rows(shuffled)).value
            if without is not None:
                loss = intact - without if metric.greater_is_better else without - intact
                losses.setdefault(str(name), []).append(loss)
    return losses


def importance_plot(losses: dict[str, list[float]], metric: Metric, subtitle: str) -> bytes:
    """Draw the 15 columns whose shuffling costs most, with the range over the shuffles."""
    ranked = sorted(losses, key=lambda name: float(np.mean(losses[name])), reverse=True)[:_SHOWN][::-1]
    means = np.array([np.mean(losses[name]) for name in ranked])
    spread = np.array([[np.mean(losses[n]) - min(losses[n]), max(losses[n]) - np.mean(losses[n])] for n in ranked])

    def paint(axes: Any) -> None:
        axes.barh(range(len(ranked)), means, xerr=spread.T, color=BLUE, ecolor="black", capsize=2, height=0.7)
        axes.set_yticks(range(len(ranked)), [shortened(name) for name in ranked], fontsize=9)
        axes.axvline(0, color=GREY, linewidth=1)
        grid(axes)

    shown = f"the {_SHOWN} of {len(losses)} columns that matter most" if len(losses) > _SHOWN else "all columns"
    change = "Drop in" if metric.greater_is_better else "Rise of"
    x_label = f"{change} {shortened(metric.name, 40)} when the column is shuffled"
    return draw(f"Permutation importance\n{subtitle}; {shown}; black: range over shuffles", x_label, "", paint)
