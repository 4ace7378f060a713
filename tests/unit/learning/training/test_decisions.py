"""Calibration and threshold: found on training rows by fits that did not learn from them, applied to every fit."""

from dataclasses import replace

import numpy as np
import pytest

from assay.errors import LearningError
from assay.learning.estimators.decisions import corrected, decision_of, undecided
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.evaluation.predictions import predict
from assay.learning.evaluation.thresholds import best_threshold
from assay.learning.final_fit import final_fit
from assay.learning.out_of_fold import out_of_fold
from assay.learning.persistence import load_model, save_model
from assay.learning.reproduction import different_predictions, rebuilt
from assay.promotion.model_card import render
from assay.results.recalibration import Recalibration
from assay.specs.training_options import ThresholdSpec

COSTS = {"cost": {"false_positive": 1.0, "false_negative": 5.0}}
BOTH = {"class_weight": "balanced", "calibration": "sigmoid", "threshold": COSTS}
METRICS = ["accuracy", "balanced_accuracy", "f1", "matthews_corrcoef"]


@pytest.fixture
def fit(make_split, make_spec, make_best):
    """Return a function that makes both fits by options of training; gives model, split and spec."""

    def fit(training, split=None, base=None, family="logistic_regression", task="binary_classification", **model):
        spec = make_spec(task, training=training, model=model or {"candidates": [family]})
        split = split or make_split(task, columns=("signal", "noise"))
        trees = {"n_estimators": 5} if family == "lightgbm" else {}
        return final_fit(split, make_best(family, **trees), spec, base, refits=True), split, spec

    return fit


@pytest.mark.parametrize("metric", METRICS)
def test_the_threshold_is_the_best_of_all_that_label_rows_differently(metric):
    from sklearn import metrics

    draw = np.random.default_rng(1)
    scores = draw.integers(1, 40, 300) / 40
    positive = draw.random(300) < scores**2
    score = getattr(metrics, {"f1": "f1_score", "matthews_corrcoef": metric}.get(metric, f"{metric}_score"))
    asked = ThresholdSpec(metric=metric)
    values = {each: score(positive, scores >= each) for each in np.r_[np.unique(scores), 1.1]}
    assert score(positive, scores >= best_threshold(positive, scores, asked)) == pytest.approx(max(values.values()))


def test_dear_misses_lower_the_threshold_to_the_costs_ratio():
    draw = np.random.default_rng(2)
    scores = draw.random(40_000)
    positive = draw.random(40_000) < scores
    asked = ThresholdSpec.model_validate(COSTS)
    assert best_threshold(positive, scores, asked) == pytest.approx(1 / 6, abs=0.03), "Elkan 2001: fp / (fp + fn)"


@pytest.mark.parametrize("labelled", [True, False])
def test_one_label_for_all_rows_has_a_threshold(labelled):
    found = best_threshold(np.full(4, labelled), np.array([0.1, 0.2, 0.3, 0.4]), ThresholdSpec(metric="accuracy"))
    assert (found < 0.1) if labelled else (found > 0.4)


def test_labels_go_by_the_threshold_and_probabilities_do_not_change(fit):
    plain, split, _ = fit({})
    model, _, _ = fit({"threshold": 0.2})
    shares = model.estimator.predict_proba(split.holdout.features)
    np.testing.assert_array_equal(shares, plain.estimator.predict_proba(split.holdout.features))
    expected = np.where(shares[:, 1] >= 0.2, "yes", "no")
    np.testing.assert_array_equal(model.estimator.predict(split.holdout.features), expected)
    found = predict(model.estimator, split.holdout.features, ("no", "yes"), model.manifest.task)
    np.testing.assert_array_equal(found.labels, expected)
    assert model.manifest.options.threshold == 0.2


def test_the_threshold_is_found_on_predictions_of_fits_without_the_rows(fit, make_best):
    model, split, spec = fit({"threshold": {"metric": "f1"}}, family="lightgbm")
    crossed = out_of_fold(split, make_best("lightgbm", n_estimators=5), spec, ("no", "yes"))
    assert sorted(crossed.rows) == list(range(240))
    truth = split.train.target.to_numpy()[crossed.rows] == "yes"
    assert model.manifest.options.threshold == best_threshold(
        truth, crossed.predictions.probabilities[:, 1], spec.training.threshold
    )
    own = model.evaluated.estimator.predict_proba(split.train.features)[crossed.rows]
    assert not np.allclose(own, crossed.predictions.probabilities), "the model has learned from these rows"


