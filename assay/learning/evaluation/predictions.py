"""Predictions of some rows, in one form for every task and library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.learning.estimators.family import FAMILIES
from assay.learning.splitting import LabelledRows
from assay.specs.pipeline import Task

if TYPE_CHECKING:
    import pandas as pd


_WRAPPERS = ("sklearn.model_selection._classification_threshold", "sklearn.calibration")
"""Modules of what a decision puts around a model."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of n rows, in one form for every task and library.

    Attributes:
        labels: shape (n,): predicted classes as in the table, or predicted values (float64).
        probabilities: shape (n, k), float64, columns in the order of `classes`; None without `predict_proba`.
        classes: the k class labels, the positive one last; empty for regression.
        scores: shape (n,): score of the positive class, of any scale, if there is only a `decision_function`.
        rows: n rows of the columns that metrics ask for; None where none does.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None
    classes: tuple[Any, ...]
    scores: np.ndarray | None = None
    rows: "pd.DataFrame | None" = None

    def beside(self, rows: "pd.DataFrame | None") -> "Predictions":
        """Return the predictions with the rows' columns that metrics ask for."""
        return replace(self, rows=rows)

    def take(self, rows: np.ndarray | slice) -> "Predictions":
        """Return the predictions of some rows, given by position, mask or slice."""
        return Predictions(
            labels=self.labels[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            classes=self.classes,
            scores=None if self.scores is None else self.scores[rows],
            rows=None if self.rows is None else self.rows.iloc[rows],
        )


def label_array(classes: tuple[Any, ...]) -> np.ndarray:
    """Return class labels as an array, texts as objects, shape (k,)."""
    return np.array(classes, dtype=object if isinstance(classes[0], str) else None)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return the predictions of several parts of rows, one after the other, without columns that metrics ask for."""
    labels = np.concatenate([each.labels for each in parts])
    known = [each.probabilities for each in parts if each.probabilities is not None]
    return Predictions(labels, np.concatenate(known) if known else None, parts[0].classes)


def predict(estimator: Any, features: "pd.DataFrame", classes: tuple[Any, ...], task: Task) -> Predictions:
    """Predict with a fitted estimator; probability columns follow `classes`, whatever order the estimator has."""
    from sklearn.pipeline import Pipeline

    if not task.is_classification:
        return Predictions(np.asarray(estimator.predict(features), dtype=np.float64), None, ())
    if isinstance(estimator, Pipeline) and len(estimator) > 1:  # the rows are transformed once for both predictions
        features, estimator = estimator[:-1].transform(features), estimator[-1]
    known = list(getattr(estimator, "classes_", classes))
    if hasattr(estimator, "predict_proba"):
        raw = np.asarray(estimator.predict_proba(features), dtype=np.float64)
        labels = _labels(estimator, raw, features)
        ordered = np.zeros((len(raw), len(classes)))
        for position, label in enumerate(classes):
            if label in known:  # a class without training rows keeps probability 0
                ordered[:, position] = raw[:, known.index(label)]
        return Predictions(labels, ordered, classes)
    labels = np.asarray(estimator.predict(features))
    if len(classes) != 2 or not hasattr(estimator, "decision_function"):  # noqa: PLR2004 - binary
        return Predictions(labels, None, classes)
    scores = np.asarray(estimator.decision_function(features), dtype=np.float64)
    # scikit-learn's scores are for the estimator's own last class
    return Predictions(labels, None, classes, scores if known[-1] == classes[-1] else -scores)


def _labels(estimator: Any, probabilities: np.ndarray, features: Any) -> np.ndarray:
    """Return labels by probabilities where they say what the estimator predicts, which saves a second pass."""
    if type(estimator).__module__.startswith(_WRAPPERS):
        from assay.learning.estimators.decisions import labels_of

        found = labels_of(estimator, probabilities)
        if found is not None:
            return found
    if _is_of_a_family(estimator):
        return np.asarray(np.asarray(estimator.classes_).take(probabilities.argmax(axis=1)))
    return np.asarray(estimator.predict(features))


def _is_of_a_family(estimator: Any) -> bool:
    """Whether an estimator is a registered family's, which predict the likeliest class; others may decide otherwise."""
    kind = type(estimator)
    package = kind.__module__.partition(".")[0]
    paths = [card.classifier.partition(":") for card in FAMILIES.values() if card.classifier is not None]
    return any(module.partition(".")[0] == package and name == kind.__name__ for module, _, name in paths)


def predictions_of(estimator: Any, rows: LabelledRows, classes: tuple[Any, ...], task: Task) -> Predictions:
    """Predict labelled rows, with the columns of them that metrics ask for."""
    return predict(estimator, rows.features, classes, task).beside(rows.metric_columns)


def codes(values: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    """Return each value's position in `classes`; unknown values get codes after the last.

    Libraries guess the kind of target from its dtype, wrongly for objects; codes are unambiguous.
    """
    import pandas as pd

    found = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(values, dtype=object))
    unknown = found < 0
    if unknown.any():
        found[unknown] = len(classes) + pd.factorize(values[unknown])[0]
    return found.astype(np.int64)


def label_codes(truth: np.ndarray, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and predicted labels as codes of one coding."""
    both = codes(np.concatenate([truth.astype(object), predictions.labels.astype(object)]), predictions.classes)
    return both[: len(truth)], both[len(truth) :]


def probabilities(predictions: Predictions) -> np.ndarray:
    """Return the probabilities, shape (n, k); all are finite."""
    if predictions.probabilities is None:
        raise ValueError("the estimator has no predict_proba")
    if not np.isfinite(predictions.probabilities).all():
        raise ValueError("the estimator returned probabilities that are not finite")
    return predictions.probabilities


def positive_scores(predictions: Predictions) -> np.ndarray:
    """Return the ranking score: the positive class's probability, else the decision function's score."""
    if predictions.probabilities is not None:
        return probabilities(predictions)[:, -1]
    if predictions.scores is None:
        raise ValueError("the estimator has neither predict_proba nor a binary decision_function")
    return predictions.scores
