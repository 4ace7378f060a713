"""Scikit-learn's scorers as metrics: the same values as on the estimator itself."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.naive_bayes import GaussianNB

from assay.learning.evaluation.metrics import METRICS, measure, metric
from assay.learning.evaluation.predictions import predict
from assay.learning.evaluation.scorers import SCORERS
from assay.specs import Task

NOT_OF_LABELLED_ROWS = {
    "adjusted_mutual_info_score", "adjusted_rand_score", "completeness_score", "fowlkes_mallows_score",
    "homogeneity_score", "mutual_info_score", "normalized_mutual_info_score", "rand_score", "v_measure_score",
    "f1_samples", "jaccard_samples", "precision_samples", "recall_samples",
}  # fmt: skip


def rows(task):
    random = np.random.default_rng(3)
    features = random.normal(size=(200, 2))
    noisy = features[:, 0] + random.normal(size=200)
    if task is Task.REGRESSION:
        return features, np.exp(noisy)
    if task is Task.BINARY:
        return features, (noisy > 0).astype(np.int64)
    return features, np.digitize(noisy, [-1, 1])


def fitted(task, features, target):
    return (LinearRegression() if task is Task.REGRESSION else GaussianNB()).fit(features, target)


def test_every_scorer_of_labelled_rows_belongs_to_a_task():
    assert frozenset().union(*SCORERS.values()) == set(get_scorer_names()) - NOT_OF_LABELLED_ROWS


@pytest.mark.parametrize(("task", "name"), [(t, n) for t in Task for n in sorted(SCORERS[t] - METRICS[t].keys())])
def test_a_scorers_name_gives_its_value_and_more_is_better(task, name):
    features, target = rows(task)
    model = fitted(task, features, target)
    classes = () if task is Task.REGRESSION else tuple(model.classes_)
    found = metric(name, task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = get_scorer(name)(model, features, target)
        except ValueError:  # deviances of predictions that are not positive
            expected = np.nan
    value = measure(found, target, predict(model, features, classes, task)).value
    assert found.greater_is_better
    assert value == (pytest.approx(expected) if np.isfinite(expected) else None)


@pytest.mark.parametrize("name", ["f1", "neg_log_loss", "average_precision", "jaccard"])
def test_the_last_class_is_positive_whatever_it_is_called(name):
    features, target = rows(Task.BINARY)
    words = np.array(["yes", "zero"], dtype=object)[target]
    values = [
        measure(metric(name, Task.BINARY), truth, predict(model, features, tuple(model.classes_), Task.BINARY)).value
        for truth, model in ((t, fitted(Task.BINARY, features, t.tolist())) for t in (target, words))
    ]
    assert values[0] == pytest.approx(values[1])