def test_the_holdout_has_no_say(fit, make_split):
    split = make_split(columns=("signal", "noise"))
    flipped = replace(split, holdout=replace(split.holdout, target=split.holdout.target[::-1].reset_index(drop=True)))
    one, other = (fit(BOTH, each)[0] for each in (split, flipped))
    assert one.manifest.options == other.manifest.options
    rows = split.holdout.features
    np.testing.assert_array_equal(
        one.evaluated.estimator.predict_proba(rows), other.evaluated.estimator.predict_proba(rows)
    )


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_calibration_undoes_what_class_weights_do_to_probabilities(method, fit, make_split):
    split = make_split(train=1200, holdout=800, columns=("signal", "noise"))
    rare = np.flatnonzero((split.train.target == "no") | (np.arange(1200) % 8 == 0))
    split = replace(split, train=split.train.take(rare))
    weighted, _, _ = fit({"class_weight": "balanced"}, split)
    calibrated, _, _ = fit({"class_weight": "balanced", "calibration": method}, split)
    share = float((split.train.target == "yes").mean())
    stated = [
        each.evaluated.estimator.predict_proba(split.train.features)[:, 1].mean() for each in (weighted, calibrated)
    ]
    assert stated[0] > share + 0.1
    assert stated[1] == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("lightgbm", "binary_classification"),
        ("vote", "binary_classification"),
        ("lightgbm", "multiclass_classification"),
    ],
)
def test_a_decided_model_is_stored_and_made_again_bit_for_bit(family, task, fit, tmp_path):
    training = BOTH if task[0] == "b" else {"class_weight": "balanced", "calibration": "isotonic"}
    members = {"vote": ["logistic_regression", "dummy"]} if family == "vote" else {}
    model, split, spec = fit(training, family=family, task=task, **members)
    save_model(model, tmp_path)
    loaded, again = load_model(tmp_path), rebuilt(model, split, spec, None)
    assert different_predictions(model, loaded, split.holdout.features, 1) == 0
    assert different_predictions(model, again, split.holdout.features, 1) == 0
    assert loaded.manifest.options == again.manifest.options == model.manifest.options


def test_both_fits_have_the_same_decision(fit):
    model, _, _ = fit(BOTH, family="lightgbm")
    own, evaluated = decision_of(model.estimator), decision_of(model.evaluated.estimator)
    assert own.threshold == evaluated.threshold == model.manifest.options.threshold
    corrections = [each.calibrated.calibrated_classifiers_[0].calibrators for each in (own, evaluated)]
    assert corrections[0][0] is corrections[1][0]
    assert undecided(model.estimator[-1]) is not undecided(model.evaluated.estimator[-1])


def test_a_continued_fit_keeps_calibration_and_threshold_of_its_base(fit, make_split):
    training = {**BOTH, "scenario": "incremental"}
    base, _, _ = fit(training)
    later, split, _ = fit(training, make_split(seed=5, columns=("signal", "noise")), base)
    assert later.manifest.scenario_applied == "incremental"
    assert later.manifest.options == base.manifest.options
    rows = split.holdout.features
    assert not np.array_equal(later.estimator.predict_proba(rows), base.estimator.predict_proba(rows))
    with pytest.raises(LearningError, match="other training options") as refused:
        fit({"scenario": "incremental"}, split, base)
    assert "calibration: sigmoid" in refused.value.found


def test_a_given_threshold_can_change_in_a_continued_fit(fit, make_split):
    base, _, _ = fit({"threshold": 0.3, "scenario": "incremental"})
    later, _, _ = fit(
        {"threshold": 0.6, "scenario": "incremental"}, make_split(seed=5, columns=("signal", "noise")), base
    )
    assert decision_of(later.estimator).threshold == later.manifest.options.threshold == 0.6


