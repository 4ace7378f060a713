"""What is resampled, and the spread that follows from it."""

import json

import numpy as np
import pyarrow as pa
import pytest

from assay.learning.evaluation import bootstrap
from assay.learning.evaluation.bootstrap import RESAMPLES, Paired, Units, effects, intervals, units_of
from assay.learning.evaluation.metrics import METRICS, Metric
from assay.learning.evaluation.predictions import Predictions
from assay.specs import PipelineSpec
from assay.specs.pipeline import Task

MAE = METRICS[Task.REGRESSION]["mae"]


def _weights(units, rows, seed=1):
    return np.concatenate(list(units.weights(rows, seed)))


def _spread(units, differences):
    """Spread of the mean of given differences of two models' errors."""
    zero = np.zeros(len(differences))
    old, new = (Predictions(np.abs(each), None, ()) for each in (zero + 5, differences + 5))
    (effect,) = effects([(MAE, None)], Paired(zero, old, new), units, seed=3)
    assert effect.value == pytest.approx(-differences.mean())
    return effect.spread


def test_rows_of_a_group_occur_equally_often_and_every_resample_has_as_many_groups():
    groups = np.repeat(np.arange(30), 4)
    weights = _weights(Units(groups=groups), 120)
    assert weights.shape == (RESAMPLES, 120)
    assert (weights.reshape(RESAMPLES, 30, 4).std(axis=2) == 0).all()
    assert set(weights[:, ::4].sum(axis=1)) == {30}


def test_a_block_is_a_run_of_rows_in_the_order_of_time():
    order = np.random.default_rng(0).permutation(90)
    weights = _weights(Units(order=order), 90)
    in_time = weights[:, np.argsort(order)]
    assert set(weights.sum(axis=1)) == {90}
    # 30 blocks begin and end at 30 rows at most, counted around the end of the rows
    assert (np.abs(in_time - np.roll(in_time, 1, axis=1)).sum(axis=1) <= 60).all()
    assert np.allclose(weights.mean(axis=0), 1, atol=0.3)


@pytest.mark.parametrize("kind", ["groups", "blocks"])
def test_dependent_rows_widen_the_spread_to_that_of_their_means(kind):
    random = np.random.default_rng(2)
    of_group = random.normal(size=200)
    differences = np.repeat(of_group, 10)
    units = Units(groups=np.repeat(np.arange(200), 10)) if kind == "groups" else Units(order=np.arange(2_000))
    true = of_group.std() / np.sqrt(200)
    assert _spread(Units(), differences) < 0.4 * true
    assert _spread(units, differences) == pytest.approx(true, rel=0.3)


def test_the_weights_of_many_rows_come_in_portions_and_only_a_subset_is_resampled(monkeypatch):
    monkeypatch.setattr(bootstrap, "MOST_ROWS", 50)
    monkeypatch.setattr(bootstrap, "_MOST_WEIGHTS", 1_000)
    portions = list(Units().weights(100, 1))
    assert {portion.size <= 1_000 for portion in portions} == {True}
    whole = np.concatenate(portions)
    assert whole.shape == (RESAMPLES, 100)
    assert ((whole > 0).any(axis=0)).sum() == 50


@pytest.mark.parametrize("kind", ["rows", "groups"])
def test_intervals_of_very_many_rows_are_those_of_all_of_them(kind, monkeypatch):
    random, mean = np.random.default_rng(7), METRICS[Task.REGRESSION]["mean_error"]
    groups = np.repeat(np.arange(2_000), 2)
    errors = np.repeat(random.normal(size=2_000), 2) if kind == "groups" else random.normal(size=4_000)
    units, said = Units(groups=groups if kind == "groups" else None), Predictions(errors, None, ())
    whole = intervals([mean], np.zeros(4_000), said, units, seed=3)["mean_error"]
    monkeypatch.setattr(bootstrap, "MOST_ROWS", 400)
    low, high = intervals([mean], np.zeros(4_000), said, units, seed=3)["mean_error"]
    assert high - low == pytest.approx(whole[1] - whole[0], rel=0.2)
    assert (low + high) / 2 == pytest.approx(np.mean(whole), abs=0.15 * (whole[1] - whole[0]))
    zero = Predictions(np.zeros(4_000), None, ())
    (effect,) = effects([(MAE, None)], Paired(np.zeros(4_000), zero, said), units, seed=3)
    assert effect.spread == pytest.approx(np.abs(errors).std() / np.sqrt(2_000 if kind == "groups" else 4_000), rel=0.2)


