"""Confidence sequences: intervals of a difference in mean loss that hold at every look at once.

A fixed-time interval that is read daily errs far more often than it states. A confidence sequence covers the true
difference at all looks together with its confidence, so a verdict may follow on any day.

Method: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 52, theorem 2.2: Robbins' normal mixture
with the estimated variance. The same boundary, read as a test, is the mixture sequential probability ratio test of
Johari, Koomen, Pekelis and Walsh (2022), "Always Valid Inference", Operations Research 70.

Units: rows of one key (a customer) depend on each other and share an arm, so what is summed up is a unit's losses, and
the variance of the mean is that of a ratio of unit totals (Cochran 1977, "Sampling Techniques", section 6.3). Estimates
whose variance falls as information grows have independent increments in information (Jennison and Turnbull 2000, "Group
Sequential Methods", chapter 11), also where the same keys come back each day.

What the asymptotics leave open is closed conservatively: each arm's variance is at least that of both arms together,
which a small arm without a rare error would underestimate, and no interval is given before the smaller arm has as many
units as the skewness of the losses asks for (the form of Cochran's rule, section 2.15, n > k * skewness^2; k = 6 with
the pooled variance, by simulation: tests/unit/live/test_confidence_sequences.py).
"""

from typing import NamedTuple

import numpy as np

FEWEST_UNITS = 30
"""Of the smaller arm, before there is an interval."""
_PER_SKEWNESS = 6.0
_MIXTURE = 0.1
"""Standard deviation of the mixture of differences, in standard deviations of a row's loss: the interval is tightest
near 900 effective rows, and within a tenth of that from 250 to 4,000."""


class Sums(NamedTuple):
    """Sums over the units of one arm, up to each look: shape (..., looks) each.

    `s` is the sum of a unit's losses and `n` its number of rows.
    """

    units: np.ndarray
    n: np.ndarray
    s: np.ndarray
    ss: np.ndarray
    sn: np.ndarray
    nn: np.ndarray
    sss: np.ndarray
    ssn: np.ndarray
    snn: np.ndarray
    nnn: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean loss of a row."""
        return np.asarray(self.s / np.maximum(self.n, 1))

    @property
    def second(self) -> np.ndarray:
        """Sum of the squared residuals of the units: their losses without the mean loss of as many rows."""
        mean = self.mean
        return np.asarray(np.maximum(self.ss - 2 * mean * self.sn + mean**2 * self.nn, 0.0))

    @property
    def third(self) -> np.ndarray:
        """Sum of the cubed residuals of the units."""
        mean = self.mean
        return np.asarray(self.sss - 3 * mean * self.ssn + 3 * mean**2 * self.snn - mean**3 * self.nnn)

    @property
    def row_variance(self) -> np.ndarray:
        """Variance of the mean times the number of rows."""
        return np.asarray(self.second * self.units / np.maximum(self.units - 1, 1) / np.maximum(self.n, 1))


class Sequence(NamedTuple):
    """Estimates at each look, shape (..., looks) each."""

    estimate: np.ndarray
    radius: np.ndarray
    """Half of the interval's width; infinite where there is no interval yet."""


def sums_of_units(loss: np.ndarray, unit: np.ndarray, look: np.ndarray, looks: int) -> Sums:
    """Return the sums up to each look.

    Args:
        loss: shape (rows,), without the mean of all rows, so that no digits are lost.
        unit: shape (rows,), the number of each row's unit, from 0.
        look: shape (rows,), the number of the first look that counts each row, from 0.
        looks: how many there are.
    """
    order = np.argsort(look, kind="stable")
    ends = np.searchsorted(look[order], np.arange(looks), side="right")
    totals = np.zeros((2, int(unit.max(initial=-1)) + 1))
    found, current, start = np.zeros((looks, len(Sums._fields))), np.zeros(len(Sums._fields)), 0
    for number, end in enumerate(ends):
        rows, start = order[start:end], int(end)
        changed, inside = np.unique(unit[rows], return_inverse=True)
        before = _powers(totals[:, changed])
        totals[0, changed] += np.bincount(inside, loss[rows], len(changed))
        totals[1, changed] += np.bincount(inside, minlength=len(changed))
        current = current + _powers(totals[:, changed]) - before
        found[number] = current
    return Sums(*found.T)


def _powers(totals: np.ndarray) -> np.ndarray:
    s, n = totals
    powers = (n > 0, n, s, s * s, s * n, n * n, s**3, s * s * n, s * n * n, n**3)
    return np.array([each.sum() for each in powers], dtype=np.float64)


def of_two_arms(one: Sums, other: Sums, confidence: float) -> Sequence:
    """Return the sequence of the mean loss of `one` less that of `other`, two arms of different units."""
    with np.errstate(divide="ignore", invalid="ignore"):
        both = one.n + other.n
        pooled = (one.row_variance * one.n + other.row_variance * other.n) / both
        variance = np.maximum(one.row_variance, pooled) / one.n + np.maximum(other.row_variance, pooled) / other.n
        units = one.units + other.units
        skewness = (one.third + other.third) / units / ((one.second + other.second) / units) ** 1.5
        ready = _enough(np.minimum(one.units, other.units), skewness)
        radius = _radius(variance, pooled, 1 - confidence)
    return Sequence(one.mean - other.mean, np.where(ready & np.isfinite(radius), radius, np.inf))


def of_pairs(differences: Sums, confidence: float) -> Sequence:
    """Return the sequence of a mean difference within rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = differences.third / differences.units / (differences.second / differences.units) ** 1.5
        ready = _enough(differences.units, skewness)
        row_variance = differences.row_variance
        radius = _radius(row_variance / differences.n, row_variance, 1 - confidence)
    return Sequence(differences.mean, np.where(ready & np.isfinite(radius), radius, np.inf))


def _enough(units: np.ndarray, skewness: np.ndarray) -> np.ndarray:
    needed: np.ndarray = np.maximum(FEWEST_UNITS, _PER_SKEWNESS * skewness**2)
    return units >= needed  # NaN, of losses that are all the same, is never enough


def _radius(variance: np.ndarray, row_variance: np.ndarray, alpha: float) -> np.ndarray:
    """Return the boundary of the normal mixture at the information that a variance stands for."""
    scaled = row_variance / variance * _MIXTURE**2
    return np.asarray(np.sqrt(variance * 2 * (scaled + 1) / scaled * np.log(np.sqrt(scaled + 1) / alpha)))
