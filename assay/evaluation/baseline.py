"""The model that ignores the features: what any useful model must beat.

Does not belong here: metrics.
"""

from typing import Any

import numpy as np

from assay.evaluation.metrics import Predictions
from assay.evaluation.metrics.encoding import codes


def baseline_predictions(train_target: np.ndarray, classes: tuple[Any, ...], rows: int) -> Predictions:
    """Predict from the training target alone, as scikit-learn's dummies with `prior` and `mean` do.

    Args:
        train_target: shape (n,), values as in the table.
        classes: the class labels; empty for regression.
        rows: how many rows to predict.

    Returns:
        The training rows' class shares and commonest class, or their mean, for every row.
    """
    if not classes:
        return Predictions(np.full(rows, train_target.astype(np.float64).mean()), None, ())
    counts = np.bincount(codes(train_target, classes), minlength=len(classes))
    label = np.empty(1, dtype=object)
    label[0] = classes[int(counts.argmax())]
    return Predictions(np.repeat(label, rows), np.tile(counts / counts.sum(), (rows, 1)), classes)
