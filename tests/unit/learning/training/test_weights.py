"""Rows count in a fit by a column of weights and by their class, and metrics do not use it."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assay.data.feature_selection import select_features
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DataContractError, LearningError
from assay.learning.estimators import early_stopping
from assay.learning.estimators.family import FAMILIES, family
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.final_fit import final_fit
from assay.learning.tuning.fold_schemes import Fold
from assay.learning.tuning.folds import FoldCache
from assay.learning.weights import column_weights, fit_weights
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

WEIGHTED = {"training": {"sample_weight": "w"}}
SMALL = {
    "catboost": {"iterations": 4},
    "extra_trees": {"n_estimators": 4},
    "hist_gradient_boosting": {"max_iter": 4, "early_stopping": False},
    "lightgbm": {"n_estimators": 4},
    "mlp": {"max_iter": 3},
    "random_forest": {"n_estimators": 4},
    "xgboost": {"n_estimators": 4},
}


@pytest.fixture
def weighted_split(make_split):
    """Return a function that weighs the training rows of a split: those with a large signal by 9, the others by 1."""

    def build(task="binary_classification"):
        split = make_split(task, columns=("signal", "colour"))
        weights = np.where(split.train.features["signal"] > 0.5, 9.0, 1.0)
        holdout = replace(split.holdout, weights=np.ones(160))
        return replace(split, train=replace(split.train, weights=weights), holdout=holdout)

    return build


@pytest.mark.parametrize("name", sorted({name for name, card in FAMILIES.items() if card.weighs_rows} - {"mlp"}))
def test_every_family_that_takes_weights_is_fitted_with_them(name, weighted_split, make_spec, make_best):
    task = "binary_classification" if FAMILIES[name].classifier else "regression"
    split, spec = weighted_split(task), make_spec(task, model={"candidates": [name]}, **WEIGHTED)
    best = make_best(name, **SMALL.get(name.removesuffix("_classifier").removesuffix("_regressor"), {}))
    fits = [final_fit(each, best, spec, None, refits=False) for each in (split, _alike(split))]
    answers = [(fit.estimator.predict_proba if task[0] == "b" else fit.estimator.predict) for fit in fits]
    assert not np.allclose(*(answer(split.holdout.features) for answer in answers))


@pytest.mark.parametrize("name", sorted(name for name, card in FAMILIES.items() if card.native is not None))
def test_families_that_take_categories_themselves_are_fitted_with_weights(name, weighted_split, make_spec, make_best):
    split, spec = weighted_split(), make_spec(model={"candidates": [name]}, **WEIGHTED)
    best = make_best(name, **SMALL[name], **{"preprocessing.categories": "native"})
    shares = [
        final_fit(each, best, spec, None, refits=False).estimator.predict_proba(split.holdout.features)
        for each in (split, _alike(split))
    ]
    assert not np.allclose(*shares)


def _alike(split):
    return replace(split, train=replace(split.train, weights=np.ones(240)))


def test_a_row_of_weight_two_counts_as_two_rows(weighted_split, make_spec, make_best):
    split, spec = weighted_split(), make_spec(model={"candidates": ["logistic_regression"]}, **WEIGHTED)
    twice = np.repeat(np.arange(240), np.where(split.train.weights > 1, 2, 1))
    two = replace(split, train=replace(split.train, weights=np.where(split.train.weights > 1, 2.0, 1.0)))
    repeated = replace(split, train=replace(split.train.take(twice), weights=np.ones(len(twice))))
    # without columns whose scaling counts rows
    best = make_best("dummy")
    spec = make_spec(model={"candidates": ["dummy"]}, **WEIGHTED)
    shares = [
        final_fit(each, best, spec, None, refits=False).estimator.predict_proba(split.holdout.features)
        for each in (two, repeated)
    ]
    np.testing.assert_allclose(*shares)


def test_balanced_classes_have_the_same_sum_and_named_ones_their_factor(make_spec):
    target = np.array(["a"] * 6 + ["b"] * 2 + ["c"] * 4, dtype=object)
    own = np.arange(1.0, 13.0)
    balanced = fit_weights(target, own, make_spec("multiclass_classification", training={"class_weight": "balanced"}))
    sums = [balanced[target == label].sum() for label in "abc"]
    np.testing.assert_allclose(sums, [own.sum() / 3] * 3)
    named = make_spec("multiclass_classification", training={"class_weight": {"b": 4.0}})
    np.testing.assert_allclose(fit_weights(target, own, named), np.where(target == "b", 4.0, 1.0) * own)
    np.testing.assert_allclose(fit_weights(target, None, named), np.where(target == "b", 4.0, 1.0))


@pytest.mark.parametrize(("labels", "named"), [([False, True], "true"), ([0, 1], "1")])
def test_labels_that_are_no_texts_are_named_as_texts(labels, named, make_spec):
    spec = make_spec(training={"class_weight": {named: 3.0}})
    np.testing.assert_allclose(fit_weights(np.array(labels), None, spec), [1.0, 3.0])


def test_a_class_that_the_rows_lack_is_refused(make_spec):
    spec = make_spec(training={"class_weight": {"maybe": 3.0}})
    with pytest.raises(LearningError, match="no class 'maybe'") as refused:
        fit_weights(np.array(["no", "yes"]), None, spec)
    assert refused.value.expected == "labels among no, yes"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0, -2.0, 1.0], "-2.0 in row 2; 1 such rows"),
        ([1.0, None, None], "None in row 2; 2 such rows"),
        ([1.0, 1.0, float("inf")], "inf in row 3; 1 such rows"),
        ([0, 0, 0], "0 in all 3 rows"),
        (["a", "b", "c"], "a column of string"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_with_their_row(values, found, make_spec):
    with pytest.raises(DataContractError, match="weights of column 'w'") as refused:
        column_weights(pa.table({"w": values}), make_spec(**WEIGHTED))
    assert refused.value.found == found


def test_the_column_of_weights_is_no_feature(make_spec):
    columns = [ColumnSchema(name=name, dtype="double", role=ColumnRole.NUMERIC) for name in ("x", "w", "y")]
    features, unused = select_features(TableSchema(version=1, columns=tuple(columns)), make_spec(**WEIGHTED))
    assert features.names == ("x",)
    assert unused == {"w": "weight of the rows (training.sample_weight)"}


def test_metrics_do_not_use_the_weights(weighted_split, make_spec, make_best):
    split, spec = weighted_split(), make_spec(model={"candidates": ["logistic_regression"]}, **WEIGHTED)
    model = final_fit(split, make_best("logistic_regression"), spec, None, refits=True)
    other = replace(split, holdout=replace(split.holdout, weights=np.arange(160.0)))
    assert evaluate(model, split, spec).metrics == evaluate(model, other, spec).metrics


@pytest.mark.parametrize("name", [name for name, card in FAMILIES.items() if card.stopping is not None])
def test_early_stopping_uses_the_weights_of_both_sides(name, monkeypatch):
    monkeypatch.setattr(early_stopping, "MOST_ROUNDS", 40)
    draw = np.random.default_rng(0)
    rows, other = draw.normal(size=(2, 200, 2))
    target, truth = rows[:, 0] + draw.normal(size=200), other[:, 0] + draw.normal(size=200)
    chosen = family(name, Task.REGRESSION)

    def rounds(weights):
        model = chosen.build({"learning_rate": 0.3}, seed=1, threads=1)
        found = early_stopping.fit_stopped(
            chosen.card.stopping, model, (rows, target), (other, truth), weights, is_classification=False
        )
        return found, model.predict(other)

    ones = np.ones(200)
    heavy = np.where(rows[:, 0] > 0, 20.0, 1.0)
    assert not np.allclose(rounds((ones, ones))[1], rounds((heavy, ones))[1]), "training rows"
    only = np.where(np.arange(200) < 5, 1e4, 1e-4)
    assert rounds((ones, only))[0] != rounds((ones, ones))[0], "validation rows"


def test_trials_are_fitted_with_the_weights_of_their_rows(weighted_split, make_spec):
    split = weighted_split()
    spec = make_spec(training={"sample_weight": "w", "class_weight": {"yes": 2.0}})
    fold = Fold(np.arange(100, 240), np.arange(100))
    cache = FoldCache(split.train, split.features, [fold], spec)
    matrices = cache.fold(0, family("lightgbm", Task.BINARY), {})
    factors = np.where(split.train.target == "yes", 2.0, 1.0) * split.train.weights
    np.testing.assert_allclose(matrices.weights[0], factors[100:])
    np.testing.assert_allclose(matrices.weights[1], factors[:100])
