"""Predicted values against true ones, for regression."""

from typing import Any

import numpy as np

from assay.learning.evaluation.plots.canvas import BLUE, GREY, VERMILLION, draw, grid, sample, shortened


def predicted_vs_actual_plot(true: np.ndarray, predicted: np.ndarray, target: str, subtitle: str, seed: int) -> bytes:
    """Draw each row's predicted value against its true value."""
    shown = sample(len(true), seed)

    def paint(axes: Any) -> None:
        axes.scatter(true[shown], predicted[shown], s=10, color=BLUE, alpha=_alpha(len(shown)), linewidths=0)
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        axes.plot(ends, ends, color=VERMILLION, linestyle="--", linewidth=1.5, label="predicted = actual")
        axes.axhline(float(true.mean()), color=GREY, linestyle=":", linewidth=1.2, label="mean of the holdout")
        grid(axes)

    title = f"Predicted against actual\n{subtitle}{_shown(shown, true)}"
    return draw(title, f"Actual {_unit(target)}", f"Predicted {_unit(target)}", paint)


def residuals_plot(true: np.ndarray, predicted: np.ndarray, target: str, subtitle: str, seed: int) -> bytes:
    """Draw each row's error against its predicted value, with the median and the middle 80 % by tenths of rows."""
    shown = sample(len(true), seed)
    errors = predicted - true

    def paint(axes: Any) -> None:
        axes.scatter(predicted[shown], errors[shown], s=10, color=BLUE, alpha=_alpha(len(shown)), linewidths=0)
        axes.axhline(0, color=GREY, linestyle="--", linewidth=1, label="no error")
        order = np.argsort(predicted, kind="stable")
        parts = [rows for rows in np.array_split(order, 10) if len(rows)]
        centres = [float(np.median(predicted[rows])) for rows in parts]
        low, middle, high = (np.array([np.quantile(errors[rows], q) for rows in parts]) for q in (0.1, 0.5, 0.9))
        axes.plot(centres, middle, color=VERMILLION, marker="o", markersize=4, linewidth=1.5, label="median error")
        axes.fill_between(centres, low, high, color=VERMILLION, alpha=0.18, label="middle 80 %")
        grid(axes)

    title = f"Residuals\n{subtitle}{_shown(shown, true)}"
    return draw(title, f"Predicted {_unit(target)}", f"Residual: predicted minus actual {_unit(target)}", paint)


def _unit(target: str) -> str:
    return f"'{shortened(target)}'"


def _shown(shown: np.ndarray, true: np.ndarray) -> str:
    return f"; {len(shown):,} of them shown" if len(shown) < len(true) else ""


def _alpha(points: int) -> float:
    return float(np.clip(400 / max(points, 1), 0.15, 0.8))
