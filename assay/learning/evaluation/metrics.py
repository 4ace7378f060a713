"""Metrics: how one is declared, found by name and computed.

A metric is declared once, by `register` on the function that computes it, in `metric_functions`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from assay.errors import UnknownMetricError, did_you_mean
from assay.importing import import_users_object
from assay.learning.evaluation.predictions import Predictions
from assay.specs.pipeline import PipelineSpec, Task

Compute: TypeAlias = Callable[[np.ndarray, Predictions], Any]
"""Takes the truth, shape (n,), values as in the table, and the predictions of the same rows; returns a number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that evaluates predictions.

    Attributes:
        name: the metric's name, or its import path.
        greater_is_better: the direction; for an undirected metric the size counts, and less is better.
        compute: computes it; a ValueError says why there is no value.
        directed: False if the sign is the direction of an error, not better or worse.
    """

    name: str
    greater_is_better: bool
    compute: Compute
    directed: bool = True

    def reaches(self, value: float, bound: float) -> bool:
        """Return whether a value reaches a bound: a floor, or a ceiling where less is better."""
        if not self.directed:
            return abs(value) <= bound
        return value >= bound if self.greater_is_better else value <= bound

    def gain(self, old: float, new: float) -> float:
        """Return by how much the new value is better, in the metric's unit."""
        return self.sign * (new - old)

    @property
    def sign(self) -> float:
        """1 where greater values are better, else -1."""
        return 1.0 if self.greater_is_better else -1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's finite value, or the reason why there is none."""

    value: float | None
    reason: str = ""


def measure(metric: Metric, truth: np.ndarray, predictions: Predictions) -> Measured:
    """Compute a metric; nothing is raised, any failure becomes the reason of a missing value."""
    if len(truth) == 0:
        return Measured(None, "there is no row to evaluate")
    try:
        value: object = metric.compute(truth, predictions)
        number = None if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except Exception as error:  # noqa: BLE001 - a metric may be the user's code; the reason is recorded
        return Measured(None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
    if number is None:
        return Measured(None, f"the metric returned {type(value).__name__}, not a number")
    return Measured(number) if math.isfinite(number) else Measured(None, f"the value is {number}")


METRICS: dict[Task, dict[str, Metric]] = {task: {} for task in Task}
"""The metrics of each task by name, the default primary metric first."""


def register(
    *tasks: Task, greater_is_better: bool, directed: bool = True, primary: bool = False
) -> Callable[[Compute], Compute]:
    """Return the decorator that makes a function the metric of its name; `primary` makes it the tasks' default."""

    def decorate(compute: Compute) -> Compute:
        added = {compute.__name__: Metric(compute.__name__, greater_is_better, compute, directed)}
        for task in tasks:
            METRICS[task] = added | METRICS[task] if primary else METRICS[task] | added
        return compute

    return decorate


def metric(name: str, task: Task) -> Metric:
    """Return a metric by name, or the user's own by import path.

    Args:
        name: of `METRICS[task]`, or `package.module:function`. The function takes `(y_true, y_pred)`, both of shape
            (n,), labels or values as in the table, and returns a number. Greater is better unless the function has an
            attribute `greater_is_better` that is False.
        task: what is predicted.

    Raises:
        UnknownMetricError: the task has no such metric, or the import path names no function.
    """
    if ":" in name:
        return _own_metric(name)
    known = METRICS[task]
    if name not in known:
        raise unknown_metric(name, task)
    return known[name]


def primary_metric(spec: PipelineSpec) -> Metric:
    """Return the metric that tuning optimises and promotion compares.

    Raises:
        UnknownMetricError: the name is unknown, or the metric has no better and worse.
    """
    chosen = metric(spec.evaluation.primary_metric or next(iter(METRICS[spec.task])), spec.task)
    if not chosen.directed:
        raise UnknownMetricError(
            f"'{chosen.name}' shows a direction and cannot be optimised",
            where=f"pipeline {spec.name}, evaluation.primary_metric",
            found=chosen.name,
            expected=f"one of {', '.join(each.name for each in METRICS[spec.task].values() if each.directed)}",
            remedy="choose another primary metric; this one can stand under evaluation.metrics",
        )
    return chosen


ALIASES = {
    "auc": "roc_auc",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "mcc": "matthews_corrcoef",
    "mean_absolute_error": "mae",
    "median_absolute_error": "median_ae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "rmse",
    "root_mean_squared_error": "rmse",
}
"""What other libraries call a metric; the beginning `neg_` and the ending `_score` are left out."""


def unknown_metric(name: str, *tasks: Task) -> UnknownMetricError:
    """Return the error of a metric that none of the tasks has, with the nearest one by meaning."""
    known = dict.fromkeys(each for task in tasks for each in METRICS[task])
    plain = name.strip().casefold().removeprefix("neg_").removesuffix("_score")
    meant = ALIASES.get(plain, plain)
    return UnknownMetricError(
        f"there is no metric '{name}' for {' or '.join(tasks)}{did_you_mean(meant if meant in known else name, known)}",
        where="evaluation",
        found=name,
        expected=f"one of {', '.join(known)}, or package.module:function",
        remedy="correct the name in the pipeline file",
    )


def metrics_of(spec: PipelineSpec) -> tuple[Metric, ...]:
    """Return every metric that a pipeline's report shows, the primary one first.

    Raises:
        UnknownMetricError: a name is not known.
    """
    wanted = spec.evaluation
    names = (primary_metric(spec).name, *METRICS[spec.task], *wanted.metrics, *wanted.minimum)
    return tuple(metric(name, spec.task) for name in dict.fromkeys(names))


def _own_metric(path: str) -> Metric:
    function = import_users_object(path, where="evaluation", error=UnknownMetricError)
    if not callable(function):
        raise UnknownMetricError(
            f"'{path}' is no function",
            where="evaluation",
            found=type(function).__name__,
            expected="a function of (y_true, y_pred) that returns a number",
            remedy="name such a function",
        )

    def compute(truth: np.ndarray, predictions: Predictions) -> Any:
        return function(truth, predictions.labels)

    return Metric(path, bool(getattr(function, "greater_is_better", True)), compute)
