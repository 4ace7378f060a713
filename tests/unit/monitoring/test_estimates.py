"""Estimates of a metric without labels: near the true value under a change of the features, and only a warning."""

import numpy as np
import pandas as pd
import pytest
from monitoring_world import Logistic, numbers, performances, pipeline, reference, rows, window

from assay.learning.splitting import LabelledRows


def estimated(spec, holdout, now, value):
    champion = reference(spec, holdout, holdout, value=value)
    [report] = performances(spec, champion, [window(now)])
    return report


def of_classes(metric="roc_auc", max_loss=0.02):
    return pipeline(evaluation={"primary_metric": metric}, monitoring={"performance": {"max_loss": max_loss}})


def of_numbers(metric="mae", max_loss=0.3):
    performance = {"performance": {"max_loss": max_loss}}
    return pipeline("regression", evaluation={"primary_metric": metric}, monitoring=performance)


@pytest.mark.parametrize(("metric", "value", "shift"), [
    ("roc_auc", 0.86, 0.0), ("roc_auc", 0.86, 1.0), ("accuracy", 0.78, 1.0), ("f1", 0.78, 1.0), ("log_loss", 0.46, 1.0),
])  # fmt: skip
def test_cbpe_is_near_the_metric_that_labels_give(metric, value, shift):
    draw = np.random.default_rng(1)
    holdout = rows(draw, 2500)
    measured = estimated(of_classes(metric), holdout, holdout, value).value_now
    report = estimated(of_classes(metric), holdout, rows(draw, 2500, shift=shift), measured)
    assert report.estimate.method == "CBPE"
    assert report.estimate.value == pytest.approx(report.value_now, abs=0.03)
    assert report.estimate.lower < report.value_now < report.estimate.upper


@pytest.mark.parametrize(
    ("metric", "value", "shift"),
    [
        ("mae", 1.04, 0.0),
        pytest.param("mae", 1.04, 1.0, marks=pytest.mark.full),
        pytest.param("rmse", 1.4, 0.0, marks=pytest.mark.full),
        ("rmse", 1.4, 1.0),
    ],
)
def test_dle_is_near_the_metric_that_labels_give(metric, value, shift):
    draw = np.random.default_rng(1)
    holdout = numbers(draw, 4000)
    measured = estimated(of_numbers(metric), holdout, holdout, value).value_now
    report = estimated(of_numbers(metric), holdout, numbers(draw, 4000, shift=shift), measured)
    assert report.estimate.method == "DLE"
    assert report.estimate.value == pytest.approx(report.value_now, rel=0.1)
    assert report.value_now > 1.2 * measured or not shift


def test_the_interval_of_dle_knows_that_few_rows_taught_it_what_a_shift_brings():
    """By one model of the error the interval ends at 1.687, where labels show 1.723."""
    draw = np.random.default_rng(0)
    report = estimated(of_numbers(), numbers(draw, 2000), numbers(draw, 2000, shift=1.5), 1.04)
    assert report.estimate.lower < report.value_now < report.estimate.upper


def test_an_estimated_loss_warns_and_raises_no_alarm():
    draw = np.random.default_rng(1)
    holdout, now = numbers(draw, 4000), numbers(draw, 4000, shift=1.5)
    champion = reference(of_numbers(), holdout, holdout, value=1.04)
    [report] = performances(of_numbers(), champion, [window(now, unknown=True)])
    assert report.estimate.warning
    assert report.estimate.share_worse > 0.99
    assert (report.alarm, report.degraded, report.training_due) == (False, False, False)


def test_no_change_is_no_warning():
    draw = np.random.default_rng(1)
    report = estimated(of_classes(), rows(draw, 2000), rows(draw, 2000), 0.86)
    assert not report.estimate.warning
    assert abs(report.estimate.loss) < 0.02


def test_probabilities_are_calibrated_first():
    """The champion's own probabilities promise an accuracy of .93, its holdout shows .78."""

    class Overconfident(Logistic):
        def predict_proba(self, features):
            return super().predict_proba(features.assign(x=5 * features["x"]))

    draw, spec = np.random.default_rng(1), of_classes("accuracy")
    holdout, now = rows(draw, 2500), rows(draw, 2500, shift=2.0)
    champion = reference(spec, holdout, holdout, value=0.78)
    champion.model.estimator = Overconfident()
    [report] = performances(spec, champion, [window(now)])
    assert report.estimate.value == pytest.approx(report.value_now, abs=0.03)


def test_shifted_rows_are_not_promised_too_much():
    """By isotonic regression of single rows the mean is 0.340: its ends are sure of what few rows show."""
    draw, spec = np.random.default_rng(1), of_classes("log_loss")
    made = [estimated(spec, rows(draw, 2000), rows(draw, 2000, shift=1.0), 0.458).estimate.value for _ in range(6)]
    assert np.mean(made) == pytest.approx(0.361, abs=0.012)


def test_categories_tell_the_size_of_errors():
    draw = np.random.default_rng(1)

    def made(noisy_share):
        noisy = draw.random(3000) < noisy_share
        frame = pd.DataFrame({"x": draw.normal(size=3000), "category": np.where(noisy, "noisy", "clean")}, dtype=object)
        frame["x"] = frame["x"].astype(float)
        error = np.where(noisy, 3.0, 0.3) * draw.normal(size=3000)
        return LabelledRows(frame, pd.Series(3 * frame["x"] + error, name="y"))

    spec = of_numbers()
    report = estimated(spec, made(0.1), made(0.6), 0.45)
    assert report.estimate.value == pytest.approx(report.value_now, rel=0.15)
    assert report.estimate.warning


@pytest.mark.parametrize("holdout_rows", [50, 150])
def test_a_small_holdout_gives_no_estimate(holdout_rows):
    draw = np.random.default_rng(1)
    report = estimated(of_classes(), rows(draw, holdout_rows), rows(draw, 500), 0.86)
    assert (report.estimate is None) is (holdout_rows < 100)


def test_estimates_can_be_switched_off():
    draw, off = np.random.default_rng(1), pipeline(monitoring={"performance": {"max_loss": 0.1, "estimate": False}})
    assert estimated(off, rows(draw, 500), rows(draw, 500), 0.86).estimate is None
