"""Drift of features, predictions and target: significant and beyond a bound, in several windows."""

import numpy as np
import pandas as pd
import pytest
from monitoring_world import Logistic, drifts, numbers, pipeline, reference, rows, unlabelled, window

from assay.errors import DataContractError
from assay.monitoring.advice import drift_advice, drift_table
from assay.monitoring.drift import PREDICTIONS, DriftReport, FeatureDrift, with_alarm
from assay.specs.operations import DriftSpec

SPEC = pipeline("regression")
RULE = DriftSpec()


def frame(rows, seed, shift=0.0):
    draw = np.random.default_rng(seed)
    return pd.DataFrame({"x": draw.normal(size=rows) + shift, "z": draw.normal(size=rows)})


def found(before, now, spec=SPEC, season=None, **roles):
    season = None if season is None else unlabelled(season)
    champion = reference(spec, unlabelled(before), **roles)
    [report] = drifts(spec, champion, [window(unlabelled(now), season=season)])
    return report


def aspects(report, name):
    [feature] = [each for each in report.features if each.name == name]
    return {change.aspect for change in feature.changes if change.drifted}


def test_a_shift_is_found_where_it_is_and_comes_first():
    report = found(frame(5000, 1), frame(500, 2, shift=0.5))
    assert report.drifted == ("x",)
    assert report.features[0].name == "x"
    assert 0.1 < report.features[0].effect < 0.3


def test_a_difference_that_is_sure_but_small_does_not_count():
    report = found(frame(100_000, 1), frame(100_000, 2, shift=0.05))
    assert report.features[0].p_value < 1e-6
    assert report.drifted == ()


def test_categories_are_compared_by_their_shares():
    before = pd.DataFrame({"category": ["nurse", "pilot", "baker"] * 300})
    report = found(before, pd.DataFrame({"category": ["nurse"] * 480 + ["pilot"] * 210 + ["baker"] * 210}))
    assert aspects(report, "category") == {"distribution"}
    assert report.features[0].effect == pytest.approx(0.2)


