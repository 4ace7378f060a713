"""Pictures of predictions and truth as PNG bytes of 640x480 pixels, without matplotlib's global state.

Classifiers: calibration, distribution of probabilities, confusion matrix, ROC and precision-recall. Regression:
predicted against actual values, and residuals.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from assay.counting import counted

# Okabe and Ito's colours are distinguishable with every common colour blindness
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#666666"
MOST_POINTS = 5_000

_BINS = 10
_HISTOGRAM_BINS = 40
_MOST_CLASSES = 10
_FEW_CLASSES = 4
_DARK = 0.6


_MARGINS = {"left": 0.15, "right": 0.98, "bottom": 0.115, "top": 0.85}


def draw(
    title: str, x_label: str, y_label: str, paint: Callable[[Any], None], *, grid: bool = True, names: bool = False
) -> bytes:
    """Return a PNG of one pair of axes.

    Args:
        title: first line in bold; further lines below it.
        x_label: with the unit, if there is one.
        y_label: likewise.
        paint: draws on the axes; a legend is added for what it labels.
        grid: whether there is a grid behind the data.
        names: whether ticks are names, whose width decides on the margins; measuring it is half of the time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=100, layout="constrained" if names else None)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if not names:
        figure.subplots_adjust(**_MARGINS)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    headline, _, detail = title.partition("\n")
    # the empty second line keeps room for the detail, which may be wider than the axes
    figure.suptitle(f"{headline}\n ", fontsize=12, fontweight="bold", x=0.02, ha="left")
    figure.text(0.02, 0.925, detail, fontsize=9, color=GREY, va="top")
    paint(axes)
    if grid:
        axes.grid(visible=True, color="#DDDDDD", linewidth=0.7)
    if axes.get_legend_handles_labels()[1] and axes.get_legend() is None:
        axes.legend(fontsize=9, framealpha=0.9)
    buffer = io.BytesIO()
    # `savefig` draws twice; the library's version in the file would make equal pictures differ
    canvas.print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def shortened(text: object, longest: int = 24) -> str:
    """Return a label that fits; `$` is taken literally."""
    label = str(text) if len(str(text)) <= longest else f"{str(text)[: longest - 1]}…"
    return label.replace("$", r"\$")