def test_the_report_says_what_calibration_and_threshold_change(fit):
    model, split, spec = fit(BOTH)
    plain, _, plain_spec = fit({"class_weight": "balanced"})
    report, before = evaluate(model, split, spec), evaluate(plain, split, plain_spec)
    assert report.decision.as_fitted == before.metrics
    counts = report.decision.counts
    assert counts.true_positives / (counts.true_positives + counts.false_negatives) == report.metrics["recall"]
    assert counts.true_positives / (counts.true_positives + counts.false_positives) == report.metrics["precision"]
    assert sum(counts.model_dump().values()) == 160
    assert report.decision.cost == (counts.false_positives + 5 * counts.false_negatives) / 160
    assert report.decision.cost < report.decision.cost_as_fitted
    changed = {name for name, _, _ in report.decision.changed(report.metrics)}
    assert {"log_loss", "recall", "cost per row"} <= changed
    assert "roc_auc" not in changed, "a sigmoid keeps the order"
    card = render(model, report, None, spec)
    assert "| probabilities calibrated by | sigmoid |" in card
    assert f"Labels from a probability of {model.manifest.options.threshold:.4g}:" in card
    assert before.decision is None


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification"])
def test_the_correction_that_a_search_found_is_the_models(task, make_split, make_spec, make_best, tmp_path):
    split = make_split(task, columns=("signal", "noise"))
    curves = ((-0.5, 0.3),) if task[0] == "b" else ((-0.5, 0.3), (-0.8, 0.0), (-2.0, 0.1))
    found = Recalibration(curves=curves, log_loss_before=0.9, log_loss_after=0.6)
    plain, best = make_best("lightgbm", n_estimators=5), make_best("lightgbm", n_estimators=5)
    best = best.model_copy(update={"recalibration": found})
    spec = make_spec(task, model={"candidates": ["lightgbm"]})
    bare, model = (final_fit(split, each, spec, None, refits=True) for each in (plain, best))
    rows = split.holdout.features
    for had, has in ((bare.estimator, model.estimator), (bare.evaluated.estimator, model.evaluated.estimator)):
        expected = corrected(had.predict_proba(rows), curves, np.asarray(has.classes_))
        np.testing.assert_allclose(has.predict_proba(rows), expected, rtol=1e-12)
    assert model.manifest.options.recalibration == found
    save_model(model, tmp_path)
    assert different_predictions(model, load_model(tmp_path), rows, 1) == 0
    assert different_predictions(model, rebuilt(model, split, spec, None), rows, 1) == 0
    report = evaluate(model, split, spec)
    assert report.decision.as_fitted == evaluate(bare, split, spec).metrics
    card = render(model, report, None, spec)
    assert "| probabilities calibrated by | a sigmoid that the search found |" in card


def test_a_correction_is_left_out_where_the_file_says_by_now_how_probabilities_are_to_be(
    make_split, make_spec, make_best
):
    split = make_split(columns=("signal", "noise"))
    found = Recalibration(curves=((-0.5, 0.3),), log_loss_before=0.9, log_loss_after=0.6)
    best = make_best("logistic_regression").model_copy(update={"recalibration": found})
    model = final_fit(split, best, make_spec(training={"threshold": 0.3}), None, refits=True)
    assert decision_of(model.estimator).calibrated is None
    assert model.manifest.options.recalibration is None


def test_a_continued_fit_keeps_the_correction_of_its_base(fit, make_split, make_spec, make_best):
    split = make_split(columns=("signal", "noise"))
    found = Recalibration(curves=((-0.5, 0.3),), log_loss_before=0.9, log_loss_after=0.6)
    best = make_best("logistic_regression").model_copy(update={"recalibration": found})
    base = final_fit(split, best, make_spec(model={"candidates": ["logistic_regression"]}), None, refits=True)
    later, _, _ = fit({"scenario": "incremental"}, make_split(seed=5, columns=("signal", "noise")), base)
    assert later.manifest.scenario_applied == "incremental"
    assert later.manifest.options.recalibration == found
    assert decision_of(later.estimator).calibrated is not None


def test_a_model_without_probabilities_is_refused(fit):
    with pytest.raises(LearningError, match="no predict_proba"):
        fit({"threshold": 0.3}, family="sklearn.svm:LinearSVC")
