"""Each check of predictions: what it accepts, and what it refuses."""

import json

import numpy as np
import pyarrow as pa
import pytest
from prediction_cases import fitted, spec_of, user_rows

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import TableSchema
from assay.errors import PredictionsRefusedError
from assay.learning.evaluation.predictions import predict
from assay.prediction.predictor import Predictor
from assay.prediction.scoring import require_good, score
from assay.specs.operations import PredictionChecks, ScoringSpec


class Forced:
    """An estimator that predicts what a test wants."""

    def __init__(self, values):
        self.values = values

    def predict(self, rows):
        return np.resize(self.values, len(rows))


def rows_of(frame, model):
    table = Predictor(model).source_rows(pa.Table.from_pandas(frame, preserve_index=False))
    schema = TableSchema(
        version=1, columns=tuple(c for c in model.manifest.intake.columns if c.name in table.column_names)
    )
    return Dataset(table=table, schema=schema, fingerprint=fingerprint(table))


def failed(model, frame=None, **asked):
    """Return the names of the checks that fail on a frame."""
    return {check.name: check for check in scored(model, frame, **asked).failed}


def scored(model, frame=None, **asked):
    rows = rows_of(user_rows() if frame is None else frame, model)
    spec = spec_of(str(model.manifest.task), steps=False)
    scoring = ScoringSpec(checks=PredictionChecks(**asked), columns=("id",) if "id" in rows.table.column_names else ())
    return score(model, rows.table, rows.schema, spec.model_copy(update={"scoring": scoring}), where="test")


def forced(model, values):
    object.__setattr__(model, "estimator", Forced(values))
    return model


@pytest.fixture
def regression():
    return fitted("regression", "ridge", steps=False)


@pytest.fixture
def classes():
    return fitted(steps=False)


def test_good_predictions_pass(regression, classes):
    assert not failed(regression)
    assert not failed(classes)
    require_good(scored(classes).checks, where="test")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_are_finite(regression, value):
    assert "predictions_finite" in failed(forced(regression, [value, 900.0]))


@pytest.mark.parametrize("shares", [[0.2, 0.9], [-0.1, 1.1], [np.nan, 1.0]])
def test_probabilities_add_up_to_1(classes, shares):
    from assay.learning.evaluation.predictions import Predictions
    from assay.prediction.checks import finite_in

    labels = np.array([True, False])
    found = Predictions(labels, np.array([[0.5, 0.5], shares]), classes.manifest.classes)
    check = finite_in(found, classes.manifest)
    assert not check.passed
    assert "the first in row 2" in check.found


def test_values_are_in_the_range_of_the_training_targets_and_a_margin(regression):
    reference = regression.manifest.reference
    beyond = reference.high + 0.6 * (reference.high - reference.low)
    found = failed(forced(regression, [beyond, 900.0]))["predictions_in_range"]
    assert "row 1" in found.found
    assert found.numbers["rows"] == 60
    assert "predictions_in_range" not in failed(forced(regression, [beyond, 900.0]), range_margin=0.7)


def test_the_distribution_is_that_of_the_holdout(regression, classes):
    assert "predictions_as_holdout" in failed(regression, user_rows().assign(size=20.0, rooms=1), max_change=0.1)
    small = user_rows().head(3).assign(size=20.0, rooms=1)
    assert "predictions_as_holdout" not in failed(regression, small, max_change=0.1)  # chance explains it
    rarer = classes.manifest.classes[int(np.argmin(classes.manifest.reference.shares))]
    assert "predictions_as_holdout" in failed(forced(classes, [rarer]), max_change=0.05)


def test_few_rows_are_fallbacks(classes):
    bare = user_rows().assign(size=None, balcony=None, area=None, seen=None)
    assert "fallbacks_below_maximum" in failed(classes, bare, max_change=1.0)
    assert "fallbacks_below_maximum" not in failed(classes, bare, max_change=1.0, max_fallbacks=1.0)


def test_each_row_has_a_prediction(classes):
    from assay.prediction.checks import Predicted, complete

    found = scored(classes)
    keys = found.dataset.table.select(["id"])
    as_made = Predicted(None, None, len(user_rows()), keys, found.dataset.table)
    assert complete(as_made, None, None).passed
    assert not complete(Predicted(None, None, 7, keys, found.dataset.table), None, None).passed
    moved = pa.table({"id": keys.column("id")[::-1]})
    assert not complete(Predicted(None, None, len(user_rows()), moved, found.dataset.table), None, None).passed


def test_a_refusal_says_what_was_found(regression):
    with pytest.raises(PredictionsRefusedError, match="predictions_finite: 60 of 120 rows, the first in row 1"):
        require_good(scored(forced(regression, [np.nan, 900.0])).checks, where="test")


def test_a_model_of_an_earlier_version_has_nothing_to_compare_with(regression):
    old = type(regression)(
        regression.estimator, regression.manifest.model_copy(update={"reference": None}), regression.input_example
    )
    assert not failed(old)


def test_the_reference_is_stored(classes):
    stored = json.loads(classes.manifest.model_dump_json())["reference"]
    assert sum(stored["shares"]) == pytest.approx(1)
    assert stored["present"]


@pytest.mark.parametrize("family", ["logistic_regression", "lightgbm", "random_forest", "hist_gradient_boosting"])
def test_labels_are_those_of_a_second_pass(family):
    model = fitted(family=family, steps=False)
    features = Predictor(model).model.input_example
    found = predict(model.estimator, features, model.manifest.classes, model.manifest.task)
    assert found.labels.tolist() == model.estimator.predict(features).tolist()
