"""Plots of predictions against the truth.

Classifiers: calibration, distribution of probabilities, confusion matrix, ROC and precision-recall. Regression:
predicted against actual values, and residuals.
"""

from typing import Any, NamedTuple

import numpy as np

from assay.learning.evaluation.plots.canvas import BLUE, GREY, PALETTE, VERMILLION, draw, grid, sample, shortened

_BINS = 10
_HISTOGRAM_BINS = 40


class Forecasts(NamedTuple):
    """Predicted probabilities of an event, and whether it occurred.

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


def calibration_plot(stated: Forecasts, subtitle: str) -> bytes:
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
    return draw(title, f"Forecasts probability of {stated.event}", "Observed share", paint)


def _by_bin(stated: Forecasts) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(stated.probability, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    means = np.array([stated.probability[rows].mean() for rows in bins])
    shares = np.array([stated.came_true[rows].mean() for rows in bins])
    sizes = np.array([len(rows) for rows in bins])
    z = 1.96
    centre = (shares + z**2 / (2 * sizes)) / (1 + z**2 / sizes)
    half = z * np.sqrt(shares * (1 - shares) / sizes + z**2 / (4 * sizes**2)) / (1 + z**2 / sizes)
    return means, shares, np.maximum(shares - (centre - half), 0), np.maximum(centre + half - shares, 0)


def score_distribution_plot(stated: Forecasts, subtitle: str) -> bytes:
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
    return draw(title, f"Forecasts probability of {stated.event}", "Rows of the group, in %", paint)


_MOST_CLASSES = 10
_FEW_CLASSES = 4
_DARK = 0.6


def confusion_plot(true: np.ndarray, predicted: np.ndarray, names: list[str], subtitle: str) -> bytes:
    """Draw which class is taken for which; colour and percentage are shares of the true class.

    Args:
        true: shape (n,), codes into `names`.
        predicted: shape (n,), codes into `names`.
        names: the classes; beyond 10, the rarest are pooled as `(other)`.
        subtitle: second line of the title.
    """
    true, predicted, names = _pooled(true, predicted, names)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    few = len(names) <= _FEW_CLASSES
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def paint(axes: Any) -> None:
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ticks, labels = range(len(names)), [shortened(name, 16) for name in names]
        axes.set_xticks(ticks, labels, rotation=0 if few else 40, ha="center" if few else "right")
        axes.set_yticks(ticks, labels)
        size = 11 if few else 7
        for row, column in np.ndindex(*counts.shape):
            share, count = shares[row, column], counts[row, column]
            colour = "white" if share > _DARK else "black"
            text = f"{share:.0%}\n{count:,}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
        axes.figure.colorbar(image, ax=axes, label="Share of the true class", format="{x:.0%}")

    return draw(
        f"Confusion matrix\n{subtitle}; each with its share of the true class", "Predicted class", "True class", paint
    )


def _pooled(true: np.ndarray, predicted: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if len(names) <= _MOST_CLASSES:
        return true, predicted, names
    commonest = np.sort(np.argsort(-np.bincount(true, minlength=len(names)), kind="stable")[: _MOST_CLASSES - 1])
    places = np.full(len(names), len(commonest))
    places[commonest] = np.arange(len(commonest))
    return places[true], places[predicted], [*(names[code] for code in commonest), "(other)"]


class Curve(NamedTuple):
    """One class against the rest: what it is called, whether each row is of it, and the score of each row."""

    name: str
    positive: np.ndarray
    score: np.ndarray


def roc_plot(curves: list[Curve], subtitle: str) -> bytes:
    """Draw the ROC curve of each class."""

    def paint(axes: Any) -> None:
        from sklearn.metrics import roc_auc_score, roc_curve

        for curve, colour in zip(curves, PALETTE, strict=False):
            false_share, true_share, _ = roc_curve(curve.positive, curve.score)
            area = roc_auc_score(curve.positive, curve.score)
            axes.plot(false_share, true_share, color=colour, linewidth=2, label=f"{_named(curve)}AUC {area:.3f}")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance, AUC 0.500")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        grid(axes)
        axes.legend(loc="lower right", fontsize=9)

    return draw(
        f"ROC curve\n{subtitle}",
        "False positive rate (share of negatives flagged)",
        "True positive rate (share of positives found)",
        paint,
    )


def precision_recall_plot(curves: list[Curve], subtitle: str) -> bytes:
    """Draw the precision-recall curve of each class; the dashed line is what flagging at random gives."""

    def paint(axes: Any) -> None:
        from sklearn.metrics import average_precision_score, precision_recall_curve

        for curve, colour in zip(curves, PALETTE, strict=False):
            precision, recall, _ = precision_recall_curve(curve.positive, curve.score)
            area = average_precision_score(curve.positive, curve.score)
            label = f"{_named(curve)}average precision {area:.3f}"
            axes.step(recall, precision, where="post", color=colour, linewidth=2, label=label)
            share = float(np.mean(curve.positive))
            axes.axhline(share, color=colour if len(curves) > 1 else GREY, linestyle="--", linewidth=1)
        label = f"flagging at random, {share:.3f}" if len(curves) == 1 else "dashed: flagging at random"
        axes.plot([], [], color=GREY, linestyle="--", linewidth=1, label=label)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))
        grid(axes)

    return draw(
        f"Precision-recall curve\n{subtitle}",
        "Recall (share of positives found)",
        "Precision (share of flagged that are positive)",
        paint,
    )


def _named(curve: Curve) -> str:
    return f"{shortened(curve.name)}: " if curve.name else ""


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
