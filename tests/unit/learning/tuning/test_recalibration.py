"""Badly calibrated probabilities are corrected where that is shown on other rows, and only there."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from assay.learning.estimators.decisions import LogOdds, corrected, sigmoid_curves
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.blending import Finished, ValidationRows, predicted_by
from assay.learning.tuning.candidates import may_recalibrate
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.recalibration import recalibrated
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.trials import Measurement
from assay.learning.tuning.workers import TrialInputs

ROWS = 600
LABELS = np.array(["no", "yes"], dtype=object)


def truth_of(odds, seed=0):
    return pd.Series(LABELS[(np.random.default_rng(seed).random(len(odds)) < expit(odds)).astype(int)], name="y")


@pytest.fixture
def outcome(make_spec, features, make_best):
    """Return what becomes of a trial that predicted positive rows with given log-odds."""

    def run(said, target, **parts):
        spec = make_spec("binary_classification", **parts)
        frame = pd.DataFrame({"a": said, "b": said})
        rows = LabelledRows(frame, target)
        inputs = TrialInputs(rows, features, make_folds(target, spec, None), ("no", "yes"), spec)
        order = np.concatenate([fold.validation for fold in inputs.first_folds])
        shares = expit(np.asarray(said))[order]
        measured = Measurement("complete", value=0.7, predicted=np.column_stack([1 - shares, shares]))
        best = make_best("lightgbm").model_copy(update={"value": 0.7, "searched": True})
        return recalibrated(best, [Finished(0.7, 0, "lightgbm", {}, measured)], inputs)

    return run


@pytest.mark.parametrize("exaggeration", [3.0, 0.3])
def test_exaggerated_and_timid_probabilities_are_corrected(outcome, exaggeration):
    odds = np.random.default_rng(1).normal(size=ROWS)
    best = outcome(exaggeration * odds, truth_of(odds))
    ((slope, intercept),) = best.recalibration.curves
    assert -slope == pytest.approx(1 / exaggeration, rel=0.25)
    assert intercept == pytest.approx(0, abs=0.3)
    found = best.recalibration
    assert found.log_loss_after < 0.98 * found.log_loss_before
    assert found.in_words == (
        f"probabilities are corrected by a sigmoid, which lowers the log loss of validation rows from "
        f"{found.log_loss_before:.4g} to {found.log_loss_after:.4g}"
    )


def test_good_probabilities_stay(outcome):
    odds = np.random.default_rng(1).normal(size=ROWS)
    assert outcome(odds, truth_of(odds)).recalibration is None


def test_a_small_gain_is_not_worth_a_correction(outcome):
    odds = np.random.default_rng(1).normal(size=60 * ROWS)
    assert outcome(1.2 * odds, truth_of(odds)).recalibration is None, "beyond noise, but less than 2 %"


def test_a_correction_never_costs_the_primary_metric(outcome):
    clear = np.repeat([-1.0, 1.0, -30.0], [ROWS, ROWS, 40]) + np.random.default_rng(1).normal(0, 0.1, 2 * ROWS + 40)
    target = pd.Series(np.repeat(["no", "yes", "yes"], [ROWS, ROWS, 40]), name="y", dtype=object)
    by_labels = {"evaluation": {"primary_metric": "accuracy"}}
    assert outcome(clear, target).recalibration is not None, "the order of the rows does not change"
    assert outcome(clear, target, **by_labels).recalibration is None, "most negative rows would be labelled positive"


def test_a_class_with_few_rows_has_no_sigmoid(outcome):
    odds = np.full(ROWS, 3.0) + np.random.default_rng(1).normal(size=ROWS)
    target = pd.Series(np.where(np.arange(ROWS) % 60 == 0, "yes", "no"), name="y", dtype=object)
    assert outcome(odds, target).recalibration is None
    more = pd.Series(np.where(np.arange(ROWS) % 20 == 0, "yes", "no"), name="y", dtype=object)
    assert outcome(odds, more).recalibration is not None


@pytest.mark.parametrize(
    ("task", "parts", "expected"),
    [
        ("binary_classification", {}, True),
        ("multiclass_classification", {}, True),
        ("regression", {}, False),
        ("binary_classification", {"tuning": {"recalibrate": False}}, False),
        ("binary_classification", {"training": {"scenario": "incremental"}}, False),
        ("binary_classification", {"training": {"calibration": "isotonic"}}, False),
        ("binary_classification", {"training": {"class_weight": "balanced"}}, False),
        ("binary_classification", {"training": {"threshold": 0.3}}, False),
    ],
)
def test_what_the_file_says_of_probabilities_stays(make_spec, task, parts, expected):
    assert may_recalibrate(make_spec(task, **parts)) is expected


def test_the_search_ends_with_the_correction_of_its_model(make_spec, features):
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"a": random.normal(size=ROWS), "b": random.normal(size=ROWS)})
    rows = LabelledRows(frame, truth_of(frame["a"]))
    model = {"candidates": ["lightgbm", "dummy"], "hyperparameters": {"lightgbm": {"n_estimators": 300}}}
    tuning = {"n_trials": 2, "default_space": False}
    found = {
        asked: find_best_hyperparameters(
            rows,
            make_spec("binary_classification", model=model, tuning={**tuning, "recalibrate": asked}),
            features=features,
            groups=None,
            classes=("no", "yes"),
        )
        for asked in (True, False)
    }
    assert found[False].recalibration is None
    assert found[True].family == "lightgbm"
    assert found[True].recalibration.log_loss_after < 0.9 * found[True].recalibration.log_loss_before
    assert found[True].model_validate_json(found[True].model_dump_json()) == found[True]


@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1), ("a", "b", "c"), (1, 2, 3)])
def test_known_probabilities_are_corrected_as_the_stored_model_does(labels):
    draw = np.random.default_rng(2)
    rows = pd.DataFrame({"a": draw.normal(size=300), "b": draw.normal(size=300)})
    classes = np.array(labels, dtype=object if isinstance(labels[0], str) else None)
    target = classes[(np.digitize(rows["a"] + draw.normal(size=300), [-0.5, 0.5]) % len(labels)).astype(int)]
    model = LogisticRegression(C=100).fit(rows, target)
    shares = model.predict_proba(rows) ** 3
    shares /= shares.sum(axis=1, keepdims=True)
    curves = sigmoid_curves(shares, target, classes, None)
    again = corrected(shares, curves, classes)
    assert again.sum(axis=1) == pytest.approx(1)
    assert len(curves) == (1 if len(labels) == 2 else 3)
    if len(labels) == 2:
        slope, intercept = curves[0]
        assert again[:, 1] == pytest.approx(expit(-(slope * logit(shares[:, 1]) + intercept)))
    reference = CalibratedClassifierCV(FrozenEstimator(LogOdds(model)), method="sigmoid").fit(rows, target)
    plain = sigmoid_curves(model.predict_proba(rows), target, classes, None)
    assert corrected(model.predict_proba(rows), plain, classes) == pytest.approx(
        reference.predict_proba(rows), abs=0.02
    )


def test_an_average_is_judged_by_its_weights(make_best):
    shares = {"lightgbm": np.array([[0.9, 0.1], [0.2, 0.8]]), "knn": np.array([[0.5, 0.5], [0.6, 0.4]])}
    finished = [
        Finished(0.7, number, name, {}, Measurement("complete", value=0.7, predicted=each))
        for number, (name, each) in enumerate(shares.items())
    ]
    rows = ValidationRows(np.array(["no", "yes"], dtype=object), ("no", "yes"), None, None, None)
    best = make_best("vote", **{"weight.lightgbm": 0.75, "weight.knn": 0.25})
    average = predicted_by(best.model_copy(update={"ensemble_gain": 0.1}), finished, rows)
    assert average.probabilities == pytest.approx(0.75 * shares["lightgbm"] + 0.25 * shares["knn"])
    assert predicted_by(make_best("knn"), finished, rows).probabilities == pytest.approx(shares["knn"])
    assert predicted_by(make_best("knn", n_neighbors=3), finished, rows) is None, "another trial of the family"
    assert predicted_by(make_best("ridge"), finished, rows) is None


def test_few_good_probabilities_are_seldom_corrected(outcome):
    """The sigmoid is judged on rows on which it was not found: it always fits those that made it."""
    corrections = 0
    for seed in range(20):
        odds = np.random.default_rng(seed).normal(size=72)
        corrections += outcome(odds, truth_of(odds, seed + 100)).recalibration is not None
    assert corrections <= 1
