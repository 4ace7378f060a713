"""Class labels as integer codes, and what probability metrics may ask for.

Does not belong here: the metrics themselves.
"""

from typing import Any

import numpy as np
import pandas as pd

from assay.evaluation.metrics.predictions import Predictions


def codes(values: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    """Return each value's position in `classes`; values that are no class get codes after the last.

    Libraries guess the kind of target from its dtype, and guess wrongly for objects; codes leave no room for that.
    """
    found = pd.Index(list(classes), dtype=object).get_indexer(pd.Index(values, dtype=object))
    strange = found < 0
    if strange.any():
        found[strange] = len(classes) + pd.factorize(values[strange])[0]
    return found.astype(np.int64)


def label_codes(truth: np.ndarray, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and predicted labels as codes of one and the same coding."""
    both = codes(np.concatenate([truth.astype(object), predictions.labels.astype(object)]), predictions.classes)
    return both[: len(truth)], both[len(truth) :]


def known_codes(truth: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    """Return the truth as codes.

    Raises:
        ValueError: the truth holds a class that the model does not know.
    """
    coded = codes(truth, classes)
    strangers = sorted({str(value) for value in truth[coded >= len(classes)].tolist()})
    if strangers:
        raise ValueError(f"the rows hold classes that the training rows did not: {', '.join(strangers[:5])}")
    return coded


def probabilities(predictions: Predictions) -> np.ndarray:
    """Return the probabilities, shape (n, k).

    Raises:
        ValueError: the estimator gives none, or they are not finite.
    """
    if predictions.probabilities is None:
        raise ValueError("the estimator has no predict_proba")
    if not np.isfinite(predictions.probabilities).all():
        raise ValueError("the estimator returned probabilities that are not finite")
    return predictions.probabilities


def is_positive(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return 1 where the truth is the positive class (the last), else 0, for a binary task.

    Raises:
        ValueError: there are not two classes, or the truth holds others.
    """
    if len(predictions.classes) != 2:  # noqa: PLR2004 - binary
        raise ValueError(f"the metric is for two classes, and there are {len(predictions.classes)}")
    return known_codes(truth, predictions.classes)


def both_present(positive: np.ndarray) -> np.ndarray:
    """Return the argument.

    Raises:
        ValueError: only one class is present, so that nothing can be ranked.
    """
    if positive.min() == positive.max():
        raise ValueError("the rows hold one class only")
    return positive


def positive_scores(predictions: Predictions) -> np.ndarray:
    """Return what ranks rows: the positive class's probability, else the decision function's score.

    Raises:
        ValueError: the estimator gives neither.
    """
    if predictions.probabilities is None and predictions.scores is not None:
        return predictions.scores
    if predictions.probabilities is None:
        raise ValueError("the estimator has neither predict_proba nor a binary decision_function")
    return probabilities(predictions)[:, -1]
