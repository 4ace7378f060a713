import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gate.distribution_tests import categories_differ, discoveries, numbers_differ

MAX_EFFECT, RATE = 0.1, 0.01


def alarms(columns):
    found = [numbers_differ(*pair) for pair in columns]
    hits = discoveries([one.p_value for one in found], RATE)
    return [hit and one.effect > MAX_EFFECT for hit, one in zip(hits, found, strict=True)]


@pytest.mark.parametrize(
    ("rows", "draws"),
    [
        (200, 20),
        pytest.param(200, 100, marks=pytest.mark.full),
        (5000, 20),
        pytest.param(5000, 100, marks=pytest.mark.full),
    ],
)
def test_twenty_columns_of_one_distribution_alarm_in_at_most_one_draw(rows, draws):
    random = np.random.default_rng(11)
    draws = [any(alarms(random.normal(size=(20, 2, rows)))) for _ in range(draws)]
    assert sum(draws) <= 1


@pytest.mark.parametrize("size", [15, pytest.param(100, marks=pytest.mark.full)])
def test_categories_of_one_distribution_alarm_as_rarely(size):
    random = np.random.default_rng(5)
    draws = 0
    for _ in range(size):
        pairs = [[pd.Series(random.zipf(1.6, 200) % 40).value_counts() for _ in "ab"] for _ in range(20)]
        found = [categories_differ(*pair) for pair in pairs]
        hits = discoveries([one.p_value for one in found], RATE)
        draws += any(hit and one.effect > MAX_EFFECT for hit, one in zip(hits, found, strict=True))
    assert draws <= 1


def test_a_shift_by_half_a_standard_deviation_is_found_among_twenty_columns_and_alone():
    columns = np.random.default_rng(3).normal(size=(20, 2, 5000))
    columns[7, 0] += 0.5
    assert [index for index, alarm in enumerate(alarms(columns)) if alarm] == [7]


def test_a_significant_difference_without_consequence_is_none():
    ours, theirs = np.random.default_rng(3).normal(size=(2, 100_000))
    found = numbers_differ(ours + 0.05, theirs)
    assert found.p_value < 1e-6
    assert found.effect < MAX_EFFECT


def test_another_mix_of_categories_is_found_and_described():
    found = categories_differ(pd.Series({"a": 500, "b": 500}), pd.Series({"a": 300, "b": 700}))
    assert found.effect == pytest.approx(0.2)
    assert found.p_value < 1e-6
    assert str(found).startswith("total variation distance 0.200")


def test_a_category_that_is_new_is_found():
    assert categories_differ(pd.Series({"a": 400, "new": 100}), pd.Series({"a": 500})).p_value < 1e-6


def test_rare_categories_are_pooled_before_they_count():
    ours, theirs = (pd.Series({"a": 100} | {f"{side}{n}": 1 for n in range(100)}) for side in "xy")
    assert categories_differ(ours, theirs).p_value > 0.99  # a hundred each in the pool


@pytest.mark.parametrize("theirs", [{"a": 3}, {"b": 3}, {f"r{n}": 1 for n in range(50)}])
def test_what_is_all_rare_or_all_one_has_nothing_to_test(theirs):
    assert categories_differ(pd.Series({"a": 3}), pd.Series(theirs)).p_value == 1


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 500), min_size=1),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 500), min_size=1),
)
def test_effect_and_p_value_lie_between_nought_and_one(ours, theirs):
    ours["a"] = ours.get("a", 0) + 1
    theirs["a"] = theirs.get("a", 0) + 1
    found = categories_differ(pd.Series(ours), pd.Series(theirs))
    assert 0 <= found.effect <= 1
    assert 0 <= found.p_value <= 1


def test_the_rate_counts_over_all_columns():
    assert discoveries([0.004] + [0.5] * 19, 0.01) == [False] * 20
    assert discoveries([0.0004] + [0.5] * 19, 0.01) == [True] + [False] * 19
    assert discoveries([], 0.01) == []