def column(name, missing, rows=10_000):
    values = {"x": np.linspace(0, 1, rows), "flag": np.arange(rows) % 2.0, "category": list("abcd") * (rows // 4)}
    made = pd.Series(values[name], dtype=object if name == "category" else np.float64)
    return pd.DataFrame({name: made.where(np.arange(rows) >= missing * rows, None)})


@pytest.mark.parametrize("name", ["x", "flag", "category"])
@pytest.mark.parametrize(("before", "now", "drifted"), [(0, 0.09, True), (0.2, 0.29, True), (0.2, 0.22, False), (0, 0.005, False)])  # fmt: skip
def test_more_missing_values_are_drift(name, before, now, drifted):
    report = found(column(name, before), column(name, now))
    assert ("missing" in aspects(report, name)) is drifted
    assert report.features[0].missing_now == pytest.approx(now)


def test_a_feature_whose_values_are_gone_has_drifted():
    now = frame(200, 2)
    now["x"] = np.nan
    report = found(frame(500, 1), now)
    assert report.drifted == ("x",)
    assert report.features[0].missing_now == 1.0


def share(of_ones, rows=10_000):
    return pd.DataFrame({"flag": (np.arange(rows) < of_ones * rows).astype(np.float64)})


@pytest.mark.parametrize(("before", "now", "drifted"), [
    (0.30, 0.39, True), (0.01, 0.03, True), (0.30, 0.33, False), (0, 0.02, True), (0.99, 0.96, True),
])  # fmt: skip
def test_the_share_of_a_flag_has_a_bound_of_its_own(before, now, drifted):
    report = found(share(before), share(now))
    assert (aspects(report, "flag") == {"rate"}) is drifted


def test_new_categories_have_a_bound_of_their_own():
    known = pd.DataFrame({"category": ["a", "b", "c"] * 3000 + ["rare"] * 100})
    some = pd.DataFrame({"category": ["a", "b", "c"] * 3030 + ["new"] * 910})
    few = pd.DataFrame({"category": ["a", "b", "c"] * 3300 + ["new"] * 100})
    assert aspects(found(known, some), "category") == {"new_categories"}
    assert found(known, few).drifted == ()


def test_categories_that_are_always_new_are_expected():
    draw = np.random.default_rng(1)
    before, now = (pd.DataFrame({"category": draw.zipf(1.3, 5000).astype(str)}) for _ in range(2))
    report = found(before, now)
    [new] = [change for change in report.features[0].changes if change.aspect == "new_categories"]
    assert new.now > 0.1
    assert not report.drifted


@pytest.mark.parametrize(("bound", "aspect"), [("missing_effect", "missing"), ("flag_effect", "rate"), ("new_categories", "new_categories")])  # fmt: skip
def test_a_bound_of_null_is_not_watched(bound, aspect):
    spec = pipeline("regression", monitoring={"drift": {bound: None}})
    data = pd.DataFrame({"category": ["a", "b"] * 500})
    now = pd.DataFrame({"category": ["a"] * 300 + ["new"] * 300 + [None] * 400})
    assert aspect not in {change.aspect for change in found(data, now, spec).features[0].changes}
    assert aspect in {change.aspect for change in found(data, now).features[0].changes}


def test_the_share_of_the_target_is_watched():
    """The positive rate went from .24 to .57 without an alarm."""
    spec, features = pipeline(), frame(2000, 1)
    train, now = unlabelled(features), unlabelled(frame(2000, 2))
    train.target[:480], now.target[:1140] = 1, 1
    report = drifts(spec, reference(spec, train), [window(now)])[0]
    assert report.drifted == ("y",)
    assert report.features[0].kind == "target"
    [change] = [each for each in report.features[0].changes if each.aspect == "rate"]
    assert (change.before, change.now) == (0.24, 0.57)


def test_the_target_of_numbers_is_watched():
    draw = np.random.default_rng(1)
    train, now = numbers(draw, 2000), numbers(draw, 2000, bias=2)
    assert drifts(SPEC, reference(SPEC, train), [window(now)])[0].drifted == ("y",)


def test_a_target_that_is_not_known_yet_is_not_compared():
    draw = np.random.default_rng(1)
    report = drifts(SPEC, reference(SPEC, numbers(draw, 500)), [window(numbers(draw, 500, bias=9), unknown=True)])[0]
    assert report.drifted == ()
    assert "target" not in {feature.kind for feature in report.features}


def test_predictions_are_compared_with_those_of_the_holdout():
    """Two features that each move a little can move what the champion predicts a lot."""
    spec, draw = pipeline(monitoring={"drift": {"min_effect": 0.2, "columns": ["z"]}}), np.random.default_rng(1)
    train, holdout, now = rows(draw, 3000), rows(draw, 2000), rows(draw, 2000, shift=1)
    for each in (train, holdout, now):
        each.features["z"] = draw.normal(size=len(each.features))
    report = drifts(spec, reference(spec, train, holdout), [window(now, unknown=True)])[0]
    assert report.drifted == (PREDICTIONS,)
    assert report.features[0].kind == "prediction"
    assert "several that move together" in drift_advice(report)


def test_predicted_classes_are_compared_where_there_are_three():
    class Three(Logistic):
        def predict(self, features):
            return np.digitize(features["x"], [-1, 1])

        def predict_proba(self, features):
            return np.eye(3)[self.predict(features)]

    spec, draw = pipeline("multiclass_classification", monitoring={"drift": {"columns": []}}), np.random.default_rng(1)
    holdout = rows(draw, 2000)
    champion = reference(spec, holdout, holdout)
    champion.model.estimator, champion.model.manifest.classes = Three(), (0, 1, 2)
    report = drifts(spec, champion, [window(rows(draw, 2000, shift=1), unknown=True)])[0]
    assert report.drifted == (PREDICTIONS,)
    assert report.features[0].statistic == "total variation distance"


def test_what_the_same_season_had_before_the_champion_is_no_drift():
    winter, summer = frame(3000, 1), frame(1000, 2, shift=1)
    assert found(winter, frame(1000, 3, shift=1)).drifted == ("x",)
    report = found(winter, frame(1000, 3, shift=1), season=summer)
    assert report.drifted == ()
    assert report.season_partition == "season"
    assert report.features[0].changes[0].season_effect < 0.1


def test_a_change_that_the_season_did_not_have_is_drift():
    winter, summer = frame(3000, 1), frame(1000, 2, shift=1)
    report = found(winter, frame(1000, 3, shift=2), season=summer)
    assert report.drifted == ("x",)
    assert report.features[0].changes[0].season_effect > 0.1


def test_only_features_that_can_be_watched_are_taken():
    before = frame(50, 1).rename(columns={"z": "text"})
    named = pipeline("regression", monitoring={"drift": {"columns": ["xx"]}})
    assert {feature.name for feature in found(before, before).features} == {"x", "y"}
    with pytest.raises(DataContractError, match="did you mean 'x'"):
        found(before, before, named)


def test_without_training_rows_there_is_nothing_to_compare_with():
    champion = reference(SPEC, unlabelled(frame(50, 1)))
    object.__setattr__(champion, "train", None)
    with pytest.raises(DataContractError, match="training rows are not known"):
        drifts(SPEC, champion, [window(unlabelled(frame(50, 1)))])


def test_the_table_says_what_changed():
    report = found(share(0.3), share(0.39))
    row = next(row for row in drift_table(report) if row["feature"] == "flag")
    assert row["what changed"] == "rarer value: 30.0% -> 39.0%"
    assert drift_advice(report) == "wait for the next window: no feature has drifted in enough windows for an alarm"
    missing = with_alarm(found(column("x", 0), column("x", 0.5)), [], DriftSpec(alarm_windows=1), SPEC)
    assert "check the source" in drift_advice(missing)
    assert "retrain" in drift_advice(missing)


def report(partition, *features, version="1", status="judged"):
    found = [
        FeatureDrift(
            name=name, statistic="KS distance", effect=0.3, p_value=0.0, missing_before=0, missing_now=0, drifted=True
        )
        for name in features
    ]
    return DriftReport(
        pipeline="demo",
        partition=partition,
        champion_version=version,
        reference_rows=1,
        window_rows=1,
        status=status,
        features=tuple(found),
    )


def alarms(*reports, rule=RULE):
    reported = []
    for one in reports:
        reported.append(with_alarm(one, reported, rule, SPEC))
    return reported


def test_one_window_is_no_alarm_and_two_of_three_are():
    reported = alarms(report("1", "x"), report("2"), report("3", "x"), report("4", "x"), report("5"), report("6"))
    assert [one.alarm_features for one in reported] == [(), (), ("x",), ("x",), (), ()]
    assert [one.alarm_start for one in reported] == [False, False, True, False, False, False]
    assert reported[2].windows == ("1", "2", "3")


def test_different_features_in_different_windows_are_no_alarm():
    assert not any(one.alarm_features for one in alarms(report("1", "x"), report("2", "z"), report("3", "y")))


def test_an_alarm_that_ends_and_comes_again_rises_again():
    reported = alarms(*[report(str(n), *(["x"] if n in {1, 2, 6, 7} else [])) for n in range(1, 9)])
    assert [one.partition for one in reported if one.alarm_start] == ["2", "7"]


def test_a_new_champion_resets_the_alarm():
    reported = alarms(report("1", "x"), report("2", "x", version="2"), report("3", "x", version="2"))
    assert [bool(one.alarm_features) for one in reported] == [False, False, True]


def test_windows_that_the_champion_learned_from_do_not_count():
    reported = alarms(report("1", "x", status="trained_on"), report("2", "x"))
    assert not reported[1].alarm_features
