"""The confusion matrix.

Does not belong here: metrics derived from it.
"""

from typing import Any

import numpy as np

from assay.evaluation.plots.canvas import draw, shortened

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
