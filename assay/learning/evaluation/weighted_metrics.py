"""Metrics of many weightings of the same rows at once, for the bootstrap.

A form here equals the metric of its name on rows that are repeated as their weights say. What depends on the rows alone
(their order, errors, codes) is computed once; a metric without a form is computed for each line of weights.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from assay.learning.evaluation.metric_functions import CALIBRATION_BINS, both_present, is_positive, known_codes
from assay.learning.evaluation.metrics import METRICS, Metric, measure
from assay.learning.evaluation.predictions import Predictions, codes, label_codes, positive_scores, probabilities

Weighted: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Takes weights, shape (resamples, n), and returns the metric of each line; NaN where it has no value."""
_Form: TypeAlias = Callable[[np.ndarray, Predictions], Weighted]
_FORMS: dict[str, _Form] = {}


def weighted(metric: Metric, truth: np.ndarray, predictions: Predictions) -> Weighted:
    """Return a metric as a function of weights of these rows."""
    form = _FORMS.get(metric.name) if _is_declared(metric) else None
    if form is None:
        return _of_repeated_rows(metric, truth, predictions)
    try:
        compute = form(truth, predictions)
    except ValueError:  # the metric has no value on any part of these rows
        return lambda weights: np.full(len(weights), np.nan)

    def quiet(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = compute(weights)
        return np.where(np.isfinite(values), values, np.nan)

    return quiet


def _is_declared(metric: Metric) -> bool:
    return any(known.get(metric.name) is metric for known in METRICS.values())


def _of_repeated_rows(metric: Metric, truth: np.ndarray, predictions: Predictions) -> Weighted:
    prepared = None if metric.of_rows is None else metric.of_rows(truth, predictions)

    def of_rows(rows: np.ndarray, _: Predictions) -> Any:
        return metric.compute(truth[rows], predictions.take(rows)) if prepared is None else prepared(rows)

    of_positions = replace(metric, compute=of_rows)

    def repeated(weights: np.ndarray) -> float:
        rows = np.repeat(np.arange(len(truth)), weights.astype(np.int64))
        value = measure(of_positions, rows, predictions).value
        return np.nan if value is None else value

    return lambda weights: np.array([repeated(line) for line in weights])


def _form(name: str) -> Callable[[_Form], _Form]:
    def register(form: _Form) -> _Form:
        _FORMS[name] = form
        return form

    return register


def _mean(values: np.ndarray) -> Weighted:
    return lambda weights: (weights @ values) / weights.sum(axis=1)


@_form("roc_auc")
def _roc_auc(truth: np.ndarray, predictions: Predictions) -> Weighted:
    return _area(both_present(is_positive(truth, predictions)) == 1, positive_scores(predictions))


def _area(positive: np.ndarray, scores: np.ndarray) -> Weighted:
    order, starts = _ranked(scores)
    hit = positive[order]

    def area(weights: np.ndarray) -> np.ndarray:
        ranked = weights[:, order]
        above = np.add.reduceat(ranked * hit, starts, axis=1)
        below = np.add.reduceat(ranked, starts, axis=1) - above
        pairs = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
        result: np.ndarray = pairs / (above.sum(axis=1) * below.sum(axis=1))
        return result

    return area


def _ranked(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of ascending scores, and where each run of equal ones starts."""
    order = np.argsort(scores, kind="stable")
    return order, np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])


@_form("roc_auc_ovr")
def _roc_auc_ovr(truth: np.ndarray, predictions: Predictions) -> Weighted:
    known, shares = both_present(known_codes(truth, predictions.classes)), probabilities(predictions)
    areas = [_area(known == code, shares[:, code]) for code in np.unique(known)]

    def mean(weights: np.ndarray) -> np.ndarray:
        values = np.array([area(weights) for area in areas])
        present = np.isfinite(values)
        result: np.ndarray = np.where(present, values, 0).sum(axis=0) / present.sum(axis=0)
        return result

    return mean


@_form("average_precision")
def _average_precision(truth: np.ndarray, predictions: Predictions) -> Weighted:
    order, starts = _ranked(-positive_scores(predictions))
    hit = both_present(is_positive(truth, predictions))[order] == 1

    def mean(weights: np.ndarray) -> np.ndarray:
        ranked = weights[:, order]
        hits = np.add.reduceat(ranked * hit, starts, axis=1)
        precision = np.cumsum(hits, axis=1) / np.cumsum(np.add.reduceat(ranked, starts, axis=1), axis=1)
        result: np.ndarray = (hits * np.where(hits > 0, precision, 0)).sum(axis=1) / hits.sum(axis=1)
        return result

    return mean


@_form("log_loss")
def _log_loss(truth: np.ndarray, predictions: Predictions) -> Weighted:
    of_truth = probabilities(predictions)[np.arange(len(truth)), known_codes(truth, predictions.classes)]
    return _mean(-np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1)))


@_form("brier_score")
def _brier_score(truth: np.ndarray, predictions: Predictions) -> Weighted:
    return _mean((probabilities(predictions)[:, -1] - is_positive(truth, predictions)) ** 2)


@_form("expected_calibration_error")
def _calibration(truth: np.ndarray, predictions: Predictions) -> Weighted:
    return calibration_error(probabilities(predictions)[:, -1], is_positive(truth, predictions))


def calibration_error(stated: np.ndarray, outcome: np.ndarray) -> Weighted:
    """Return the expected calibration error of stated probabilities, shape (n,); `outcome` is 1 where it came true."""
    bins = np.minimum((stated * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.zeros((len(stated), CALIBRATION_BINS))
    gaps[np.arange(len(stated)), bins] = stated - outcome
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


@_form("accuracy")
def _accuracy(truth: np.ndarray, predictions: Predictions) -> Weighted:
    true, predicted = label_codes(truth, predictions)
    return _mean((true == predicted).astype(np.float64))


def _class_counts(truth: np.ndarray, predictions: Predictions) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """Return the hits, predicted and actual rows of each class as a function of weights, each (resamples, classes)."""
    true, predicted = label_codes(truth, predictions)
    known = np.union1d(true, predicted)
    actual, said = (true[:, None] == known).astype(np.float64), (predicted[:, None] == known).astype(np.float64)
    return lambda weights: (weights @ (actual * said), weights @ said, weights @ actual)


@_form("balanced_accuracy")
def _balanced_accuracy(truth: np.ndarray, predictions: Predictions) -> Weighted:
    counts = _class_counts(truth, predictions)

    def mean(weights: np.ndarray) -> np.ndarray:
        hits, _, actual = counts(weights)
        result: np.ndarray = np.where(actual > 0, hits / actual, 0).sum(axis=1) / (actual > 0).sum(axis=1)
        return result

    return mean


def _mean_over_classes(share: Callable[..., tuple[np.ndarray, np.ndarray]]) -> _Form:
    """Return the form of a macro average: the mean share over the classes that occur; of 0 rows a share is 0."""

    def form(truth: np.ndarray, predictions: Predictions) -> Weighted:
        counts = _class_counts(truth, predictions)

        def mean(weights: np.ndarray) -> np.ndarray:
            hits, said, actual = counts(weights)
            part, whole = share(hits, said, actual)
            result: np.ndarray = np.where(whole > 0, part / whole, 0).sum(axis=1) / (said + actual > 0).sum(axis=1)
            return result

        return mean

    return form


_FORMS["f1_macro"] = _mean_over_classes(lambda hits, said, actual: (2 * hits, said + actual))
_FORMS["precision_macro"] = _mean_over_classes(lambda hits, said, _: (hits, said))
_FORMS["recall_macro"] = _mean_over_classes(lambda hits, _, actual: (hits, actual))


@_form("f1_weighted")
def _f1_weighted(truth: np.ndarray, predictions: Predictions) -> Weighted:
    counts = _class_counts(truth, predictions)

    def mean(weights: np.ndarray) -> np.ndarray:
        hits, said, actual = counts(weights)
        scores = np.where(actual > 0, 2 * hits / (said + actual), 0)
        result: np.ndarray = (actual * scores).sum(axis=1) / actual.sum(axis=1)
        return result

    return mean


def _positive_counts(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return hits, predicted and actual positives as columns of 0 and 1, shape (n, 3)."""
    positive = is_positive(truth, predictions) == 1
    flagged = codes(predictions.labels, predictions.classes) == 1
    return np.column_stack([positive & flagged, flagged, positive]).astype(np.float64)


@_form("precision")
def _precision(truth: np.ndarray, predictions: Predictions) -> Weighted:
    columns = _positive_counts(truth, predictions)
    return lambda weights: (weights @ columns[:, 0]) / (weights @ columns[:, 1])


@_form("recall")
def _recall(truth: np.ndarray, predictions: Predictions) -> Weighted:
    columns = _positive_counts(truth, predictions)
    return lambda weights: (weights @ columns[:, 0]) / (weights @ columns[:, 2])


@_form("f1")
def _f1(truth: np.ndarray, predictions: Predictions) -> Weighted:
    columns = _positive_counts(truth, predictions)
    return lambda weights: 2 * (weights @ columns[:, 0]) / (weights @ (columns[:, 1] + columns[:, 2]))


@_form("matthews_corrcoef")
def _matthews(truth: np.ndarray, predictions: Predictions) -> Weighted:
    columns = _positive_counts(truth, predictions)

    def correlation(weights: np.ndarray) -> np.ndarray:
        (hits, said, actual), rows = (weights @ columns).T, weights.sum(axis=1)
        result: np.ndarray = (hits * rows - said * actual) / np.sqrt(said * (rows - said) * actual * (rows - actual))
        return result

    return correlation


def _errors(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return np.asarray(predictions.labels - truth.astype(np.float64))


@_form("mae")
def _mae(truth: np.ndarray, predictions: Predictions) -> Weighted:
    return _mean(np.abs(_errors(truth, predictions)))


@_form("mean_error")
def _mean_error(truth: np.ndarray, predictions: Predictions) -> Weighted:
    return _mean(_errors(truth, predictions))


@_form("mape")
def _mape(truth: np.ndarray, predictions: Predictions) -> Weighted:
    values = truth.astype(np.float64)
    if (values == 0).any():
        raise ValueError("the truth holds zeros, so that relative errors are infinite")
    return _mean(np.abs(_errors(truth, predictions) / values))


@_form("max_error")
def _max_error(truth: np.ndarray, predictions: Predictions) -> Weighted:
    sizes = np.abs(_errors(truth, predictions))
    return lambda weights: np.where(weights > 0, sizes, -np.inf).max(axis=1)


@_form("median_ae")
def _median_ae(truth: np.ndarray, predictions: Predictions) -> Weighted:
    sizes = np.abs(_errors(truth, predictions))
    order = np.argsort(sizes, kind="stable")

    def median(weights: np.ndarray) -> np.ndarray:
        upto = np.cumsum(weights[:, order], axis=1)
        rows = upto[:, -1]
        # the one or two rows in the middle, by their rank from 0
        places = [(upto <= rank[:, None]).sum(axis=1) for rank in ((rows - 1) // 2, rows // 2)]
        result: np.ndarray = (sizes[order[places[0]]] + sizes[order[places[1]]]) / 2
        return result

    return median


@_form("rmse")
def _rmse(truth: np.ndarray, predictions: Predictions) -> Weighted:
    mean = _mean(_errors(truth, predictions) ** 2)
    return lambda weights: np.sqrt(mean(weights))


@_form("r2")
def _r2(truth: np.ndarray, predictions: Predictions) -> Weighted:
    values = truth.astype(np.float64) - truth.astype(np.float64).mean()
    error, first, second = _mean(_errors(truth, predictions) ** 2), _mean(values), _mean(values**2)
    return lambda weights: 1 - error(weights) / (second(weights) - first(weights) ** 2)
