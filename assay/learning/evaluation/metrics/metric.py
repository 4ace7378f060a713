"""Metrics: how one is declared and computed, and the predictions that it evaluates.

A metric is declared once, by `register` on the function that computes it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from assay.errors import UnknownMetricError, did_you_mean
from assay.specs.pipeline import PipelineSpec, Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of n rows, in one form for every task and library.

    Attributes:
        labels: shape (n,): predicted classes as in the table, or predicted values (float64).
        probabilities: shape (n, k), float64, columns in the order of `classes`; None without `predict_proba`.
        classes: the k class labels, the positive one last; empty for regression.
        scores: shape (n,): score of the positive class, of any scale, if there is only a `decision_function`.
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


def predict(estimator: Any, features: "pd.DataFrame", classes: tuple[Any, ...], task: Task) -> Predictions:
    """Predict with a fitted estimator.

    Args:
        estimator: fitted, takes the feature frame.
        features: n rows of the feature frame.
        classes: the class labels in order; empty for regression.
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
        # a class without training rows keeps probability 0
        if label in known:
            ordered[:, position] = raw[:, known.index(label)]
    return ordered


def _positive_scores(estimator: Any, features: "pd.DataFrame", classes: tuple[Any, ...]) -> np.ndarray | None:
    if len(classes) != 2 or not hasattr(estimator, "decision_function"):  # noqa: PLR2004 - binary
        return None
    scores = np.asarray(estimator.decision_function(features), dtype=np.float64)
    # scikit-learn's scores are for the estimator's own last class
    return scores if list(getattr(estimator, "classes_", classes))[-1] == classes[-1] else -scores


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that evaluates predictions.

    Attributes:
        name: the metric's name, or its import path.
        greater_is_better: the direction; for an undirected metric the size counts, and less is better.
        compute: takes the truth, shape (n,), and the predictions of the same rows.
        directed: False if the sign is the direction of an error, not better or worse.
    """

    name: str
    greater_is_better: bool
    compute: "Compute"
    directed: bool = True

    def reaches(self, value: float, bound: float) -> bool:
        """Return whether a value reaches a bound: a floor, or a ceiling where less is better."""
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
    """Compute a metric; any failure becomes the reason of a missing value.

    Args:
        metric: what to compute.
        truth: shape (n,), values as in the table.
        predictions: of the same n rows.

    Returns:
        A finite value, or None with the reason. Nothing is raised.
    """
    if len(truth) == 0:
        return Measured(None, "there is no row to evaluate")
    try:
        number = _as_number(metric.compute(truth, predictions))
    except Exception as error:  # noqa: BLE001 - a metric may be the user's code; the reason is recorded
        return Measured(None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
    return Measured(number) if math.isfinite(number) else Measured(None, f"the value is {number}")


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"the metric returned {type(value).__name__}, not a number")  # noqa: TRY004 - `measure` reports it
    return float(value)


Compute: TypeAlias = Callable[[np.ndarray, Predictions], float]
METRICS: dict[Task, dict[str, Metric]] = {task: {} for task in Task}
"""The metrics of each task by name, the default primary metric first."""


def register(
    *tasks: Task, greater_is_better: bool, directed: bool = True, primary: bool = False
) -> Callable[[Compute], Compute]:
    """Return the decorator that makes a function the metric of its name.

    Args:
        tasks: the tasks that it applies to.
        greater_is_better: its direction.
        directed: see `Metric`.
        primary: whether it is the default primary metric of these tasks.
    """

    def decorate(compute: Compute) -> Compute:
        added = Metric(compute.__name__, greater_is_better, compute, directed)
        for task in tasks:
            METRICS[task] = {added.name: added} | METRICS[task] if primary else METRICS[task] | {added.name: added}
        return compute

    return decorate


def default_metrics(task: Task) -> tuple[str, ...]:
    """Return the names of a task's metrics, its default primary metric first."""
    return tuple(METRICS[task])


def metric(name: str, task: Task) -> Metric:
    """Return a metric by name, or the user's own by import path.

    Args:
        name: one of `default_metrics(task)`, or `package.module:function`. The function takes `(y_true, y_pred)`,
            both of shape (n,), labels or values as in the table, and returns a number. Greater is
            better unless the function has an attribute `greater_is_better` that is False.
        task: what is predicted.

    Raises:
        UnknownMetricError: the task has no such metric, or the import path names no function.
    """
    if ":" in name:
        return _own_metric(name)
    known = METRICS[task]
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
        UnknownMetricError: the name is unknown, or the metric has no better and worse.
    """
    chosen = metric(spec.evaluation.primary_metric or default_metrics(spec.task)[0], spec.task)
    if not chosen.directed:
        raise UnknownMetricError(
            f"'{chosen.name}' shows a direction and cannot be optimised",
            where=f"pipeline {spec.name}, evaluation.primary_metric",
            found=chosen.name,
            expected=f"one of {', '.join(each.name for each in METRICS[spec.task].values() if each.directed)}",
            remedy="choose another primary metric; this one can stand under evaluation.metrics",
        )
    return chosen


def _own_metric(path: str) -> Metric:
    from assay.importing import import_users_object

    function = import_users_object(path, where="evaluation", error=UnknownMetricError)
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
