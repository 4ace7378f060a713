"""A regression on a transform of its target predicts in the target's unit; intervals hold what they should."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator

from assay.errors import DataContractError
from assay.learning.estimators.target_transforms import TransformedTarget
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.evaluation.predictions import predict
from assay.learning.final_fit import final_fit, recorded_fit
from assay.learning.persistence import load_model, save_model
from assay.learning.reproduction import different_predictions, rebuilt
from assay.learning.target_values import require_transformable
from assay.learning.tuning.search import find_best_hyperparameters
from assay.markdown import escaped
from assay.prediction.predictor import batch_columns
from assay.promotion.model_card import render
from assay.results.provenance import CodeState
from assay.specs import Task

CODE = CodeState(git_sha="", git_dirty=False, lock_digest="", installed_digest="")
NAMED = "fitted on the target's"


class Copy(BaseEstimator):
    """Predicts what it was fitted on, moved by the first column."""

    def fit(self, rows, target):
        self.seen = target
        return self

    def predict(self, rows):
        return self.seen + rows[:, 0]


@pytest.fixture
def skewed(make_split):
    """Return a function that gives a split whose target is the exponential of a linear function."""

    def build(seed=0, **sizes):
        split = make_split("regression", columns=("signal", "noise"), seed=seed, **sizes)
        sides = {s: replace(getattr(split, s), target=np.exp(getattr(split, s).target)) for s in ("train", "holdout")}
        return replace(split, **sides)

    return build


def fit(split, best, spec, base=None):
    return final_fit(split, best, spec, base, refits=True)


@pytest.mark.parametrize("transform", ["log", "log1p", "yeo_johnson"])
def test_a_linear_model_follows_a_skewed_target_in_its_own_unit(transform, skewed, make_spec, make_best, tmp_path):
    split, best = skewed(), make_best("ridge")
    spec = make_spec("regression", training={"target_transform": transform}, model={"candidates": ["ridge"]})
    plain = make_spec("regression", model={"candidates": ["ridge"]})
    model = fit(split, best, spec)
    found = [evaluate(fit(split, best, each), split, each).metrics["median_ae"] for each in (plain, spec)]
    assert found[1] < 0.5 * found[0]
    save_model(model, tmp_path)
    assert different_predictions(model, load_model(tmp_path), split.holdout.features, 1) == 0
    assert different_predictions(model, rebuilt(model, split, spec, None), split.holdout.features, 1) == 0
    card = render(model, evaluate(model, split, spec), None, spec)
    assert f"| {escaped(NAMED)} | {escaped(transform)} |" in card


@pytest.mark.parametrize("transform", ["log", "yeo_johnson"])
def test_predictions_are_inverse_and_stay_within_the_training_targets(transform):
    target = np.exp(np.random.default_rng(0).normal(size=50))
    model = TransformedTarget(Copy(), transform).fit(np.zeros((50, 1)), target)
    np.testing.assert_allclose(model.predict(np.zeros((50, 1))), target)
    assert np.isfinite(model.predict(np.full((50, 1), 1e6))).all()
    assert model.predict(np.full((50, 1), 1e6)).max() == pytest.approx(target.max())
    assert model.predict(np.full((50, 1), -1e6)).min() == pytest.approx(target.min())


def test_boosters_stop_early_on_the_transformed_target(skewed, make_spec):
    split = skewed()
    spec = make_spec(
        "regression",
        training={"target_transform": "log"},
        model={"candidates": ["lightgbm"]},
        tuning={"n_trials": 1, "folds": 2},
    )
    asked = {"features": split.features, "groups": None, "classes": ()}
    best = find_best_hyperparameters(split.train, spec, **asked)
    plain = make_spec("regression", model={"candidates": ["lightgbm"]}, tuning={"n_trials": 1, "folds": 2})
    logarithms = replace(split.train, target=np.log(split.train.target))
    same = find_best_hyperparameters(logarithms, plain, **asked)
    assert best.trials[0].state == "complete", best.trials[0].reason
    assert best.parameters["n_estimators"] == same.parameters["n_estimators"]
    assert fit(split, best, spec).estimator.predict(split.holdout.features).min() > 0


def test_a_continued_fit_keeps_the_transform(skewed, make_spec, make_best):
    training = {"target_transform": "yeo_johnson", "scenario": "incremental"}
    spec = make_spec("regression", training=training, model={"candidates": ["lightgbm"]})
    best, later = make_best("lightgbm", n_estimators=5), skewed(seed=5)
    base = fit(skewed(), best, spec)
    model = fit(later, best, spec, base)
    assert model.estimator[-1].power_ is base.estimator[-1].power_
    assert model.estimator[-1].model_.n_estimators_ > base.estimator[-1].model_.n_estimators_
    errors = [
        np.abs(each.estimator.predict(later.train.features) - later.train.target).mean() for each in (base, model)
    ]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    ("transform", "values", "found", "remedy"),
    [
        ("log", [1.0, 0.0, 2.0], "0 in row 2; 1 such rows", "log1p, or yeo_johnson"),
        ("log", [1.0, -3.0, -4.0], "-3 in row 2; 2 such rows", "target_transform: yeo_johnson"),
        ("log1p", [0.0, 1.0, -1.0], "-1 in row 3; 1 such rows", "target_transform: yeo_johnson"),
    ],
)
def test_targets_without_a_logarithm_are_refused_with_their_row(transform, values, found, remedy, make_spec):
    spec = make_spec("regression", training={"target_transform": transform})
    with pytest.raises(DataContractError, match="no logarithm") as refused:
        require_transformable(pa.table({"y": values}), spec)
    assert refused.value.found == found
    assert remedy in refused.value.remedy


def test_a_power_transform_takes_any_number(make_spec):
    require_transformable(
        pa.table({"y": [-1.0, 0.0]}), make_spec("regression", training={"target_transform": "yeo_johnson"})
    )


def test_intervals_hold_their_share_of_the_holdout_which_did_not_make_them(skewed, make_spec, make_best):
    split = skewed(seed=2, train=600, holdout=800)
    spec = make_spec("regression", training={"interval": 0.8}, model={"candidates": ["lightgbm"]})
    model = recorded_fit(split, make_best("lightgbm", n_estimators=40), spec, None, CODE)
    flipped = replace(split.holdout, target=split.holdout.target * 100)
    other = recorded_fit(replace(split, holdout=flipped), make_best("lightgbm", n_estimators=40), spec, None, CODE)
    assert model.manifest.reference.half_width(0.8) == other.manifest.reference.half_width(0.8)
    assert model.manifest.reference.training_rows == 600
    report = evaluate(model, split, spec)
    assert report.interval.coverage == pytest.approx(0.8, abs=0.05)
    assert "of the holdout's targets (0.8 asked for)" in report.interval.in_words
    found = predict(model.estimator, split.holdout.features, (), Task.REGRESSION)
    columns = batch_columns(found, model)
    widths = columns["upper"].to_numpy() - columns["lower"].to_numpy()
    np.testing.assert_allclose(widths, 2 * model.manifest.reference.half_width(0.8))
    assert report.interval.mean_width == pytest.approx(widths[0])
    assert "On the holdout intervals that are" in render(model, report, None, spec)


def test_intervals_grow_with_a_transformed_prediction(skewed, make_spec, make_best):
    split = skewed(seed=2, train=600, holdout=800)
    training = {"interval": 0.8, "target_transform": "log"}
    spec = make_spec("regression", training=training, model={"candidates": ["ridge"]})
    model = recorded_fit(split, make_best("ridge"), spec, None, CODE)
    assert evaluate(model, split, spec).interval.coverage == pytest.approx(0.8, abs=0.05)
    found = predict(model.estimator, split.holdout.features, (), Task.REGRESSION)
    columns = {name: each.to_numpy() for name, each in batch_columns(found, model).items()}
    assert (columns["lower"] > 0).all()
    middle = (found.labels > np.quantile(found.labels, 0.2)) & (found.labels < np.quantile(found.labels, 0.8))
    factors = [columns["upper"] / columns["prediction"], columns["prediction"] / columns["lower"]]
    assert np.allclose(factors[0][middle], factors[1][middle])
    assert np.allclose(factors[0][middle], np.exp(model.manifest.reference.half_width(0.8)))


def test_without_a_request_a_batch_has_no_intervals(skewed, make_spec, make_best):
    split, spec = skewed(), make_spec("regression", model={"candidates": ["ridge"]})
    model = fit(split, make_best("ridge"), spec)
    found = predict(model.estimator, split.holdout.features, (), Task.REGRESSION)
    assert list(batch_columns(found, model)) == ["prediction"]
    assert evaluate(model, split, spec).interval is None
