"""Drift of features: large and significant, in several windows."""

import numpy as np
import pandas as pd
import pytest

from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DataContractError
from assay.monitoring.drift import DriftReport, FeatureDrift, compare_features, with_alarm
from assay.specs.dataset import ColumnRole
from assay.specs.operations import DriftSpec

RULE = DriftSpec()


def schema(**roles):
    columns = [ColumnSchema(name=name, dtype="double", role=role) for name, role in roles.items()]
    return TableSchema(version=1, columns=tuple(columns))


NUMBERS = schema(x=ColumnRole.NUMERIC, z=ColumnRole.NUMERIC)


def frame(rows, seed, shift=0.0):
    draw = np.random.default_rng(seed)
    return pd.DataFrame({"x": draw.normal(size=rows) + shift, "z": draw.normal(size=rows)})


def drifted(found):
    return {feature.name for feature in found if feature.drifted}


def test_a_shift_is_found_where_it_is_and_comes_first():
    found = compare_features(frame(5000, 1), frame(500, 2, shift=0.5), NUMBERS, RULE)
    assert drifted(found) == {"x"}
    assert found[0].name == "x"
    assert 0.1 < found[0].effect < 0.3


def test_a_difference_that_is_sure_but_small_does_not_count():
    found = compare_features(frame(100_000, 1), frame(100_000, 2, shift=0.05), NUMBERS, RULE)
    assert found[0].p_value < 1e-6
    assert drifted(found) == set()


def test_categories_are_compared_by_their_shares():
    features = schema(job=ColumnRole.CATEGORICAL)
    before = pd.DataFrame({"job": ["nurse", "pilot"] * 500})
    now = pd.DataFrame({"job": ["nurse"] * 350 + ["pilot"] * 150})
    [found] = compare_features(before, now, features, RULE)
    assert found.drifted
    assert found.effect == pytest.approx(0.2)


@pytest.mark.parametrize("role", [ColumnRole.NUMERIC, ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN])
def test_more_missing_values_are_drift(role):
    def flags(missing):
        values = pd.Series([0.0, 1.0] * 500)
        return values.where(np.arange(1000) >= missing) if role is not ColumnRole.CATEGORICAL else words(missing)

    def words(missing):
        return pd.Series([None if n < missing else "ab"[n % 2] for n in range(1000)], dtype=object)

    features = schema(x=role)
    [same] = compare_features(pd.DataFrame({"x": flags(100)}), pd.DataFrame({"x": flags(110)}), features, RULE)
    [more] = compare_features(pd.DataFrame({"x": flags(100)}), pd.DataFrame({"x": flags(400)}), features, RULE)
    assert not same.drifted
    assert more.drifted
    assert more.effect == pytest.approx(0.3)


def test_a_feature_whose_values_are_gone_has_drifted():
    now = frame(200, 2)
    now["x"] = np.nan
    found = compare_features(frame(500, 1), now, NUMBERS, RULE)
    assert drifted(found) == {"x"}
    assert next(feature for feature in found if feature.name == "x").missing_now == 1.0


def test_only_features_that_can_be_watched_are_taken():
    features = schema(x=ColumnRole.NUMERIC, z=ColumnRole.TEXT)
    assert {feature.name for feature in compare_features(frame(50, 1), frame(50, 2), features, RULE)} == {"x"}
    with pytest.raises(DataContractError, match="did you mean 'x'"):
        compare_features(frame(50, 1), frame(50, 2), features, DriftSpec(columns=("xx",)))


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
        reported.append(with_alarm(one, reported, rule))
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
