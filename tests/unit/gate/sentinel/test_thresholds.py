"""Classes that a threshold on a weighted sum, or a product of powers, of a few columns gives."""

import numpy as np
import pytest

BINARY, MULTICLASS = "binary_classification", "multiclass_classification"
ROWS = 2500
RNG = np.random.default_rng(41)
HEIGHT = RNG.normal(1.72, 0.1, ROWS).round(2)
WEIGHT = ((25 + RNG.normal(0, 5, ROWS)) * HEIGHT**2).round(1)
INDEX = WEIGHT / HEIGHT**2
POINTS = RNG.integers(0, 101, (3, ROWS))
GRADE = 0.5 * POINTS[0] + 0.3 * POINTS[1] + 0.2 * POINTS[2]
LIMIT = RNG.choice([30, 50, 70, 100, 130], ROWS)
SPEED = (LIMIT * RNG.normal(1.02, 0.12, ROWS)).round()
NOISE = {"x": RNG.normal(size=ROWS), "z": RNG.gamma(2, 3, ROWS)}
RULES = {
    "powers": (BINARY, INDEX > 27, {"height": HEIGHT, "weight": WEIGHT}),
    "weights": (BINARY, GRADE >= 50, {"a": POINTS[0], "b": POINTS[1], "c": POINTS[2]}),
    "share of a limit": (BINARY, SPEED > 1.1 * LIMIT, {"limit": LIMIT, "speed": SPEED}),
    "one of three classes": (MULTICLASS, np.digitize(INDEX, [21, 28]), {"height": HEIGHT, "weight": WEIGHT}),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_without_exception_blocks_and_names_its_columns(found, name):
    task, target, columns = RULES[name]

    assert set(found("target_not_reconstructible", {**NOISE, **columns, "y": target}, task)) == set(columns)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_with_exceptions_does_not_block(found, name):
    task, target, columns = RULES[name]
    noisy = np.where(np.random.default_rng(5).random(ROWS) < 0.02, np.roll(target, 1), target)

    assert found("target_not_reconstructible", {**NOISE, **columns, "y": noisy}, task) == {}


def test_classes_that_lie_apart_are_no_rule(found):
    rng = np.random.default_rng(42)
    target = rng.integers(0, 2, ROWS)
    places = {f"x{at}": rng.normal(size=ROWS) + 5 * target for at in range(4)}

    assert found("target_not_reconstructible", {**places, "y": target}, BINARY) == {}


def test_a_gap_at_the_threshold_is_no_rule(found):
    a, b, x = np.random.default_rng(44).random((3, 3 * ROWS))
    kept = np.abs(a + b - 1) > 0.03
    columns = {"a": a[kept], "b": b[kept], "x": x[kept], "y": (a + b > 1)[kept]}

    assert found("target_not_reconstructible", columns, BINARY) == {}


def test_long_weights_are_those_of_a_model(found):
    rng = np.random.default_rng(43)
    values = rng.normal(size=(ROWS, 4))
    target = values @ np.array([1.0, 0.71828, -0.83147, 0.36413]) > 0

    columns = {f"x{at}": column for at, column in enumerate(values.T)}
    assert found("target_not_reconstructible", {**columns, "y": target}, BINARY) == {}
