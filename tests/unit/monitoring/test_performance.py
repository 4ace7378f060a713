"""The champion on labelled rows: loss beyond the noise of both samples, calibration, baseline, and the alarm."""

import numpy as np
import pytest
from monitoring_world import numbers, performances, pipeline, reference, rows, window

from assay.monitoring.advice import performance_advice
from assay.monitoring.performance import PerformanceReport, loss_since, with_alarm
from assay.specs.operations import PerformanceSpec

RULE = PerformanceSpec(max_loss=0.05, alarm_windows=2)
SPEC = pipeline(monitoring={"performance": {"max_loss": 0.02, "estimate": False}})


def watched(*windows, spec=SPEC, value=0.86, train=None, holdout=None):
    draw = np.random.default_rng(1)
    made = rows if spec.task.is_classification else numbers
    train = made(draw, 2000) if train is None else train
    holdout = made(draw, 2000) if holdout is None else holdout
    champion = reference(spec, train, holdout, value=value)
    return performances(spec, champion, [window(each) for each in windows])


def test_a_champion_that_holds_is_not_degraded_and_the_loss_has_an_interval():
    [report] = watched(rows(np.random.default_rng(2), 2000))
    assert not report.degraded
    assert report.loss_lower < 0 < report.loss_upper
    assert 0.03 < report.loss_upper - report.loss_lower < 0.08
    assert report.baseline_now == 0.5
    assert performance_advice(report) == "nothing"


def test_a_sure_loss_degrades():
    [report] = watched(rows(np.random.default_rng(2), 2000, reversed_from=0.9))
    assert "loss" in report.degraded_by
    assert report.alarm
    assert report.alarm_start
    assert report.share_worse > 0.99
    assert "retrain on newer rows" in performance_advice(report)


def test_the_noise_of_the_holdout_counts():
    """A window of many rows against a value that comes from a few."""
    few, many = (0.02, 10_000), (0.02, 100_000)
    assert loss_since(0.13, many, (None, 100_000), RULE)["share_worse"] > RULE.confidence
    sure = loss_since(0.09, (0.004, 100_000), (0.03, 1_000), RULE)
    assert sure["share_worse"] < RULE.confidence
    assert loss_since(0.09, (0.004, 100_000), (0.004, 100_000), RULE)["share_worse"] > RULE.confidence
    assert loss_since(0.0, few, few, RULE)["loss_lower"] == pytest.approx(-2.5758 * 0.02 * 2**0.5, rel=1e-3)


def test_a_holdout_without_a_hard_case_is_as_noisy_as_the_window():
    """A perfect value on a few rows has a bootstrap error of zero."""
    found = loss_since(0.08, (0.02, 500), (0.0, 500), PerformanceSpec(max_loss=0.02))
    assert found["share_worse"] < 0.995


def test_without_a_known_holdout_the_windows_noise_counts_for_both():
    found = loss_since(0.05, (0.02, 500), (None, 500), PerformanceSpec(max_loss=0.02))
    assert found["loss_upper"] - found["loss"] == pytest.approx(2.5758 * 0.02 * 2**0.5, rel=1e-3)


def test_probabilities_that_mean_something_else_degrade_at_the_same_ranking():
    """The share of positives rises by a third at every score; the AUC holds."""
    draw = np.random.default_rng(3)
    now = rows(draw, 4000)
    now.target[(now.target == 0) & (draw.random(4000) < 0.3)] = 1
    [report] = watched(now, spec=pipeline(monitoring={"performance": {"max_loss": 0.2, "estimate": False}}))
    assert report.degraded_by == ("calibration",)
    assert 0.1 < report.calibration.gap < 0.2
    assert report.calibration.mean_error_now - report.calibration.mean_error_before == pytest.approx(0.15, abs=0.03)
    assert "fixed threshold" in performance_advice(report)


def test_a_biased_regression_degrades_by_calibration():
    spec = pipeline("regression", monitoring={"performance": {"max_loss": 9, "estimate": False}})
    [still] = watched(numbers(np.random.default_rng(2), 2000), spec=spec, value=1.0)
    [moved] = watched(numbers(np.random.default_rng(2), 2000, bias=1.0), spec=spec, value=1.0)
    assert still.degraded_by == ()
    assert moved.degraded_by == ("calibration",)
    assert moved.calibration.gap == pytest.approx(1.0 / (2 * 3.3), abs=0.05)


@pytest.mark.parametrize("rows_now", [20, 45])
def test_too_few_rows_are_not_judged_for_calibration(rows_now):
    [report] = watched(rows(np.random.default_rng(2), rows_now))
    assert (report.calibration is None) is (rows_now < 30)


