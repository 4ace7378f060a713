"""Which metrics there are by task. To add one, add one line here.

One metric, and how it is computed so that a failure becomes a recorded reason.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from assay.errors import UnknownMetricError, did_you_mean
from assay.learning.evaluation.metrics import classification, regression
from assay.learning.evaluation.metrics.predictions import Predictions
from assay.specs.pipeline import PipelineSpec, Task


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that judges predictions.

    Attributes:
        name: the metric's name, or its import path.
        greater_is_better: the direction; for an undirected metric the size counts, and less is better.
        compute: takes the truth, shape (n,), and the predictions of the same rows.
        directed: False where the sign is not better or worse but shows the direction of an error.
    """

    name: str
    greater_is_better: bool
    compute: Callable[[np.ndarray, Predictions], float]
    directed: bool = True

    def reaches(self, value: float, bound: float) -> bool:
        """Say whether a value keeps a bound: a floor, or a ceiling where less is better."""
        if not self.directed:
            return abs(value) <= bound
        return value >= bound if self.greater_is_better else value <= bound


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's value, or why there is none.

    Attributes:
        value: a finite number, or None.
        reason: why there is no value; empty if there is one.
    """

    value: float | None
    reason: str = ""


def measure(metric: Metric, truth: np.ndarray, predictions: Predictions) -> Measured:
    """Compute a metric; whatever goes wrong becomes the reason of a missing value.

    Args:
        metric: what to compute.
        truth: shape (n,), values as in the table.
        predictions: of the same n rows.

    Returns:
        A finite value, or None with the reason. Nothing is raised.
    """
    if len(truth) == 0:
        return Measured(None, "there is no row to judge")
    try:
        number = _as_number(metric.compute(truth, predictions))
    except Exception as error:  # noqa: BLE001 - a metric may be the user's code; the reason is recorded
        return Measured(None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
    return Measured(number) if math.isfinite(number) else Measured(None, f"the value is {number}")


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"the metric returned {type(value).__name__}, not a number")  # noqa: TRY004 - told by `measure`
    return float(value)


_BINARY = (
    Metric("roc_auc", greater_is_better=True, compute=classification.roc_auc),
    Metric("average_precision", greater_is_better=True, compute=classification.average_precision),
    Metric("log_loss", greater_is_better=False, compute=classification.log_loss),
    Metric("brier_score", greater_is_better=False, compute=classification.brier_score),
    Metric("accuracy", greater_is_better=True, compute=classification.accuracy),
    Metric("balanced_accuracy", greater_is_better=True, compute=classification.balanced_accuracy),
    Metric("precision", greater_is_better=True, compute=classification.precision),
    Metric("recall", greater_is_better=True, compute=classification.recall),
    Metric("f1", greater_is_better=True, compute=classification.f1),
    Metric("matthews_corrcoef", greater_is_better=True, compute=classification.matthews_corrcoef),
    Metric("expected_calibration_error", greater_is_better=False, compute=classification.expected_calibration_error),
)
_MULTICLASS = (
    Metric("f1_macro", greater_is_better=True, compute=classification.f1_macro),
    Metric("f1_weighted", greater_is_better=True, compute=classification.f1_weighted),
    Metric("accuracy", greater_is_better=True, compute=classification.accuracy),
    Metric("balanced_accuracy", greater_is_better=True, compute=classification.balanced_accuracy),
    Metric("precision_macro", greater_is_better=True, compute=classification.precision_macro),
    Metric("recall_macro", greater_is_better=True, compute=classification.recall_macro),
    Metric("log_loss", greater_is_better=False, compute=classification.log_loss),
    Metric("roc_auc_ovr", greater_is_better=True, compute=classification.roc_auc_ovr),
)
_REGRESSION = (
    Metric("rmse", greater_is_better=False, compute=regression.rmse),
    Metric("mae", greater_is_better=False, compute=regression.mae),
    Metric("median_ae", greater_is_better=False, compute=regression.median_ae),
    Metric("r2", greater_is_better=True, compute=regression.r2),
    Metric("mape", greater_is_better=False, compute=regression.mape),
    Metric("max_error", greater_is_better=False, compute=regression.max_error),
    Metric("mean_error", greater_is_better=False, compute=regression.mean_error, directed=False),
)
# the first of each task is its default primary metric
_BY_TASK = {Task.BINARY: _BINARY, Task.MULTICLASS: _MULTICLASS, Task.REGRESSION: _REGRESSION}


def default_metrics(task: Task) -> tuple[str, ...]:
    """Return the names of a task's metrics, its default primary metric first."""
    return tuple(each.name for each in _BY_TASK[task])


def metric(name: str, task: Task) -> Metric:
    """Return a metric by name, or the user's own by import path.

    Args:
        name: one of `default_metrics(task)`, or `package.module:function`. The function takes `(y_true, y_pred)`,
            both of shape (n,), labels or values as in the table, and returns a number. More is taken to be better,
            unless the function has an attribute `greater_is_better` that is False.
        task: what is predicted.

    Raises:
        UnknownMetricError: the task has no such metric, or the import path names no function.
    """
    if ":" in name:
        return _own_metric(name)
    known = {each.name: each for each in _BY_TASK[task]}
    if name not in known:
        raise UnknownMetricError(
            f"there is no metric '{name}' for {task}{did_you_mean(name, known)}",
            where="evaluation",
            found=name,
            expected=f"one of {', '.join(known)}, or package.module:function",
            remedy="correct the name in the pipeline file",
        )
    return known[name]


def primary_metric(spec: PipelineSpec) -> Metric:
    """Return the metric that tuning optimises and promotion compares.

    Raises:
        UnknownMetricError: there is none of that name, or it has no better and worse.
    """
    chosen = metric(spec.evaluation.primary_metric or default_metrics(spec.task)[0], spec.task)
    if not chosen.directed:
        raise UnknownMetricError(
            f"'{chosen.name}' shows a direction and cannot be optimised",
            where=f"pipeline {spec.name}, evaluation.primary_metric",
            found=chosen.name,
            expected=f"one of {', '.join(each.name for each in _BY_TASK[spec.task] if each.directed)}",
            remedy="choose another primary metric; this one can stand under evaluation.metrics",
        )
    return chosen


def _own_metric(path: str) -> Metric:
    from assay.importing import import_object

    function = import_object(path, where="evaluation", error=UnknownMetricError)
    if not callable(function):
        raise UnknownMetricError(
            f"'{path}' is no function",
            where="evaluation",
            found=type(function).__name__,
            expected="a function of (y_true, y_pred) that returns a number",
            remedy="name such a function",
        )
    return Metric(path, bool(getattr(function, "greater_is_better", True)), _computed_by(function))


def _computed_by(function: Callable[[np.ndarray, np.ndarray], Any]) -> Callable[[np.ndarray, Predictions], Any]:
    return lambda truth, predictions: function(truth, predictions.labels)
