"""A day of the prediction log: each prediction once, in the types of the data, and whether the arms got their shares."""

import math

import numpy as np
import pyarrow as pa
import pytest
from log_rows import log_of, row

from assay.serving.arms import arm_of
from assay.serving.daily_log import arms_plot, daily_log
from assay.serving.prediction_log import EXPERIMENT, FEATURES, KEY, SHADOW, SHARE, VERSION
from assay.serving.sample_ratio import ALPHA, mismatches, sample_ratios


def experiment(challenged, keys, share=0.3, *, name="1:2", repeats=1, **others):
    """Rows of an experiment, `repeats` for each key, of whose first keys the challenger got some."""
    return [
        row(
            f"{name}-{number}-{again}", arm="challenger" if number < challenged else "champion",
            **{KEY: str(number), EXPERIMENT: name, SHARE: share, VERSION: "2" if number < challenged else "1", **others},
        )
        for number in range(keys)
        for again in range(repeats)
    ]  # fmt: skip


def test_a_share_as_declared_is_no_mismatch():
    (found,) = sample_ratios(log_of(*experiment(290, 1000)))
    assert (found.keys, found.challenged, found.share) == (1000, 290, 0.3)
    chances = [math.comb(1000, n) * 0.3**n * 0.7 ** (1000 - n) for n in range(1001)]
    assert found.probability == pytest.approx(sum(each for each in chances if each <= chances[290] * (1 + 1e-7)))
    assert mismatches([found]) == []


def test_lost_keys_are_found():
    (found,) = mismatches(sample_ratios(log_of(*experiment(230, 1000))))
    assert found.found == 0.23
    assert found.probability < ALPHA


def test_keys_count_and_not_their_rows():
    """A key that comes often is one key, so that the test does not take its rows for independent ones."""
    often = [each | {"log_request_id": f"again-{n}"} for n in range(300) for each in experiment(1, 1)]
    (found,) = sample_ratios(log_of(*experiment(290, 1000), *often))
    assert (found.keys, found.challenged) == (1000, 290)


def test_assigned_keys_hold_their_share():
    """Of 200 experiments of 400 keys none is a mismatch: the assignment is uniform and the test is exact."""
    for salt in range(200):
        challenged = sum(arm_of("loans", str(salt), str(key), 0.3) == "challenger" for key in range(400))
        assert not mismatches(sample_ratios(log_of(*experiment(challenged, 400))))


def test_the_shadow_and_rows_outside_are_not_judged():
    outside = [row(f"o{number}", arm="challenger") for number in range(500)]
    shadow = [*experiment(0, 500, name="1:3"), *experiment(500, 500, name="1:3", **{SHADOW: True})]
    assert sample_ratios(log_of(*outside, *shadow)) == []


def test_each_declared_share_is_judged_by_itself():
    rows = [*experiment(100, 1000, 0.1), *[each | {KEY: f"b{each[KEY]}"} for each in experiment(500, 1000, 0.5)]]
    assert [(each.share, each.found) for each in sample_ratios(log_of(*rows))] == [(0.1, 0.1), (0.5, 0.5)]


def test_sent_columns_have_the_types_of_the_data_where_they_can():
    table = (
        log_of(row("a"), row("b"))
        .append_column("customer", pa.array(["1", "2"]))
        .append_column("note", pa.array(["3", "x"]))
    )
    made = daily_log(table, {"customer": "int64", "note": "int64"}, 1).dataset
    assert made.table.column("customer").to_pylist() == [1, 2]
    assert made.table.column("note").to_pylist() == ["3", "x"]
    assert made.schema["customer"].role == "identifier"
    assert made.schema["log_row"].role == "ignored"


def test_a_repeated_request_is_not_one_whose_id_was_reused():
    repeated = daily_log(log_of(row("a"), row("a", minutes=1), row("b")), {}, 1)
    assert (repeated.repeated, repeated.reused) == (1, 0)
    reused = daily_log(log_of(row("a"), row("a", minutes=1, **{FEATURES: "f" * 16}), row("b")), {}, 1)
    assert (reused.repeated, reused.reused) == (1, 1)


def test_the_same_rows_in_other_objects_are_the_same_day():
    rows = [*experiment(3, 10), *experiment(0, 5, name="")]
    order = np.random.default_rng(3).permutation(len(rows))
    first = daily_log(log_of(*rows), {}, 1).dataset.fingerprint
    assert daily_log(log_of(*(rows[n] for n in order), *rows[:4]), {}, 1).dataset.fingerprint == first


def test_counts_are_by_version_arm_and_shadow():
    counts = daily_log(log_of(*experiment(2, 6, repeats=2), row("s", arm="challenger", **{SHADOW: True})), {}, 1).counts
    assert [(each["version"], each["arm"], each["predictions"], each["rows"]) for each in counts] == [
        ("1", "challenger", "in the shadow", 1), ("1", "champion", "answered", 8), ("2", "challenger", "answered", 4),
    ]  # fmt: skip


def test_the_plot_is_a_picture():
    assert arms_plot(log_of(*experiment(2, 6)), "arms").startswith(b"\x89PNG")
