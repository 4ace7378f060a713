"""Confidence sequences: how often daily looks err where nothing differs, and what they find where something does."""

from collections.abc import Callable

import numpy as np
import pytest

from assay.live.sequences import FEWEST_UNITS, Sequence, Sums, of_pairs, of_two_arms, sums_of_units

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
DAYS = 30
STEADY, SMALL_AT_FIRST = np.full(DAYS, 150), np.minimum(10 + 12 * np.arange(DAYS), 200)
LOSSES: dict[str, Draw] = {
    "errors in 1 of 50 rows": lambda random, shape: (random.random(shape) < 0.02).astype(np.float64),
    "errors in 1 of 5 rows": lambda random, shape: (random.random(shape) < 0.2).astype(np.float64),
    "squared errors with a long tail": lambda random, shape: np.exp(1.5 * random.standard_normal(shape)),
    "log losses": lambda random, shape: np.log1p(np.exp(-1.5 - 2 * random.standard_normal(shape))),
}


def single_rows(loss: np.ndarray, inside: np.ndarray, sizes: np.ndarray) -> Sums:
    """Return the sums of arms in which each row is a unit, shape (repetitions, days)."""
    ends = np.cumsum(sizes) - 1
    n, s, ss, sss = (np.cumsum(loss**power * inside, axis=1)[:, ends] for power in range(4))
    return Sums(units=n, n=n, s=s, ss=ss, sn=s, nn=n, sss=sss, ssn=ss, snn=s, nnn=n)


def experiments(draw: Draw, share: float, sizes: np.ndarray, repetitions: int, effect: float = 0.0) -> Sequence:
    random = np.random.default_rng(7)
    arm = random.random((repetitions, int(sizes.sum()))) < share
    loss = draw(random, arm.shape) - effect * arm
    return of_two_arms(single_rows(loss, arm, sizes), single_rows(loss, ~arm, sizes), 0.95)


def share_with_a_verdict(found: Sequence) -> float:
    return float((np.abs(found.estimate) > found.radius).any(axis=1).mean())


def customers(random: np.random.Generator, repetitions: int) -> list[Sequence]:
    """Return the sequences of experiments without a difference, in which customers come again and differ lastingly."""
    found = []
    for _ in range(repetitions):
        unit = random.integers(0, 400, 6_000)
        loss = random.standard_normal(400)[unit] + 0.5 * random.standard_normal(6_000)
        arm, look = (random.random(400) < 0.3)[unit], np.arange(6_000) // 200
        sums = [sums_of_units(loss[side], unit[side], look[side], DAYS) for side in (arm, ~arm)]
        found.append(of_two_arms(sums[0], sums[1], 0.95))
    return found


@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize(("share", "sizes"), [(0.1, SMALL_AT_FIRST), (0.5, STEADY)], ids=["a tenth", "half"])
def test_thirty_daily_looks_seldom_find_a_difference_where_there_is_none(losses, share, sizes):
    assert share_with_a_verdict(experiments(LOSSES[losses], share, sizes, 60)) <= 0.05


def test_a_fixed_interval_would_find_one_far_more_often():
    found = experiments(lambda random, shape: random.standard_normal(shape), 0.5, STEADY, 200)
    rows = np.cumsum(STEADY)
    fixed = 1.96 * 2 / np.sqrt(rows)
    assert float((np.abs(found.estimate) > fixed).any(axis=1).mean()) > 0.2
    assert share_with_a_verdict(found) <= 0.05


def test_customers_that_come_again_are_no_new_evidence():
    verdicts = [bool((np.abs(each.estimate) > each.radius).any()) for each in customers(np.random.default_rng(3), 40)]
    assert np.mean(verdicts) <= 0.05


def test_rows_of_one_customer_are_summed_up():
    loss, unit, look = np.array([1.0, 3.0, 2.0, 0.0]), np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    found = sums_of_units(loss, unit, look, 2)
    assert found.units.tolist() == [2, 2]
    assert found.mean.tolist() == [2.0, 1.5]
    # residuals of the units, with the mean 1.5: 4 - 3 and 2 - 3
    assert found.second[1] == pytest.approx(2.0)
    assert found.third[1] == pytest.approx(0.0)


def test_a_real_difference_is_found():
    found = experiments(LOSSES["errors in 1 of 5 rows"], 0.1, np.full(DAYS, 1_000), 40, effect=0.05)
    assert share_with_a_verdict(found) >= 0.9
    worse = found.estimate > found.radius
    assert not worse.any()


def test_pairs_find_a_small_difference_sooner():
    random = np.random.default_rng(5)
    common = np.exp(random.standard_normal((40, 3_000)))
    difference = 0.05 + 0.3 * random.standard_normal(common.shape)
    inside = np.ones(common.shape, dtype=bool)
    sizes = np.full(DAYS, 100)
    paired = of_pairs(single_rows(difference, inside, sizes), 0.95)
    assert share_with_a_verdict(paired) >= 0.9
    arm = random.random(common.shape) < 0.5
    loss = common + difference * arm
    apart = of_two_arms(single_rows(loss, arm, sizes), single_rows(loss, ~arm, sizes), 0.95)
    assert share_with_a_verdict(apart) <= 0.5


def test_there_is_no_interval_before_there_are_enough_units():
    loss = np.random.default_rng(1).standard_normal((1, 400))
    arm = np.arange(400)[None, :] % 4 == 0
    found = of_two_arms(single_rows(loss, arm, np.full(20, 20)), single_rows(loss, ~arm, np.full(20, 20)), 0.95)
    known = np.isfinite(found.radius[0])
    assert known.tolist() == [5 * (day + 1) >= FEWEST_UNITS for day in range(20)]


def test_losses_without_any_difference_give_no_interval():
    same = sums_of_units(np.zeros(100), np.arange(100), np.zeros(100, dtype=int), 1)
    assert np.isinf(of_pairs(same, 0.95).radius).all()


@pytest.mark.full
@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("sizes", [STEADY, SMALL_AT_FIRST, np.full(DAYS, 600)], ids=["steady", "growing", "large"])
def test_thirty_daily_looks_err_in_at_most_one_of_twenty(losses, share, sizes):
    portion = 50
    verdicts = []
    for start in range(10):
        random = np.random.default_rng(start)
        arm = random.random((portion, int(sizes.sum()))) < share
        loss = LOSSES[losses](random, arm.shape)
        found = of_two_arms(single_rows(loss, arm, sizes), single_rows(loss, ~arm, sizes), 0.95)
        verdicts.append(share_with_a_verdict(found))
    assert np.mean(verdicts) <= 0.05
