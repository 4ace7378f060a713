"""The loss of boosters by round."""

import json

import numpy as np
import pytest

from assay.learning.evaluation.rounds import losses_by_round, points_of
from assay.learning.training import train
from assay.specs import PipelineSpec

ROUNDS = {"lightgbm": "n_estimators", "xgboost": "n_estimators", "catboost": "iterations",
          "hist_gradient_boosting": "max_iter"}  # fmt: skip


@pytest.fixture
def fitted(make_spec, make_split, make_best):
    def fit(task, family, training=None, **parameters):
        spec, split = make_spec(task), make_split(task, columns=("signal", "noise"))
        if training:
            document = json.loads(spec.model_dump_json())
            spec = PipelineSpec.model_validate_json(
                json.dumps(document | {"training": document["training"] | training})
            )
        return train(split, make_best(family, **parameters), spec), split

    return fit


@pytest.mark.parametrize("task", ["regression", "binary_classification", "multiclass_classification"])
@pytest.mark.parametrize("family", ROUNDS)
def test_the_last_round_has_the_loss_of_the_whole_model(task, family, fitted):
    model, split = fitted(task, family, **{ROUNDS[family]: 12})
    found = losses_by_round(model, split, seed=1)
    assert list(found.holdout) == list(found.training) == list(range(1, 13))
    rows, truth = split.holdout.features, split.holdout.target.to_numpy()
    if task == "regression":
        expected = float(np.sqrt(np.mean((model.estimator.predict(rows) - truth) ** 2)))
    else:
        of_truth = [list(model.manifest.classes).index(label) for label in truth]
        expected = float(-np.log(model.estimator.predict_proba(rows)[np.arange(len(truth)), of_truth]).mean())
    assert found.loss == ("rmse" if task == "regression" else "log_loss")
    assert found.holdout[12] == pytest.approx(expected, rel=1e-5)
    assert found.training[12] < found.training[1]


def test_a_transformed_target_is_measured_on_its_transform(fitted):
    model, split = fitted("regression", "lightgbm", {"target_transform": "yeo_johnson"}, n_estimators=5)
    inner = model.estimator[-1]
    matrix = model.estimator[:-1].transform(split.holdout.features)
    expected = np.sqrt(np.mean((inner.model_.predict(matrix) - inner.transformed(split.holdout.target)) ** 2))
    assert losses_by_round(model, split, seed=1).holdout[5] == pytest.approx(float(expected))


def test_a_calibrated_booster_is_measured_below_its_calibration(fitted):
    model, split = fitted("binary_classification", "lightgbm", {"calibration": "sigmoid"}, n_estimators=5)
    assert list(losses_by_round(model, split, seed=1).holdout) == [1, 2, 3, 4, 5]


def test_a_model_without_rounds_has_no_losses(fitted):
    assert losses_by_round(*fitted("binary_classification", "logistic_regression"), seed=1) is None


@pytest.mark.parametrize(("rounds", "number"), [(0, 1), (1, 1), (7, 7), (25, 25), (2000, 25)])
def test_points_begin_with_the_first_round_and_end_with_the_last(rounds, number):
    points = points_of(rounds)
    assert (points[0], points[-1], len(points)) == (1, max(1, rounds), number)
