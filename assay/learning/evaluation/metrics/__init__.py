"""Metrics by name: what they need, which direction is better, and how they are computed without failing a run.

Belongs here: metrics, and predictions in one form for every task and library.
Does not belong here: which rows are evaluated (`assay.learning.evaluation.evaluating`).

A new metric is a function with `register`, in the module of its task.
"""

from assay.learning.evaluation.metrics import classification, regression
from assay.learning.evaluation.metrics.metric import (
    METRICS,
    Measured,
    Metric,
    Predictions,
    default_metrics,
    measure,
    metric,
    predict,
    primary_metric,
    register,
)

__all__ = [
    "METRICS",
    "Measured",
    "Metric",
    "Predictions",
    "classification",
    "default_metrics",
    "measure",
    "metric",
    "predict",
    "primary_metric",
    "register",
    "regression",
]
