"""A consequence of the outcome is tied to other features only through it; a cause among causes is not."""

import numpy as np
import pandas as pd
import pytest

BINARY, REGRESSION = "binary_classification", "regression"
ROWS = 1500
WORDS = "only through the target"


def tied(task, seed=31):
    """Four features with a common cause, and a target that follows from it."""
    rng = np.random.default_rng(seed)
    cause = rng.normal(size=ROWS)
    rows = pd.DataFrame({f"x{place}": cause + rng.normal(0, 0.8, ROWS) for place in range(4)})
    y = cause + rng.normal(0, 0.7, ROWS)
    return rows.assign(y=y if task == REGRESSION else (y > 0).astype(int)), rng


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
def test_a_consequence_among_features_that_are_tied_is_found(alarms, task):
    rows, rng = tied(task)
    rows["mark"] = rows["y"] * (3 if task == BINARY else 1) + rng.normal(0, 1 if task == BINARY else 0.3, ROWS)

    (failure,) = alarms(rows, task)["no_suspected_leakage"].failures

    assert (failure.column, failure.holds, failure.conclusive) == ("mark", True, True)
    assert WORDS in failure.found


def test_a_consequence_need_be_neither_the_strongest_nor_a_number(found):
    rows, rng = tied(BINARY)
    rows["x0"] = rows["y"] + rows["x1"] / 9 + rng.normal(0, 0.1, ROWS)
    code = np.where(rng.random(ROWS) < 0.25, rng.integers(0, 2, ROWS), rows["y"])
    rows["paid"] = np.array(["cash", "card"])[code]

    assert WORDS in found("no_suspected_leakage", rows, BINARY)["paid"]


def test_too_few_rows_to_see_a_tie_prove_nothing(found):
    rows, rng = tied(BINARY)
    few = rows[:120].assign(mark=rows["y"] * 3 + rows["x1"] / 3 + rng.normal(0, 1, ROWS))

    assert not any(WORDS in text for text in found("no_suspected_leakage", few, BINARY).values())


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
def test_the_strongest_of_several_causes_is_not(found, task):
    rng = np.random.default_rng(32)
    causes = rng.normal(size=(4, ROWS))
    score = 3 * causes[0] + causes[1] + causes[2] + causes[3]
    y = score if task == REGRESSION else (score + rng.logistic(0, 0.3, ROWS) > 0).astype(int)
    names = {f"x{place}": cause for place, cause in enumerate(causes)}

    assert not any(WORDS in text for text in found("no_suspected_leakage", {**names, "y": y}, task).values())


def test_symptoms_that_are_all_independent_at_equal_target_are_not(found):
    rng = np.random.default_rng(33)
    y = rng.integers(0, 2, ROWS)
    symptoms = {f"x{place}": y * size + rng.normal(size=ROWS) for place, size in enumerate((2.5, 1, 1, 0.8, 0.6))}

    assert not any(WORDS in text for text in found("no_suspected_leakage", {**symptoms, "y": y}, BINARY).values())


def test_a_number_that_is_nearly_the_target_leaves_nothing_to_be_tied(found):
    rows, rng = tied(REGRESSION)
    rows["sensor"] = rows["y"] + rng.normal(0, 0.07, ROWS)

    assert WORDS not in found("no_suspected_leakage", rows, REGRESSION)["sensor"]


def test_a_time_between_two_moments_may_be_the_consequence(found):
    rows, rng = tied(BINARY)
    came = np.datetime64("2024-01-01", "us") + rng.integers(0, 900, ROWS).astype("timedelta64[h]")
    hours = (rng.gamma(3, 20, ROWS) * np.where(rows["y"] == 1, 3, 1)).astype("timedelta64[h]")

    reasons = found("no_suspected_leakage", rows.assign(came=came, left=came + hours), BINARY)

    assert {name for name, text in reasons.items() if WORDS in text} == {"came", "left"}


def with_routes(kinds):
    """Rows whose distance follows from their route, a time that follows from it, and four features that are tied."""
    rng = np.random.default_rng(34)
    route = rng.integers(0, kinds, ROWS)
    distance = rng.permutation(kinds)[route] * 4 / kinds
    cause = distance + rng.normal(0, 2, ROWS)
    rows = pd.DataFrame({f"x{place}": cause + rng.normal(0, 0.8, ROWS) for place in range(4)})
    return rows.assign(distance=distance, y=distance + rng.normal(0, 0.15, ROWS)), [f"r{each}" for each in route]


def test_a_cause_that_many_categories_fix_is_not(found):
    rows, route = with_routes(100)

    assert WORDS in found("no_suspected_leakage", rows, REGRESSION)["distance"]
    assert WORDS not in found("no_suspected_leakage", rows.assign(route=route), REGRESSION).get("distance", "")


@pytest.mark.parametrize(("kinds", "concludes"), [(100, True), (200, False)])
def test_beside_categories_too_many_to_compare_nothing_is_concluded(found, kinds, concludes):
    rows, _ = with_routes(10)
    towns = pd.qcut(rows["x0"], kinds, labels=False).map("t{}".format)  # tied to the others, not to the distance
    said = found("no_suspected_leakage", rows.assign(town=towns), REGRESSION).get("distance", "")

    assert (WORDS in said) == concludes
