"""Metrics of regression tasks; errors are in the target's unit unless said otherwise."""

import numpy as np

from assay.learning.evaluation.metrics.metric import Predictions, register
from assay.specs.pipeline import Task


def _errors(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return predictions.labels - truth.astype(np.float64)


@register(Task.REGRESSION, greater_is_better=False, primary=True)
def rmse(truth: np.ndarray, predictions: Predictions) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean(_errors(truth, predictions) ** 2)))


@register(Task.REGRESSION, greater_is_better=False)
def mae(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=False)
def median_ae(truth: np.ndarray, predictions: Predictions) -> float:
    """Median absolute error."""
    return float(np.median(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=True)
def r2(truth: np.ndarray, predictions: Predictions) -> float:
    """Share of the truth's variance that is explained; has no unit, may be negative."""
    values = truth.astype(np.float64)
    spread = float(np.sum((values - values.mean()) ** 2))
    if spread == 0:
        raise ValueError("the truth is constant")
    return 1 - float(np.sum(_errors(truth, predictions) ** 2)) / spread


@register(Task.REGRESSION, greater_is_better=False)
def mape(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean absolute error relative to the truth, as a share: 0.1 is 10 %."""
    values = truth.astype(np.float64)
    if (values == 0).any():
        raise ValueError("the truth holds zeros, so that relative errors are infinite")
    return float(np.mean(np.abs(_errors(truth, predictions) / values)))


@register(Task.REGRESSION, greater_is_better=False)
def max_error(truth: np.ndarray, predictions: Predictions) -> float:
    """Largest absolute error."""
    return float(np.max(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=False, directed=False)
def mean_error(truth: np.ndarray, predictions: Predictions) -> float:
    """Bias: mean of predicted minus true; positive where the model predicts too much."""
    return float(np.mean(_errors(truth, predictions)))
