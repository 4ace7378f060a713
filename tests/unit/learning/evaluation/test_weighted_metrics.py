"""The bootstrap's forms of metrics against the metrics themselves."""

import builtins
import sys
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import f1_score, make_scorer

from assay.learning.evaluation import scorers
from assay.learning.evaluation.metrics import METRICS, Metric, measure, metric
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
    ("task", "name"), [(task, name) for task in Task for name, each in METRICS[task].items() if each.directed]
)
def test_a_metric_of_weighted_rows_is_that_of_repeated_rows(task, name):
    declared, (truth, predictions) = METRICS[task][name], _rows(task)
    weights = np.random.default_rng(5).multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=20)
    found = weighted(declared, truth, predictions)(weights.astype(np.float64))
    for line, value in zip(weights, found, strict=True):
        rows = np.repeat(np.arange(len(truth)), line)
        assert value == pytest.approx(measure(declared, truth[rows], predictions.take(rows)).value, abs=1e-12)


def _own(scorer, monkeypatch):
    module = ModuleType("own_scorers")
    module.own = scorer
    monkeypatch.setitem(sys.modules, "own_scorers", module)
    return metric("own_scorers:own", Task.BINARY)


@pytest.mark.parametrize("name", ["f1_macro", "own"])
def test_labels_are_encoded_once_for_all_resamples(name, monkeypatch):
    truth, predictions = _rows(Task.BINARY)
    counted, encodings = scorers.label_codes, []
    monkeypatch.setattr(scorers, "label_codes", lambda *given: encodings.append(1) or counted(*given))
    own = _own(make_scorer(f1_score, pos_label="yes"), monkeypatch)
    chosen, same = (metric("f1_macro", Task.BINARY), None) if name == "f1_macro" else (own, METRICS[Task.BINARY]["f1"])
    weights = np.random.default_rng(5).multinomial(60, np.full(60, 1 / 60), size=20).astype(np.float64)
    listed, lists = builtins.list, []
    monkeypatch.setattr(scorers, "list", lambda *given: lists.append(1) or listed(*given), raising=False)
    found = weighted(chosen, truth, predictions)(weights)
    assert len(encodings) <= 1
    assert len(lists) <= 3, "truth, predicted labels and classes"
    repeated = [np.repeat(np.arange(60), line.astype(int)) for line in weights]
    expected = [measure(same or chosen, truth[rows], predictions.take(rows)).value for rows in repeated]
    np.testing.assert_allclose(found, expected, atol=1e-12)


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
