"""Metrics of the user's own: functions by import path, what they ask for by name, and their direction."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from assay.errors import UnknownMetricError
from assay.importing import import_users_object
from assay.learning.evaluation.predictions import Predictions, positive_scores, probabilities
from assay.learning.evaluation.scorers import OfRows, Scored, of_all_rows, scorer_sign, users_scorer
from assay.specs.learning import OwnMetric

_Function = TypeVar("_Function", bound=Callable[..., Any])
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def direction(*, greater_is_better: bool) -> Callable[[_Function], _Function]:
    """Return a decorator that states the direction of a metric."""

    def decorate(function: _Function) -> _Function:
        function.greater_is_better = greater_is_better  # type: ignore[attr-defined]
        return function

    return decorate


@dataclass(frozen=True, slots=True)
class FoundMetric:
    """What an import path names.

    Attributes:
        compute: computes the metric.
        greater_is_better: the direction; None where neither the pipeline file nor the function states one.
        of_rows: see `metrics.Metric`.
    """

    compute: Scored
    greater_is_better: bool | None
    of_rows: Callable[[np.ndarray, Predictions], OfRows] | None = None


def own_metric(declared: OwnMetric) -> FoundMetric:
    """Import a metric of the user's own.

    A function takes what its parameters name: `y_true` and `y_pred`, shape (n,), labels or values as in the table;
    `y_score`, probabilities of the positive class, shape (n,), or of each class, shape (n, k); `sample_weight`, shape
    (n,), float64; `rows`, a data frame of the declared columns. Without `y_true` among them, the first two parameters
    are the true and the predicted values.

    Raises:
        UnknownMetricError: the path names no function, or one that asks for what is not declared.
    """
    found = import_users_object(declared.path, where="evaluation", error=UnknownMetricError)
    if (sign := scorer_sign(found)) is not None:
        return _of_scorer(found, sign, declared)
    if not callable(found):
        raise UnknownMetricError(
            f"'{declared.path}' is no function",
            where="evaluation",
            found=type(found).__name__,
            expected="a function of (y_true, y_pred) that returns a number",
            remedy="name such a function, or what sklearn.metrics.make_scorer returns",
        )
    stated = declared.greater_is_better
    if stated is None:
        own = getattr(found, "greater_is_better", None)
        stated = None if own is None else bool(own)
    return FoundMetric(_computed_by(found, declared), stated)


def _of_scorer(scorer: Any, sign: int, declared: OwnMetric) -> FoundMetric:
    if declared.greater_is_better not in {None, sign > 0}:
        raise _refused(
            declared,
            f"its make_scorer says greater_is_better={sign > 0}, the pipeline file the opposite",
            "remove greater_is_better from the pipeline file, or correct the scorer",
        )
    of_rows = partial(users_scorer, scorer, sign, lambda predictions: _weights(declared, predictions))
    return FoundMetric(of_all_rows(of_rows), sign > 0, of_rows)


def _computed_by(function: Callable[..., Any], declared: OwnMetric) -> Scored:
    parameters = _parameters(function)
    by_name = any(each.name == "y_true" and each.kind is not each.POSITIONAL_ONLY for each in parameters)
    given, named = _given(declared), parameters if by_name else parameters[2:]
    for each in named:
        if each.default is inspect.Parameter.empty and each.name not in given:
            raise _not_given(each.name, declared, given)
    positional = [] if by_name else ["y_true", "y_pred"]
    wanted = [each.name for each in named if each.name in given]

    def compute(truth: np.ndarray, predictions: Predictions) -> Any:
        first = [given[name](truth, predictions) for name in positional]
        return function(*first, **{name: given[name](truth, predictions) for name in wanted})

    return compute


def _given(declared: OwnMetric) -> dict[str, Scored]:
    """Return how each parameter that a function may name is found."""
    found: dict[str, Scored] = {
        "y_true": lambda truth, _: truth,
        "y_pred": lambda _, predictions: predictions.labels,
        "y_score": lambda _, predictions: _scores(predictions),
    }
    if declared.columns:
        found["rows"] = lambda _, predictions: _rows(predictions, declared.columns)
    if declared.sample_weight is not None:
        found["sample_weight"] = lambda _, predictions: _weights(declared, predictions)
    return found


_DECLARED_BY = {
    "rows": "name the columns that it needs: {path: ..., columns: [amount]}",
    "sample_weight": "name the column of weights: {path: ..., sample_weight: weight}",
}


def _not_given(name: str, declared: OwnMetric, given: Iterable[str]) -> UnknownMetricError:
    known = ", ".join(dict.fromkeys([*given, *_DECLARED_BY]))
    remedy = _DECLARED_BY.get(name, f"give it a default, or another name: a metric may ask for {known}")
    return _refused(declared, f"the function asks for {name}", remedy)


def _parameters(function: Callable[..., Any]) -> Sequence[inspect.Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:  # a function of an extension module may not say what it takes
        return ()
    return [each for each in found if each.kind in {*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY}]


def _scores(predictions: Predictions) -> np.ndarray:
    binary = len(predictions.classes) == 2  # noqa: PLR2004 - binary
    return positive_scores(predictions) if binary else probabilities(predictions)


def _rows(predictions: Predictions, columns: Iterable[str]) -> Any:
    lacking = [name for name in columns if predictions.rows is None or name not in predictions.rows]
    if predictions.rows is None or lacking:
        raise ValueError(f"these rows lack what the metric asks for: {', '.join(lacking)}")
    return predictions.rows[list(columns)]


def _weights(declared: OwnMetric, predictions: Predictions) -> np.ndarray | None:
    if declared.sample_weight is None:
        return None
    return np.asarray(_rows(predictions, [declared.sample_weight])[declared.sample_weight], dtype=np.float64)


def _refused(declared: OwnMetric, what: str, remedy: str) -> UnknownMetricError:
    return UnknownMetricError(
        f"'{declared.path}' cannot be used: {what}", where="evaluation", found=declared.path, remedy=remedy
    )
