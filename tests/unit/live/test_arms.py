"""Which arm a key belongs to: stable, uniform, and moved one way by a greater share."""

import datetime as dt
import math

import pytest

from assay.serving.arms import Arm, arm_of, key_text, position_of

KEYS = [f"customer {number}" for number in range(20_000)]


def test_positions_are_the_same_on_every_machine():
    # computed once, by hashlib of another machine
    assert [position_of("loans", "7", key) for key in ("1", "2", "ü")] == [
        0.3316902082649239,
        0.9837743866320792,
        0.7859357042862076,
    ]


def test_positions_are_uniform():
    """Kolmogorov-Smirnov: the largest distance from the uniform distribution at 20,000 keys and p = 0.001."""
    found = sorted(position_of("loans", "7", key) for key in KEYS)
    distance = max(max((n + 1) / len(found) - x, x - n / len(found)) for n, x in enumerate(found))
    assert distance < 1.95 / math.sqrt(len(found))
    assert 0 <= found[0] < found[-1] < 1


@pytest.mark.parametrize("other", [("loans", "8"), ("rents", "7")], ids=["salt", "pipeline"])
def test_experiments_are_independent(other):
    both = sum(position_of("loans", "7", key) < 0.5 and position_of(*other, key) < 0.5 for key in KEYS)
    assert abs(both / len(KEYS) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(KEYS))


def test_a_greater_share_only_moves_keys_to_the_challenger():
    challenged = [
        {key for key in KEYS[:3000] if arm_of("p", "s", key, share) is Arm.CHALLENGER} for share in (0.1, 0.2, 0.7)
    ]
    assert challenged[0] < challenged[1] < challenged[2]
    assert arm_of("p", "s", KEYS[0], 0.0) is Arm.CHAMPION
    assert arm_of("p", "s", KEYS[0], 1.0) is Arm.CHALLENGER


def test_texts_that_run_together_are_different_keys():
    assert position_of("p", "12", "3") != position_of("p", "1", "23")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "42"), (42.0, "42"), ("42", "42"), (True, "true"), (0.5, "0.5"), (dt.date(2026, 1, 31), "2026-01-31"),
        (None, None), (math.nan, None), ("", None), ("\ud800", "\\ud800"),
    ],
)  # fmt: skip
def test_a_key_has_one_text(value, text):
    assert key_text(value) == text


def test_a_long_key_is_bounded():
    assert len(key_text("x" * 10**6)) < 80
    assert key_text("x" * 10**6) != key_text("x" * 10**6 + "y")