def sample(rows: int, seed: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return row positions, ascending: all, or a seeded sample of `most`."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


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


class Calibration(NamedTuple):
    """Stated probability and observed share in bins of equally many rows, each array of shape (bins,).

    Attributes:
        stated: mean stated probability.
        observed: share of rows where the event occurred.
        low: lower end of the share's 95 % Wilson interval.
        high: upper end.
        rows: in the bin.
    """

    stated: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rows: np.ndarray


def calibration_of(stated: Forecasts) -> Calibration:
    """Return the observed share by stated probability.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    order = np.argsort(stated.probability, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    means = np.array([stated.probability[rows].mean() for rows in bins])
    shares = np.array([stated.came_true[rows].mean() for rows in bins])
    sizes, z = np.array([len(rows) for rows in bins]), 1.96
    centre = (shares + z**2 / (2 * sizes)) / (1 + z**2 / sizes)
    half = z * np.sqrt(shares * (1 - shares) / sizes + z**2 / (4 * sizes**2)) / (1 + z**2 / sizes)
    return Calibration(means, shares, np.minimum(centre - half, shares), np.maximum(centre + half, shares), sizes)


def calibration_plot(stated: Forecasts, subtitle: str) -> bytes:
    """Draw the observed share against the stated probability, with 95 % intervals by bin of equal rows."""
    means, shares, low, high, _ = calibration_of(stated)
    errors = [shares - low, high - shares]

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
        style = {"color": BLUE, "marker": "o", "linewidth": 1.5, "capsize": 3}
        axes.errorbar(means, shares, yerr=errors, label="observed, with 95 % interval", **style)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(loc="upper left", fontsize=9)

    title = f"Calibration\n{subtitle}; {counted(len(means), 'bin')} of equally many rows"
    return draw(title, f"Stated probability of {stated.event}", "Observed share", paint)


def score_distribution_plot(stated: Forecasts, subtitle: str) -> bytes:
    """Draw how the stated probabilities are spread, for rows where the event came true and for the others."""

    def paint(axes: Any) -> None:
        edges = np.linspace(0, 1, _HISTOGRAM_BINS + 1)
        groups = ((~stated.came_true, VERMILLION, stated.if_false), (stated.came_true, BLUE, stated.if_true))
        for rows, colour, name in groups:
            if rows.any():
                shares = np.histogram(stated.probability[rows], edges)[0] * 100 / rows.sum()
                label = f"{name} ({counted(int(rows.sum()), 'row')})"
                axes.stairs(shares, edges, fill=True, color=colour, alpha=0.55, label=label)
        axes.set(xlim=(-0.01, 1.01))

    title = f"Distribution of stated probabilities\n{subtitle}"
    return draw(title, f"Stated probability of {stated.event}", "Rows of the group, in %", paint)


def confusion_plot(true: np.ndarray, predicted: np.ndarray, names: list[str], subtitle: str) -> bytes:
    """Draw which class is taken for which; colour and percentage are shares of the true class.

    Args:
        true: shape (n,), codes into `names`.
        predicted: shape (n,), codes into `names`.
        names: the classes; beyond 10, the rarest are pooled as `(other)`.
        subtitle: second line of the title.
    """
    true, predicted, names = pooled(true, predicted, names)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (true, predicted), 1)
    few = len(names) <= _FEW_CLASSES
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def paint(axes: Any) -> None:
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ticks, labels = range(len(names)), [shortened(name, 16) for name in names]
        axes.set_xticks(ticks, labels, rotation=0 if few else 40, ha="center" if few else "right")
        axes.set_yticks(ticks, labels)
        for row, column in np.ndindex(*counts.shape):
            share, count = shares[row, column], counts[row, column]
            style = {"color": "white" if share > _DARK else "black", "fontsize": 11 if few else 7}
            axes.text(column, row, f"{_percent(share)}\n{count:,}", ha="center", va="center", **style)
        axes.figure.colorbar(image, ax=axes, label="Share of the true class", format="{x:.0%}")

    title = f"Confusion matrix\n{subtitle}; each with its share of the true class"
    return draw(title, "Predicted class", "True class", paint, grid=False, names=True)


def _percent(share: float) -> str:
    """Return a share in per cent; some is never 0 %, nor most 100 %."""
    if 0 < share <= 0.005:  # noqa: PLR2004 - would be rounded to 0 %
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"  # noqa: PLR2004 - would be rounded to 100 %


def pooled(true: np.ndarray, predicted: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return codes and names of at most ten classes; the rarest of more are one, `(other)`.

    Args:
        true: codes of the true classes, shape (n,).
        predicted: codes of the predicted classes, shape (n,).
        names: of all classes, by code.
    """
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

    def label(self, measured: str) -> str:
        """Return the legend: the name, if there is one, and what was measured."""
        return f"{shortened(self.name)}: {measured}" if self.name else measured


def roc_plot(curves: list[Curve], subtitle: str) -> bytes:
    """Draw the ROC curve of each class."""
    from sklearn.metrics import roc_auc_score, roc_curve

    def paint(axes: Any) -> None:
        for curve, colour in zip(curves, PALETTE, strict=False):
            false_share, true_share, _ = roc_curve(curve.positive, curve.score)
            label = curve.label(f"AUC {roc_auc_score(curve.positive, curve.score):.3f}")
            axes.plot(false_share, true_share, color=colour, linewidth=2, label=label)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance, AUC 0.500")
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        axes.legend(loc="lower right", fontsize=9)

    x_label = "False positive rate (share of negatives flagged)"
    return draw(f"ROC curve\n{subtitle}", x_label, "True positive rate (share of positives found)", paint)


def precision_recall_plot(curves: list[Curve], subtitle: str) -> bytes:
    """Draw the precision-recall curve of each class; the dashed line is what flagging at random gives."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def paint(axes: Any) -> None:
        one = len(curves) == 1
        for curve, colour in zip(curves, PALETTE, strict=False):
            precision, recall, _ = precision_recall_curve(curve.positive, curve.score)
            label = curve.label(f"average precision {average_precision_score(curve.positive, curve.score):.3f}")
            axes.step(recall, precision, where="post", color=colour, linewidth=2, label=label)
            share = float(np.mean(curve.positive))
            axes.axhline(share, color=GREY if one else colour, linestyle="--", linewidth=1)
        label = f"flagging at random, {share:.3f}" if one else "dashed: flagging at random"
        axes.plot([], [], color=GREY, linestyle="--", linewidth=1, label=label)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))

    x_label, y_label = "Recall (share of positives found)", "Precision (share of flagged that are positive)"
    return draw(f"Precision-recall curve\n{subtitle}", x_label, y_label, paint)


def predicted_vs_actual_plot(true: np.ndarray, predicted: np.ndarray, target: str, subtitle: str, seed: int) -> bytes:
    """Draw each row's predicted value against its true value."""
    shown = sample(len(true), seed)

    def paint(axes: Any) -> None:
        _scatter(axes, true[shown], predicted[shown])
        ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
        axes.plot(ends, ends, color=VERMILLION, linestyle="--", linewidth=1.5, label="predicted = actual")
        axes.axhline(float(true.mean()), color=GREY, linestyle=":", linewidth=1.2, label="mean of the holdout")

    title = f"Predicted against actual\n{subtitle}{_shown(shown, true)}"
    return draw(title, f"Actual '{shortened(target)}'", f"Predicted '{shortened(target)}'", paint)


def residuals_plot(true: np.ndarray, predicted: np.ndarray, target: str, subtitle: str, seed: int) -> bytes:
    """Draw each row's error against its predicted value, with the median and the middle 80 % by tenths of rows."""
    shown = sample(len(true), seed)
    errors = predicted - true

    def paint(axes: Any) -> None:
        _scatter(axes, predicted[shown], errors[shown])
        axes.axhline(0, color=GREY, linestyle="--", linewidth=1, label="no error")
        parts = [rows for rows in np.array_split(np.argsort(predicted, kind="stable"), 10) if len(rows)]
        centres = [float(np.median(predicted[rows])) for rows in parts]
        low, middle, high = np.array([np.quantile(errors[rows], (0.1, 0.5, 0.9)) for rows in parts]).T
        axes.plot(centres, middle, color=VERMILLION, marker="o", markersize=4, linewidth=1.5, label="median error")
        axes.fill_between(centres, low, high, color=VERMILLION, alpha=0.18, label="middle 80 %")

    unit = f"'{shortened(target)}'"
    title = f"Residuals\n{subtitle}{_shown(shown, true)}"
    return draw(title, f"Predicted {unit}", f"Residual: predicted minus actual {unit}", paint)


def _scatter(axes: Any, x: np.ndarray, y: np.ndarray) -> None:
    axes.scatter(x, y, s=10, color=BLUE, alpha=float(np.clip(400 / max(len(x), 1), 0.15, 0.8)), linewidths=0)


def _shown(shown: np.ndarray, true: np.ndarray) -> str:
    return f"; {len(shown):,} of them shown" if len(shown) < len(true) else ""
