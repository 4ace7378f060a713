"""The loss of each row, by whose mean two versions are compared while labels come in.

A confidence sequence is about a mean, and not every metric is one. Where the primary metric is no mean of losses, a
loss that falls when the metric improves stands for it; the report names it.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

from assay.learning.evaluation.predictions import Predictions, codes, label_codes
from assay.specs.labels import LabelsSpec
from assay.specs.pipeline import Task

LossName: TypeAlias = Literal["zero_one", "brier", "log", "squared", "absolute"]
LEAST_PROBABILITY = 1e-6
"""Of the true class in the log loss: one sure mistake may not outweigh everything else."""

_OF_METRIC: dict[str, LossName] = {
    "accuracy": "zero_one",
    "log_loss": "log",
    "neg_log_loss": "log",
    "brier_score": "brier",
    "mae": "absolute",
    "median_ae": "absolute",
    "rmse": "squared",
    "r2": "squared",
}
_MEANS = frozenset({"accuracy", "log_loss", "brier_score", "mae"})
_OF_PROBABILITIES: frozenset[LossName] = frozenset({"brier", "log"})


def loss_for(labels: LabelsSpec, task: Task, primary: str, *, probabilities: bool) -> LossName:
    """Return the loss that stands for the primary metric.

    Args:
        labels: what the pipeline says of it.
        task: what is predicted.
        primary: name of the primary metric.
        probabilities: whether each row has them.
    """
    name = labels.loss if labels.loss != "auto" else _OF_METRIC.get(primary)
    if name is None:
        name = "brier" if task.is_classification else "squared"
    return "zero_one" if name in _OF_PROBABILITIES and not probabilities else name


def is_mean(metric: str) -> bool:
    """Return whether a metric is itself the mean of its loss."""
    return metric in _MEANS


def losses(name: LossName, truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return the loss of each row, shape (n,); smaller is better.

    Sources: Brier (1950), "Verification of forecasts expressed in terms of probability", of several classes as the sum
    over them, of two half of that; Good (1952), "Rational decisions", for the logarithmic loss.
    """
    return np.asarray(_LOSSES[name](truth, predictions), dtype=np.float64)


def _zero_one(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    true, predicted = label_codes(truth, predictions)
    return np.asarray(true != predicted)


def _brier(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    shares = _shares(predictions)
    hit = codes(truth, predictions.classes)[:, None] == np.arange(shares.shape[1])
    whole = ((shares - hit) ** 2).sum(axis=1)
    return np.asarray(whole / 2 if shares.shape[1] == 2 else whole)  # noqa: PLR2004 - binary


def _log(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    shares, true = _shares(predictions), codes(truth, predictions.classes)
    known = true < shares.shape[1]
    of_truth = np.where(known, shares[np.arange(len(shares)), np.where(known, true, 0)], 0.0)
    return np.asarray(-np.log(np.clip(of_truth, LEAST_PROBABILITY, 1.0)))


def _squared(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return np.asarray((predictions.labels - truth.astype(np.float64)) ** 2)


def _absolute(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return np.asarray(np.abs(predictions.labels - truth.astype(np.float64)))


def _shares(predictions: Predictions) -> np.ndarray:
    if predictions.probabilities is None:
        raise ValueError("there are no probabilities")
    return predictions.probabilities


_LOSSES: dict[LossName, Callable[[np.ndarray, Predictions], np.ndarray]] = {
    "zero_one": _zero_one,
    "brier": _brier,
    "log": _log,
    "squared": _squared,
    "absolute": _absolute,
}