def test_a_bound_of_null_does_not_judge_calibration():
    draw = np.random.default_rng(3)
    now = rows(draw, 4000)
    now.target[(now.target == 0) & (draw.random(4000) < 0.3)] = 1
    rule = {"max_loss": 0.2, "estimate": False, "max_calibration_gap": None}
    [report] = watched(now, spec=pipeline(monitoring={"performance": rule}))
    assert report.degraded_by == ()


def test_a_champion_worse_than_the_baseline_alarms_at_once():
    """Whatever `alarm_windows` says."""
    rule = {"max_loss": 0.02, "estimate": False, "alarm_windows": 3, "max_calibration_gap": None}
    spec = pipeline(monitoring={"performance": rule})
    draw = np.random.default_rng(2)
    [poor] = watched(rows(draw, 500, reversed_from=0.5), spec=spec)
    [worse] = watched(rows(draw, 500, reversed_from=-0.5), spec=spec)
    assert (poor.degraded_by, poor.alarm) == (("loss",), False)
    assert (worse.degraded_by, worse.alarm, worse.alarm_start) == (("loss", "baseline"), True, True)
    assert "roll back" in performance_advice(worse)


def test_a_champion_that_was_hardly_better_than_the_baseline_is_not_sure_to_be_worse():
    rule = {"max_loss": 0.02, "estimate": False, "max_calibration_gap": None}
    now = rows(np.random.default_rng(2), 200)
    now.target[:] = np.random.default_rng(4).integers(0, 2, 200)
    [report] = watched(now, spec=pipeline(monitoring={"performance": rule}), value=0.52)
    assert report.value_now < report.baseline_now
    assert "baseline" not in report.degraded_by


def test_more_of_an_own_error_is_a_loss_and_less_is_none():
    rule = {"max_loss": 0.3, "estimate": False, "max_calibration_gap": None, "alarm_windows": 1}
    own = {"primary_metric": {"path": "sklearn.metrics:mean_absolute_error", "greater_is_better": False}}
    spec = pipeline("regression", evaluation=own, monitoring={"performance": rule})
    draw = np.random.default_rng(3)
    error = 1.05  # of `numbers` at promotion: the mean of |z| (0.5 + |x|)
    [same, more, worst] = watched(
        numbers(draw, 1500), numbers(draw, 1500, bias=2.0), numbers(draw, 1500, bias=9.0), spec=spec, value=error
    )
    [less] = watched(numbers(draw, 1500), spec=spec, value=error + 2)
    assert [report.degraded_by for report in (same, more, less)] == [(), ("loss",), ()]
    assert more.loss == pytest.approx(more.value_now - error)
    assert less.loss < -1.5
    assert worst.degraded_by == ("loss", "baseline")


def test_rows_that_the_champion_learned_from_are_measured_and_not_judged():
    draw = np.random.default_rng(1)
    champion = reference(SPEC, rows(draw, 500), rows(draw, 500), value=0.9)
    [report] = performances(SPEC, champion, [window(rows(draw, 500, reversed_from=-9), trained_on=True)])
    assert report.value_now < 0.3
    assert (report.loss, report.degraded) == (None, False)


def test_without_labels_there_is_an_estimate_and_no_verdict():
    spec = pipeline(monitoring={"performance": {"max_loss": 0.02}})
    draw = np.random.default_rng(1)
    champion = reference(spec, rows(draw, 500), rows(draw, 2000), value=0.86)
    [report] = performances(spec, champion, [window(rows(draw, 500), "2021-03", unknown=True)])
    assert (report.rows, report.value_now, report.reason) == (0, None, "no labelled rows yet")
    assert report.estimate.partition == "2021-03"


def degraded_window(degraded, version="1"):
    return PerformanceReport(
        pipeline="demo",
        partition="",
        champion_version=version,
        metric="roc_auc",
        rows=100,
        value_at_promotion=0.8,
        value_now=0.7,
        degraded=degraded,
    )


def after(windows):
    earlier = []
    for each in windows:
        earlier.append(with_alarm(each, earlier, RULE, SPEC))
    return [(each.alarm, each.alarm_start) for each in earlier]


@pytest.mark.parametrize(
    ("degraded", "last"),
    [
        ([True], (False, False)),
        ([True, True], (True, True)),
        ([True, False, True], (False, False)),
        ([True, True, True], (True, False)),  # the alarm lasts and does not start again
        ([True, True, False, True, True], (True, True)),
    ],
)
def test_an_alarm_needs_consecutive_degraded_windows_and_starts_once(degraded, last):
    assert after([degraded_window(each) for each in degraded])[-1] == last


def test_windows_of_another_champion_do_not_count():
    assert after([degraded_window(degraded=True), degraded_window(degraded=True, version="2")])[-1] == (False, False)


def test_a_window_without_labels_does_not_end_an_alarm():
    unlabelled = degraded_window(degraded=False).model_copy(update={"rows": 0})
    bad = degraded_window(degraded=True)
    assert after([bad, bad, unlabelled, bad])[-1] == (True, False)