def test_blocks_of_time_stay_as_wide_as_their_subset(monkeypatch):
    monkeypatch.setattr(bootstrap, "MOST_ROWS", 400)
    assert Units(order=np.arange(4_000)).subset(4_000, 1)[1] == 1


def test_a_part_of_the_rows_is_compared_on_the_same_resamples():
    random = np.random.default_rng(4)
    truth, errors = np.zeros(80), random.normal(size=80)
    pair = Paired(truth, Predictions(errors, None, ()), Predictions(errors * 2, None, ()))
    inside = np.arange(80) < 30
    own = Metric("own", greater_is_better=False, compute=lambda true, given: np.abs(given.labels - true).mean())
    everywhere, part, slow = effects([(MAE, None), (MAE, inside), (own, inside)], pair, Units(), seed=5)
    assert part.value == pytest.approx(-np.abs(errors[:30]).mean())
    assert part.spread > everywhere.spread
    assert np.allclose(part.drawn, slow.drawn)


@pytest.mark.parametrize(
    ("split", "partitions", "kind"),
    [
        ({"by": "random"}, {}, "rows"),
        ({"by": "group", "group": "who"}, {}, "groups"),
        ({"by": "time", "train_partitions": 1}, {"by": "month", "column": "t", "start": "2020-01"}, "blocks"),
    ],
)
def test_units_follow_the_split(split, partitions, kind):
    dataset = {"source": "rows.csv", "target": "y"} | ({"partitions": partitions} if partitions else {})
    document = {"name": "demo", "task": "regression", "dataset": dataset, "split": split}
    spec = PipelineSpec.model_validate_json(json.dumps(document))
    units = units_of(pa.table({"who": ["b", None, "a", "b"], "t": [3, 1, 2, 0]}), spec)
    if kind == "rows":
        assert (units.groups, units.order) == (None, None)
    elif kind == "groups":
        assert units.groups.tolist() == [2, 0, 1, 2]
        assert units.take(np.array([0, 3])).groups.tolist() == [0, 0]
    else:
        assert units.order.tolist() == [3, 1, 2, 0]


def test_the_interval_of_a_metric_holds_the_true_value_as_often_as_it_says():
    random, mean, held = np.random.default_rng(11), METRICS[Task.REGRESSION]["mean_error"], 0
    for seed in range(300):
        said = Predictions(random.normal(size=80), None, ())
        low, high = intervals([mean], np.zeros(80), said, Units(), seed)["mean_error"]
        held += low <= 0 <= high
    assert 0.91 <= held / 300 <= 0.98


def test_rows_of_a_group_widen_an_interval_and_a_metric_without_values_has_none():
    random, mean = np.random.default_rng(2), METRICS[Task.REGRESSION]["mean_error"]
    groups = np.repeat(np.arange(20), 10)
    said = Predictions(random.normal(size=20)[groups], None, ())
    never = Metric("never", greater_is_better=True, compute=lambda *_: float("nan"))
    ends = [intervals([mean, never], np.zeros(200), said, units, 1) for units in (Units(), Units(groups=groups))]
    widths = [each["mean_error"][1] - each["mean_error"][0] for each in ends]
    assert widths[1] > 2 * widths[0]
    assert all("never" not in each for each in ends)
