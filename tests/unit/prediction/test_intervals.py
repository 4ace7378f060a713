"""Intervals of a regression: their width, their coverage, and when they are missing."""

import numpy as np
import pytest
from prediction_cases import fitted, user_rows

from assay.errors import DataContractError
from assay.learning.evaluation.predictions import Predictions
from assay.prediction.predictor import Predictor, interval_columns
from assay.results.prediction_reference import PredictionReference


def half_width(model, share):
    ends = interval_columns(Predictions(np.zeros(1), None, ()), model, share)
    assert ends["lower"][0].as_py() == -ends["upper"][0].as_py()
    return ends["upper"][0].as_py()


@pytest.fixture(scope="module")
def with_errors():
    """Return a function that gives a regression with some errors on its holdout."""
    model = fitted("regression", "ridge", steps=False)

    def made(errors):
        reference = PredictionReference(rows=len(errors), errors=tuple(sorted(errors)))
        return model.compared_with(reference)

    return made


def test_the_width_is_the_quantile_of_the_errors_for_one_row_more(with_errors):
    model = with_errors([float(n) for n in range(1, 20)])  # 19 errors: 0.9 of 20 is the 18th
    assert half_width(model, 0.9) == 18.0
    assert half_width(model, 0.5) == 10.0


def test_an_interval_holds_its_share_of_new_targets(with_errors):
    draw = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        width = half_width(with_errors(np.abs(draw.normal(size=99)).tolist()), 0.9)
        shares.append((np.abs(draw.normal(size=500)) <= width).mean())
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("share", [0.99, 1.5, -0.1])
def test_a_share_that_the_holdout_cannot_give_is_refused(with_errors, share):
    with pytest.raises(DataContractError, match="no such interval"):
        half_width(with_errors([1.0, 2.0, 3.0]), share)


def test_classes_have_no_interval():
    with pytest.raises(DataContractError, match="no such interval"):
        Predictor(fitted(steps=False)).predict(user_rows(), interval=0.9)
