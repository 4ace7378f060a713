"""The choice of a decision threshold: from which probability of the positive class on a row is labelled positive."""

from dataclasses import replace

import numpy as np

from assay.learning.evaluation.predictions import Predictions
from assay.specs.pipeline import PipelineSpec
from assay.specs.training_options import Costs, ThresholdSpec

_LEAST, _MOST = 1e-6, 1 - 1e-6


def best_threshold(positive: np.ndarray, scores: np.ndarray, asked: ThresholdSpec) -> float:
    """Return the threshold with the best metric, or the least costs, among all that label the rows differently.

    It lies in the middle between two probabilities of the rows; of equally good ones the middle one is taken, from
    which the choice of rows moves it least.

    Args:
        positive: whether each row is positive, shape (n,).
        scores: probabilities of the positive class, shape (n,).
        asked: the aim.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.r_[np.diff(ranked) != 0, True])
    hits = np.r_[0, np.cumsum(positive[order])[ends]].astype(np.float64)
    said = np.r_[0, ends + 1].astype(np.float64)
    values = _values(hits, said, float(positive.sum()), float(len(positive)), asked)
    best = np.flatnonzero(values >= values.max() - 1e-12)
    chosen = int(best[(len(best) - 1) // 2])
    above = ranked[ends[chosen - 1]] if chosen else 1.0
    below = ranked[ends[chosen]] if chosen < len(ends) else 0.0
    return float(np.clip((above + below) / 2, _LEAST, _MOST))


def labelled_at_threshold(predictions: Predictions, truth: np.ndarray, spec: PipelineSpec) -> Predictions:
    """Return predictions of a trial with labels by `training.threshold`; a chosen one is the best for these rows.

    Trials are compared by what each can reach with a threshold of its own; the final one is found on other rows.
    """
    asked, shares = spec.training.threshold, predictions.probabilities
    if asked is None or shares is None or len(predictions.classes) != 2:  # noqa: PLR2004 - binary
        return predictions
    labels = np.array(predictions.classes, dtype=predictions.labels.dtype)
    threshold = asked if isinstance(asked, float) else best_threshold(truth == labels[-1], shares[:, -1], asked)
    return replace(predictions, labels=labels.take((shares[:, -1] >= threshold).astype(np.int64)))


def _values(hits: np.ndarray, said: np.ndarray, actual: float, rows: float, asked: ThresholdSpec) -> np.ndarray:
    """Return what is to be largest of each threshold, by its true positives and its rows that are labelled positive."""
    if asked.cost is not None:
        return -costs(said - hits, actual - hits, asked.cost)
    right_negatives, negatives = rows - said - actual + hits, rows - actual
    with np.errstate(divide="ignore", invalid="ignore"):
        if asked.metric == "f1":
            found = 2 * hits / (said + actual)
        elif asked.metric == "accuracy":
            found = (hits + right_negatives) / rows
        elif asked.metric == "balanced_accuracy":
            found = (hits / actual + right_negatives / negatives) / 2
        else:
            found = (hits * rows - said * actual) / np.sqrt(said * actual * negatives * (rows - said))
    return np.where(np.isfinite(found), found, -np.inf)


def costs(false_positives: np.ndarray, false_negatives: np.ndarray, each: Costs) -> np.ndarray:
    """Return the costs of wrong labels."""
    return np.asarray(false_positives * each.false_positive + false_negatives * each.false_negative)
