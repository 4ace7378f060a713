"""Codes, written forms, differences and features far ahead of all others: each leak with a clean counterpart."""

import numpy as np
import pytest

BINARY, REGRESSION = "binary_classification", "regression"
RULE = "no_suspected_leakage"
ROWS = 1500


@pytest.fixture
def rng():
    return np.random.default_rng(17)


def honest(rng, y):
    return {f"x{i}": y * 0.5 + rng.normal(size=ROWS) for i in range(4)} | {"y": y}


@pytest.mark.parametrize("wrong", [0.03, 0.5])
def test_decimals_give_a_class_away(found, rng, wrong):
    y = rng.integers(0, 2, ROWS)
    amount = rng.gamma(3, 40, ROWS)
    quote = np.where((y == 1) ^ (rng.random(ROWS) < wrong), amount.round(2), amount.round())

    said = found(RULE, honest(rng, y) | {"quote": quote}, BINARY)

    assert ("by its number of decimals" in said.get("quote", "")) == (wrong < 0.1)


@pytest.mark.parametrize("wrong", [0.03, 0.5])
def test_last_digits_give_a_class_away(found, rng, wrong):
    y = rng.integers(0, 2, ROWS)
    number = rng.integers(100, 900, ROWS) * 10 + np.where((y == 1) ^ (rng.random(ROWS) < wrong), 7, 3)

    said = found(RULE, honest(rng, y) | {"number": number}, BINARY)

    assert ("by its last digit" in said.get("number", "")) == (wrong < 0.1)


@pytest.mark.parametrize("wrong", [0.03, 0.5])
def test_marks_and_characters_of_codes_give_a_class_away(found, rng, wrong):
    y = rng.integers(0, 2, ROWS)
    marked = (y == 1) ^ (rng.random(ROWS) < wrong)
    marks = [f"{n}{'/' if mark else '-'}9" for n, mark in zip(rng.integers(100, 500, ROWS), marked, strict=True)]
    letters = [f"{n}{'ab'[int(mark)]}" for n, mark in zip(rng.integers(100, 500, ROWS), marked, strict=True)]
    declared = {"columns": {name: {"role": "categorical"} for name in ("marks", "letters")}}

    said = found(RULE, honest(rng, y) | {"marks": marks, "letters": letters}, BINARY, dataset=declared)

    assert ("by its marks and blanks" in said.get("marks", "")) == (wrong < 0.1)
    assert ("by its character 4" in said.get("letters", "")) == (wrong < 0.1)


@pytest.mark.parametrize("noise", [0.05, 1.0])
def test_two_readings_of_a_meter_give_a_number(alarms, rng, noise):
    y = rng.normal(size=ROWS)
    start = rng.normal(0, 20, ROWS)
    columns = honest(rng, y) | {"start": start, "stop": start + y + rng.normal(0, noise, ROWS)}

    rows = alarms(columns, REGRESSION).get(RULE)

    conclusive = {row.column for row in rows.failures if row.conclusive} if rows else set()
    assert conclusive == ({"start", "stop"} if noise < 0.1 else set())


@pytest.mark.parametrize("bins", [60, 12])
def test_a_code_of_ranges_in_no_order_holds_a_number(alarms, rng, bins):
    y = rng.normal(size=ROWS) + (0 if bins > 20 else rng.normal(0, 1, ROWS))
    code = rng.permutation(bins)[np.argsort(np.argsort(y)) * bins // ROWS] * 37
    mixed = code if bins > 20 else np.where(rng.random(ROWS) < 0.3, rng.permutation(code), code)

    rows = alarms(honest(rng, y) | {"code": mixed}, REGRESSION).get(RULE)

    held = {row.column for row in rows.failures if row.conclusive} if rows else set()
    assert ("code" in held) == (bins > 20)


@pytest.mark.parametrize(("noise", "held"), [(0.25, True), (0.6, False)])
def test_a_feature_far_ahead_of_all_others_waits_for_a_person(alarms, rng, noise, held):
    y = rng.normal(size=ROWS)

    rows = alarms(honest(rng, y) | {"estimate": np.exp(2 * y + rng.normal(0, 2 * noise, ROWS))}, REGRESSION).get(RULE)

    assert ("estimate" in {row.column for row in rows.failures if row.holds}) == held


@pytest.mark.parametrize("own", [True, False])
def test_a_mean_of_own_rows_that_was_rounded_is_found(found, rng, own):
    y = rng.normal(30, 12, ROWS).round(2)
    group = rng.integers(0, 600, ROWS)
    of = y if own else rng.permutation(y)
    mean = (np.bincount(group, weights=of, minlength=600) / np.maximum(np.bincount(group, minlength=600), 1))[group]

    said = found("target_not_reconstructible", honest(rng, y) | {"mean": mean.round(1)}, REGRESSION)

    assert ("mean target of the rows" in said.get("mean", "")) == own


@pytest.mark.parametrize("measured", [3, 1])
def test_rows_are_near_copies_only_where_several_numbers_tell_rows_apart(alarms, rng, measured):
    half = ROWS // 2
    cells = {f"cell{i}": np.tile(rng.integers(0, 3, half), 2) for i in range(3)}
    numbers = {f"z{i}": np.tile(rng.normal(size=half), 2) + rng.normal(0, 1e-4, ROWS) for i in range(measured)}
    y = np.tile(rng.normal(size=half), 2)

    said = alarms(cells | numbers | {"y": y}, REGRESSION)

    assert ("rows_not_repeated" in said) == (measured > 1)
