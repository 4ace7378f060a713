"""What a model says about rows, in one form for every task and library."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from assay.specs.pipeline import Task


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions for n rows.

    Attributes:
        labels: shape (n,): predicted classes as in the table, or predicted values (float64).
        probabilities: shape (n, k), float64, columns in the order of `classes`; None without `predict_proba`.
        classes: the k class labels, the positive one last; empty for regression.
        scores: shape (n,): score of the positive class where there is only a `decision_function`, of any scale.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    classes: tuple[Any, ...]
    scores: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Predictions":
        """Return the predictions of some rows, given by position or mask."""
        return Predictions(
            labels=self.labels[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            classes=self.classes,
            scores=None if self.scores is None else self.scores[rows],
        )


def predict(estimator: Any, features: pd.DataFrame, classes: tuple[Any, ...], task: Task) -> Predictions:
    """Let a fitted estimator predict.

    Args:
        estimator: fitted, takes the feature frame.
        features: n rows of the feature frame.
        classes: the class labels in the wanted order; empty for regression.
        task: what is predicted.

    Returns:
        Predictions whose probability columns follow `classes`, whatever order the estimator has.
    """
    if not task.is_classification:
        return Predictions(np.asarray(estimator.predict(features), dtype=np.float64), None, ())
    labels = np.asarray(estimator.predict(features))
    if hasattr(estimator, "predict_proba"):
        raw = np.asarray(estimator.predict_proba(features), dtype=np.float64)
        return Predictions(labels, _columns_by_class(raw, estimator, classes), classes)
    return Predictions(labels, None, classes, _positive_scores(estimator, features, classes))


def _columns_by_class(raw: np.ndarray, estimator: Any, classes: tuple[Any, ...]) -> np.ndarray:
    known = list(getattr(estimator, "classes_", classes))
    ordered = np.zeros((len(raw), len(classes)))
    for position, label in enumerate(classes):
        # a class that no training row had keeps probability 0
        if label in known:
            ordered[:, position] = raw[:, known.index(label)]
    return ordered


def _positive_scores(estimator: Any, features: pd.DataFrame, classes: tuple[Any, ...]) -> np.ndarray | None:
    if len(classes) != 2 or not hasattr(estimator, "decision_function"):  # noqa: PLR2004 - binary
        return None
    scores = np.asarray(estimator.decision_function(features), dtype=np.float64)
    # scikit-learn's scores speak for the estimator's own last class
    return scores if list(getattr(estimator, "classes_", classes))[-1] == classes[-1] else -scores
