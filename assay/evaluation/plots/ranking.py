"""ROC and precision-recall curves.

Does not belong here: curves of probabilities as such (`calibration`).
"""

from typing import Any, NamedTuple

import numpy as np

from assay.evaluation.plots.canvas import GREY, PALETTE, draw, grid, shortened


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
        told = f"flagging at random, {share:.3f}" if len(curves) == 1 else "dashed: flagging at random"
        axes.plot([], [], color=GREY, linestyle="--", linewidth=1, label=told)
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
