"""The replay of the promotion policy, and the proof that no model saw the future."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pytest

from assay.backtesting.policy import PastModel
from assay.backtesting.walk_forward import (
    CHAMPION,
    ON_ALARM,
    RETRAINED,
    STALE,
    newest_row,
    replay,
    walk_forward_plot,
)
from assay.errors import EmptyDataError, LearningError
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.training import train
from assay.specs.learning import OwnMetric
from assay.specs.operations import AutomationSpec, DriftSpec, MonitoringSpec, PerformanceSpec

EIGHT_MONTHS = ("2020-11", "2020-12", "2021-01", "2021-02", "2021-03", "2021-04", "2021-05", "2021-06")
MONTHS = EIGHT_MONTHS[:4]


@pytest.fixture
def spec(make_spec):
    monthly = {"by": "month", "column": "t", "start": "2020-10"}
    dataset = {"source": "rows.csv", "target": "y", "partitions": monthly}
    split = {"by": "time", "train_partitions": 1}
    # a model that learned from noise is worse than the baseline, and becomes champion here
    return make_spec("regression", dataset=dataset, split=split, evaluation={"must_beat_baseline": False})


@pytest.fixture
def as_of(spec, make_split, make_best):
    """Return a function that makes the past of one month: a good model, or one that learned from noise."""

    def make(month, *, good, newest=None, spec=spec):
        before = f"{int(month[:4]) - (month[5:] == '01')}-{(int(month[5:]) - 2) % 12 + 1:02d}"
        split = replace(make_split("regression"), data_digests={before: "b", month: "h"})
        target = split.train.target.sample(frac=1, random_state=0).reset_index(drop=True)
        learned = split if good else replace(split, train=replace(split.train, target=target))
        model = train(learned, make_best("ridge"), spec)
        return PastModel(month, model, evaluate(model, split, spec), split, newest)

    return make


def test_the_policy_is_replayed_from_no_champion_over_a_years_end(as_of, spec):
    goods = (False, False, True, False)
    report = replay((as_of(month, good=good) for month, good in zip(MONTHS, goods, strict=True)), spec)
    poor, good = report.results[0].retrained, report.results[2].retrained
    assert [result.verdict for result in report.results] == ["promoted", "kept_champion", "promoted", "kept_champion"]
    assert [result.champion for result in report.results] == [None, poor, poor, good]
    assert [result.stale for result in report.results] == [poor] * 4
    assert [result.trained_on for result in report.results] == [("2020-10",), ("2020-11",), ("2020-12",), ("2021-01",)]
    assert report.results[2].as_of == dt.datetime.fromisoformat("2021-01-01")
    assert report.promotions == 2
    assert report.looking_ahead == ()
    means = report.means()
    assert means[STALE] == pytest.approx(poor)
    assert means[RETRAINED] == pytest.approx((poor + good + poor) / 3)
    assert means[CHAMPION] == pytest.approx((poor + poor + good) / 3)


def moved(past, first):
    """The past with one feature moved in the holdouts from a position on."""
    for number, one in enumerate(past):
        holdout = one.split.holdout
        if number >= first:
            features = holdout.features.assign(noise=holdout.features["noise"] + 10)
            one = replace(one, split=replace(one.split, holdout=replace(holdout, features=features)))  # noqa: PLW2901
        yield one


def watched_by(spec, *, retrain_on=(), **monitoring):
    automation = AutomationSpec(retrain_on=retrain_on)
    return spec.model_copy(update={"monitoring": MonitoringSpec(**monitoring), "automation": automation})


def test_drift_is_judged_against_what_the_champion_learned_from(as_of, spec):
    watched = watched_by(spec, drift=DriftSpec(alarm_windows=2, of_windows=2))
    past = list(moved([as_of(month, good=True) for month in MONTHS], 1))
    report = replay(past, watched)
    assert [result.drifted for result in report.results] == [(), ("noise",), ("noise",), ("noise",)]
    assert [result.drift_alarm for result in report.results] == [(), (), ("noise",), ("noise",)]
    assert report.alarms == 2
    assert not report.alarm_policy
    assert replay(past, spec).alarms == 0


def test_a_change_that_the_season_had_is_no_drift(as_of, spec):
    watched = watched_by(spec, drift=DriftSpec(alarm_windows=1, of_windows=1, season=2))
    past = list(moved([as_of(month, good=True) for month in MONTHS], 1))
    asked = []

    def rows_of(partition):
        asked.append(partition)
        return past[3].split.holdout

    report = replay(past, watched, rows_of)
    # two months before January is November, which the champion has not seen; two more are before the first partition
    assert [result.drifted for result in report.results] == [(), (), ("noise",), ()]
    assert asked == ["2020-10", "2020-10"]


def test_an_alarm_whose_answer_is_kept_out_is_answered_again(as_of, spec):
    """It stood for 20 months after one retraining that was no better, while a later one would have been."""
    watched = watched_by(spec, drift=DriftSpec(alarm_windows=1, of_windows=1), retrain_on=("drift",))
    goods = (False, False, False, False, False, True, True, True)
    past = moved([as_of(month, good=good) for month, good in zip(EIGHT_MONTHS, goods, strict=True)], 2)
    report = replay(past, watched)
    answers = [result.alarm_training for result in report.results]
    assert answers == ["", "", "", "kept_champion", "", "", "promoted", ""]
    assert report.results[-1].on_alarm < 1 < report.results[-2].on_alarm
    means = report.means()
    assert means[CHAMPION] < means[ON_ALARM] < means[STALE]
    assert report.alarm_trainings == 2


def test_a_degraded_champion_is_named_and_retrained(as_of, spec):
    performance = PerformanceSpec(max_loss=0.2, estimate=False)
    watched = watched_by(spec, drift=None, performance=performance, retrain_on=("performance",))
    past = [as_of(month, good=True) for month in EIGHT_MONTHS[:4]]
    for number in (2, 3):
        holdout = past[number].split.holdout
        split = replace(past[number].split, holdout=replace(holdout, target=-holdout.target))
        past[number] = replace(past[number], split=split)
    report = replay(past, watched)
    assert [result.performance_alarm for result in report.results] == [False, False, True, True]
    assert {"loss", "baseline"} <= set(report.results[2].degraded_by)
    assert [result.alarm_training != "" for result in report.results] == [False, False, False, True]


@pytest.mark.full
def test_less_of_an_own_error_wins_in_the_replay_and_more_of_it_alarms(as_of, spec):
    own = OwnMetric(path="sklearn.metrics:mean_absolute_error", greater_is_better=False)
    by_error = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"primary_metric": own})})
    performance = PerformanceSpec(max_loss=0.2, estimate=False)
    watched = watched_by(by_error, drift=None, performance=performance)
    past = [
        as_of(month, good=good, spec=by_error) for month, good in zip(MONTHS, (False, True, False, True), strict=True)
    ]
    holdout = past[3].split.holdout
    past[3] = replace(past[3], split=replace(past[3].split, holdout=replace(holdout, target=-holdout.target)))
    report = replay(past, watched)
    assert [result.verdict for result in report.results][:3] == ["promoted", "promoted", "kept_champion"]
    assert not report.greater_is_better
    assert report.results[2].champion < report.results[1].champion
    assert [result.performance_alarm for result in report.results] == [False, False, False, True]
    assert "loss" in report.results[3].degraded_by


def test_a_model_is_decided_on_and_judged_when_its_labels_are_known(as_of, spec):
    goods = (False, False, True, False)
    watched = watched_by(spec, label_delay=1, performance=PerformanceSpec(max_loss=9, estimate=False))
    report = replay((as_of(month, good=good) for month, good in zip(MONTHS, goods, strict=True)), watched)
    assert [result.partition for result in report.results] == list(MONTHS[1:])
    assert [result.verdict for result in report.results] == ["promoted", "kept_champion", "promoted"]
    assert [result.newest_labelled for result in report.results] == ["2020-10", "2020-11", "2020-12"]
    assert [result.trained_on for result in report.results] == [("2020-10",), ("2020-11",), ("2020-12",)]
    assert report.results[0].champion is None
    assert report.results[1].champion == report.results[2].champion
    assert report.looking_ahead == ()


@pytest.mark.parametrize(("newest", "ahead"), [("2020-10-31T23:59:59", ()), ("2020-11-01T00:00:00", ("2020-11",))])
def test_a_training_row_of_the_as_of_time_is_found(newest, ahead, as_of, spec):
    report = replay([as_of("2020-11", good=True, newest=dt.datetime.fromisoformat(newest))], spec)
    assert report.looking_ahead == ahead


def test_a_training_partition_of_later_time_is_found_without_a_time_column(as_of, spec):
    now = as_of("2020-11", good=True)
    digests = {"2020-11": "h", "2020-12": "b"}
    model = replace(now.model, manifest=now.model.manifest.model_copy(update={"data_digests": digests}))
    late = replace(now, model=model, split=replace(now.split, data_digests=digests))
    assert replay([late], spec).looking_ahead == ("2020-11",)


def test_a_model_of_other_rows_than_the_published_ones_is_refused(as_of, spec):
    now = as_of("2020-11", good=True)
    changed = replace(now, split=replace(now.split, data_digests={"2020-10": "other", "2020-11": "h"}))
    with pytest.raises(LearningError, match="was trained on other rows") as caught:
        replay([changed], spec)
    assert caught.value.found == "other rows in 2020-10"


def test_nothing_to_replay_is_refused(spec):
    with pytest.raises(EmptyDataError, match="no model of the past"):
        replay([], spec)


def test_the_newest_row_counts_in_utc_whatever_the_columns_type():
    class Rows:
        def __init__(self, values):
            self.table = pa.table({"t": values})

    moment = pa.array([dt.datetime(2020, 12, 31, 23, tzinfo=dt.UTC)])
    parts = [Rows(pa.array([dt.date(2020, 12, 30), None])), Rows(moment.cast(pa.timestamp("us", "Asia/Nicosia")))]
    assert newest_row(parts, "t") == dt.datetime.fromisoformat("2020-12-31T23:00")
    fine = pa.array([1_609_455_600_000_000_001], pa.timestamp("ns"))
    assert newest_row([Rows(fine)], "t") == dt.datetime.fromisoformat("2020-12-31T23:00")
    assert newest_row(parts, None) is None


def test_the_curve_is_a_picture(as_of, spec):
    report = replay([as_of("2020-11", good=True), as_of("2020-12", good=False)], spec)
    assert walk_forward_plot(report).startswith(b"\x89PNG")
