"""Two-sample tests of a column with effect sizes, and control of the false discovery rate over many columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# below this expected count the chi-square distribution is no longer that of the statistic (Cochran 1954)
_FEWEST_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """What a test of one column found.

    Attributes:
        statistic: name of the effect.
        effect: size of the difference, from 0 (none) to 1.
        p_value: probability of a difference at least as large by chance.
    """

    statistic: str
    effect: float
    p_value: float

    def __str__(self) -> str:
        """Return the finding in words."""
        return f"{self.statistic} {self.effect:.3f}, p {self.p_value:.2g}"


def numbers_differ(ours: "np.ndarray[Any, Any]", theirs: "np.ndarray[Any, Any]") -> Difference:
    """Compare two samples of numbers by the Kolmogorov-Smirnov test, with the asymptotic p-value.

    The statistic, the largest distance of the two distribution functions, is the effect. With ties the p-value is too
    large, never too small (Noether 1963).

    Args:
        ours: float64 of shape (n,), n > 0, without NaN.
        theirs: float64 of shape (m,), m > 0, without NaN.

    Source: Smirnov, N. (1939), On the estimation of the discrepancy between empirical curves of distribution for two
        independent samples; Bulletin Mathématique de l'Université de Moscou 2(2).
    """
    from scipy import stats

    found = stats.ks_2samp(ours, theirs, method="asymp")
    return Difference("KS distance", float(found.statistic), float(found.pvalue))


def categories_differ(ours: "pd.Series[int]", theirs: "pd.Series[int]") -> Difference:
    """Compare two samples of categories by Pearson's chi-square test; the effect is the total variation distance.

    Categories expected fewer than five times in either sample are pooled.

    Args:
        ours: number of rows by category.
        theirs: the same of the other sample.

    Source: Pearson, K. (1900), On the criterion that a given system of deviations ... is such that it can be
        reasonably supposed to have arisen from random sampling; Philosophical Magazine 50. Cochran, W. G. (1954),
        Some methods for strengthening the common chi-square tests; Biometrics 10.
    """
    from scipy import stats

    table = _pooled(_contingency(ours, theirs))
    if table.shape[1] < len(("one", "another")):
        return Difference("total variation distance", 0.0, 1.0)
    shares = table / table.sum(axis=1, keepdims=True)
    effect = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return Difference("total variation distance", effect, float(stats.chi2_contingency(table, correction=False).pvalue))


def discoveries(p_values: Sequence[float], rate: float) -> list[bool]:
    """Return which tests are significant with the expected share of false ones at most `rate`.

    Source: Benjamini, Y. and Hochberg, Y. (1995), Controlling the false discovery rate: a practical and powerful
        approach to multiple testing; Journal of the Royal Statistical Society B 57(1).
    """
    from scipy import stats

    if not p_values:
        return []
    return [bool(adjusted <= rate) for adjusted in stats.false_discovery_control(np.clip(p_values, 0, 1))]


def _contingency(ours: "pd.Series[int]", theirs: "pd.Series[int]") -> "np.ndarray[Any, Any]":
    labels = list(dict.fromkeys([*ours.index, *theirs.index]))
    counts = [[int(sample.get(label, 0)) for label in labels] for sample in (ours, theirs)]
    table = np.array(counts, dtype=np.int64).reshape(2, -1)
    return table[:, table.sum(axis=0) > 0]


def _pooled(table: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return a table of shape (2, k) whose columns all have an expected count of at least five in both samples."""
    totals = table.sum(axis=0)
    expected = totals * table.sum(axis=1).min() / table.sum()
    rare = expected < _FEWEST_EXPECTED
    if not rare.any():
        return table
    if expected[rare].sum() < _FEWEST_EXPECTED and not rare.all():
        rare[np.flatnonzero(~rare)[np.argmin(totals[~rare])]] = True
    return np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
