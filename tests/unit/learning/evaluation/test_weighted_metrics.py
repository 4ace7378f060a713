"""The bootstrap's forms of metrics against the metrics themselves."""

import numpy as np
import pytest

from assay.learning.evaluation.metrics import METRICS, Metric, measure
from assay.learning.evaluation.predictions import Predictions
from assay.learning.evaluation.weighted_metrics import _FORMS, weighted
from assay.specs.pipeline import Task

_LABELS = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("high", "low", "mid")}


def _rows(task, rows=60, seed=3):
    random = np.random.default_rng(seed)
    if task is Task.REGRESSION:
        truth = random.normal(size=rows)
        return truth, Predictions(truth + random.normal(size=rows), None, ())
    labels = np.array(_LABELS[task], dtype=object)
    truth = random.choice(labels, rows)
    # probabilities in steps, so that some are equal
    shares = random.integers(1, 6, (rows, len(labels))).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return truth, Predictions(labels[shares.argmax(axis=1)], shares, tuple(labels))


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task in Task for name, metric in METRICS[task].items() if metric.directed]
)
def test_a_metric_of_weighted_rows_is_that_of_repeated_rows(task, name):
    metric, (truth, predictions) = METRICS[task][name], _rows(task)
    weights = np.random.default_rng(5).multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=20)
    found = weighted(metric, truth, predictions)(weights.astype(np.float64))
    for line, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(len(truth)), line)
        assert value == pytest.approx(measure(metric, truth[rows], predictions.take(rows)).value, abs=1e-12)


def test_rows_of_one_class_have_no_ranking():
    truth, predictions = _rows(Task.BINARY)
    only = (truth == "yes").astype(np.float64)
    assert np.isnan(weighted(METRICS[Task.BINARY]["roc_auc"], truth, predictions)(only[None, :])).all()


def test_a_metric_of_the_users_own_is_not_mistaken_for_a_known_one():
    truth, predictions = _rows(Task.REGRESSION)
    own = Metric("rmse", greater_is_better=False, compute=lambda true, _: len(true))
    assert weighted(own, truth, predictions)(np.ones((2, len(truth)))).tolist() == [60, 60]


def test_every_form_is_of_a_declared_metric():
    assert set(_FORMS) <= {name for task in Task for name in METRICS[task]}
