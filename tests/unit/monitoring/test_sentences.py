"""Each sentence about a window says what its report holds."""

import pytest

from assay.monitoring.advice import (
    compared_rows,
    compared_target,
    drift_advice,
    drift_sentence,
    labels_of,
    performance_sentence,
)
from assay.monitoring.drift import DriftReport, FeatureDrift, with_alarm
from assay.monitoring.performance import PerformanceReport
from assay.specs.operations import DriftSpec


def drifted(name, kind="feature"):
    return FeatureDrift(
        name=name, kind=kind, statistic="KS", effect=0.4, p_value=0.0, missing_before=0, missing_now=0, drifted=True
    )


def report(*names, **changes):
    facts = {
        "pipeline": "flats", "partition": "2024-03", "champion_version": "1", "reference_rows": 1000,
        "window_rows": 200, "status": "judged", "features": tuple(map(drifted, names)),
    }  # fmt: skip
    return DriftReport(**facts | changes)


def test_an_alarm_names_the_windows_in_which_each_feature_drifted(make_spec):
    rule = DriftSpec(alarm_windows=2, of_windows=3)
    earlier = [report("rent", "size", partition="2024-01"), report("rent", partition="2024-02")]
    judged = with_alarm(report("rent", "size", "year"), earlier, rule, make_spec())
    assert judged.windows == ("2024-01", "2024-02", "2024-03")
    assert drift_sentence(judged) == (
        "rent drifted in the windows 2024-01, 2024-02, 2024-03; size drifted in the windows 2024-01, 2024-03"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "rent drifted in the window 2024-03"),
        ({"drifted_in": {"rent": ("", "")}}, "rent drifted in 2 of the latest 3 windows"),
        ({"drifted_in": {}}, "rent drifted in enough of the latest 3 windows"),
    ],
)
def test_windows_without_names_are_counted(changes, sentence):
    facts = {"alarm_features": ("rent",), "windows": ("a", "b", "c"), "drifted_in": {"rent": ("2024-03",)}}
    assert drift_sentence(report("rent", **facts | changes)) == sentence


def test_without_an_alarm_the_sentence_says_whether_anything_drifted():
    assert drift_sentence(report()) == "no alarm: nothing drifted in this window"
    assert drift_sentence(report("rent")) == (
        "no alarm: rent drifted in this window, but in too few of the latest ones"
    )


def test_rows_that_were_trained_on_are_not_called_compared():
    trained_on = report(status="trained_on")
    assert drift_sentence(trained_on) == "not compared: the champion was trained on these rows"
    assert compared_rows(trained_on) == "200, on which the champion was trained"
    assert compared_rows(report()) == "200, compared with 1,000 training rows of the champion"


def test_a_target_that_was_not_compared_is_said_to_be_not_compared():
    target = (drifted("rent", "target"),)
    assert compared_target(report()) == "not compared"
    assert compared_target(report(features=target, target_partition="2024-01")) == "2024-01"
    assert compared_target(report(features=target, target_partition="2024-03")) == "these rows"
    assert compared_target(report(features=target, partition="")) == "these rows"


def test_advice_without_an_alarm_counts_no_windows():
    assert drift_advice(report("rent")) == (
        "wait for the next window: no feature has drifted in enough windows for an alarm"
    )


def performance(**changes):
    facts = {
        "pipeline": "flats", "partition": "2024-03", "champion_version": "1", "metric": "rmse", "rows": 200,
        "value_at_promotion": 1.0, "value_now": 1.5, "loss": 0.5,
    }  # fmt: skip
    return PerformanceReport(**facts | changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "the champion lost 0.5 of rmse"),
        ({"loss": -0.25}, "the champion gained 0.25 of rmse"),
        ({"loss": 0.0}, "the champion's rmse is as at promotion"),
        ({"degraded_by": ("loss", "calibration")}, "the champion lost 0.5 of rmse (degraded by loss, calibration)"),
        ({"loss": None, "reason": "3 rows"}, "rmse is not compared with its value at promotion: 3 rows"),
        ({"loss": None}, "rmse is not compared with its value at promotion: it has none"),
    ],
)
def test_the_performance_is_said_by_its_loss(changes, sentence):
    assert performance_sentence(performance(**changes)) == sentence


def test_labels_are_named_by_their_partition():
    assert labels_of(performance(labelled_partition="2024-01")) == "2024-01"
    assert labels_of(performance()) == "no partition"
    assert labels_of(performance(partition="")) == "all rows"
