"""Metrics: how one is declared, found by name and computed.

A metric is declared once, by `register` on the function that computes it, in `metric_functions`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from assay.errors import UnknownMetricError, did_you_mean
from assay.learning.evaluation.own_metrics import own_metric
from assay.learning.evaluation.predictions import Predictions
from assay.learning.evaluation.scorers import SCORERS, named_scorer, of_all_rows
from assay.specs.learning import EvaluationSpec
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
        stated: False for a function of the user's own whose direction nothing states: it can be reported, no more.
        of_rows: takes truth and predictions as `compute`, and returns what computes it of some rows, given by position;
            for a metric that prepares labels, which is done once for all resamples.
    """

    name: str
    greater_is_better: bool
    compute: Compute
    directed: bool = True
    stated: bool = True
    of_rows: Callable[[np.ndarray, Predictions], Callable[[np.ndarray], Any]] | None = None

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
    """A metric's finite value, or the reason why it is missing."""

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


def metric_names(task: Task) -> frozenset[str]:
    """Return the names of all metrics of a task, scikit-learn's scorers among them."""
    return SCORERS[task].union(METRICS[task])


def metric(name: str, task: Task, evaluation: EvaluationSpec | None = None) -> Metric:
    """Return a metric by name, or the user's own by import path.

    Args:
        name: of `METRICS[task]`, of a scorer of scikit-learn that fits the task, or `package.module:function`, see
            `own_metrics.own_metric`.
        task: what is predicted.
        evaluation: says what metrics of the user's own do not say themselves.

    Raises:
        UnknownMetricError: the task has no such metric, or the import path names no function.
    """
    if ":" in name:
        found = own_metric((evaluation or EvaluationSpec()).own_metric(name))
        return Metric(
            name,
            found.greater_is_better is not False,
            found.compute,
            stated=found.greater_is_better is not None,
            of_rows=found.of_rows,
        )
    if name in METRICS[task]:
        return METRICS[task][name]
    if name in SCORERS[task]:
        of_rows = partial(named_scorer, name)
        return Metric(name, greater_is_better=True, compute=of_all_rows(of_rows), of_rows=of_rows)
    raise unknown_metric(name, task)


def without_direction(name: str, task: Task) -> UnknownMetricError:
    """Return the error of a function of the user's own of which nothing says whether more is better."""
    function = name.rpartition(":")[2]
    scorers = [each for each in (f"neg_{function}", function.removesuffix("_score")) if each in metric_names(task)]
    return UnknownMetricError(
        f"nothing says whether more or less of '{name}' is better",
        where="evaluation",
        found="a function without a direction",
        expected="a direction, for a primary metric or a bound",
        remedy=(f"name scikit-learn's scorer {scorers[0]}, or " if scorers else "")
        + f"write {{path: '{name}', greater_is_better: false}} (or true) under evaluation.metrics, or decorate the "
        "function with @direction(greater_is_better=...) of assay.learning.evaluation.own_metrics",
    )


def primary_metric(spec: PipelineSpec) -> Metric:
    """Return the metric that tuning optimises and promotion compares.

    Raises:
        UnknownMetricError: the name is unknown, or the metric has no better and worse.
    """
    chosen = metric(spec.evaluation.primary_name or next(iter(METRICS[spec.task])), spec.task, spec.evaluation)
    if not chosen.stated:
        raise without_direction(chosen.name, spec.task)
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
    scorers = sorted({each for task in tasks for each in SCORERS[task]} - known.keys())
    plain = name.strip().casefold().removeprefix("neg_").removesuffix("_score")
    meant = ALIASES.get(plain, plain)
    hint = did_you_mean(meant if meant in known else name, [*known, *scorers])
    return UnknownMetricError(
        f"there is no metric '{name}' for {' or '.join(tasks)}{hint}",
        where="evaluation",
        found=name,
        expected=f"one of {', '.join(known)}, a scorer of scikit-learn ({', '.join(scorers)}), or "
        "package.module:function",
        remedy="correct the name in the pipeline file",
    )


def metrics_of(spec: PipelineSpec) -> tuple[Metric, ...]:
    """Return every metric that a pipeline's report shows, the primary one first.

    Raises:
        UnknownMetricError: a name is not known, or a bound's metric has no direction.
    """
    wanted = spec.evaluation
    names = (primary_metric(spec).name, *METRICS[spec.task], *wanted.metric_names, *wanted.minimum)
    found = tuple(metric(name, spec.task, wanted) for name in dict.fromkeys(names))
    for each in found:
        if each.name in wanted.minimum and not each.stated:
            raise without_direction(each.name, spec.task)
    return found
