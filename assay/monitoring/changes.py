"""What can change in one column between two samples, each change with an effect, a p-value and a bound of its own.

A bound on the whole distribution misses what matters in a small share of rows: 9 % of missing values, or a flag that
goes from 30 % to 39 %, move a distribution by 0.09. Shares are therefore watched apart, by Cohen's h, whose noise does
not depend on the share: a change of a rare share counts as much as one of a common share.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from assay.gate.distribution_tests import categories_differ, numbers_differ
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.operations import DriftSpec

if TYPE_CHECKING:
    import pandas as pd

COUNTED = (ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN)
_TWO = 2
_MISSING = object()  # equal to no value of a column
# more rows only find smaller differences
_MOST_ROWS = 200_000
_LEAST_CHANGE = 0.01
"""A share that changes in fewer than one of a hundred rows does not count, however rare it was before."""

Aspect: TypeAlias = Literal["distribution", "missing", "rate", "new_categories"]


class Change(Spec):
    """One aspect of a column that was compared."""

    aspect: Aspect
    """`rate`: share of the rarer of two values; `new_categories`: share of rows with unknown categories."""
    statistic: str
    """What the effect is."""
    before: float | None = None
    """The share before; missing for a distribution."""
    now: float | None = None
    effect: float
    p_value: float
    bound: float
    """The smallest effect that counts."""
    season_effect: float | None = None
    """The effect against the same season before the champion was trained; missing where it was not compared."""
    drifted: bool = False
    """Whether the change is significant and exceeds its bound, in the season's comparison too."""

    @property
    def exceeds(self) -> bool:
        """Whether the effect counts, whatever its significance."""
        large = self.before is None or self.now is None or abs(self.now - self.before) >= _LEAST_CHANGE
        return large and self.effect >= self.bound


def changes(before: "pd.Series[Any]", now: "pd.Series[Any]", role: ColumnRole, rule: DriftSpec) -> list[Change]:
    """Compare two samples of a column in each aspect that is watched and that it has.

    Args:
        before: of the champion's training rows, shape (n,).
        now: of the window, shape (m,).
        role: of the column.
        rule: the bounds.
    """
    before, now = _sampled(before), _sampled(now)
    if not (len(before) and len(now)):
        return []
    return [
        _distribution(before, now, role, rule.min_effect),
        *_missing(before, now, rule.missing_effect),
        *_rate(before, now, rule.flag_effect),
        *(_new_categories(before, now, rule.new_categories) if role is ColumnRole.CATEGORICAL else ()),
    ]


def _distribution(before: "pd.Series[Any]", now: "pd.Series[Any]", role: ColumnRole, bound: float) -> Change:
    if role in COUNTED:
        found = categories_differ(_counts(now), _counts(before))
    else:
        found = numbers_differ(_ordered(now), _ordered(before))
    return Change(
        aspect="distribution", statistic=found.statistic, effect=found.effect, p_value=found.p_value, bound=bound
    )


def _missing(before: "pd.Series[Any]", now: "pd.Series[Any]", bound: float | None) -> Iterator[Change]:
    shares = float(before.isna().mean()), float(now.isna().mean())
    if bound is not None and any(shares):
        yield _share_changed("missing", shares, (len(before), len(now)), bound)


def _rate(before: "pd.Series[Any]", now: "pd.Series[Any]", bound: float | None) -> Iterator[Change]:
    """Compare the share of the rarer value, of a column with one or two values."""
    known, new = before.dropna(), now.dropna()
    values = known.unique() if bound is not None and len(known) and len(new) else ()
    if bound is None or not 1 <= len(values) <= _TWO:
        return
    commonest = known.mode().iloc[0]
    shares = float((known != commonest).mean()), float((new != commonest).mean())
    if any(shares):
        yield _share_changed("rate", shares, (len(known), len(new)), bound)


def _share_changed(aspect: Aspect, shares: tuple[float, float], rows: tuple[int, int], bound: float) -> Change:
    """Compare two shares by the arcsine transform, which makes the noise independent of the share.

    Source: Cohen, J. (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 6.
    """
    angles = [2 * math.asin(math.sqrt(share)) for share in shares]
    effect = abs(angles[1] - angles[0])
    z = effect / math.sqrt(1 / rows[0] + 1 / rows[1])
    return Change(
        aspect=aspect,
        statistic="Cohen's h",
        before=shares[0],
        now=shares[1],
        effect=effect,
        p_value=math.erfc(z / math.sqrt(2)),
        bound=bound,
    )


def _new_categories(before: "pd.Series[Any]", now: "pd.Series[Any]", bound: float | None) -> Iterator[Change]:
    """Compare the share of rows with unknown categories with the share that the training rows let expect.

    The expected share is that of the categories seen once: a column with a long tail always has new ones.

    Source: Good, I. J. (1953), The population frequencies of species and the estimation of population parameters;
        Biometrika 40.
    """
    counts, new = before.value_counts(), now.dropna()
    if bound is None or counts.empty or new.empty:
        return
    once, unknown = int((counts == 1).sum()), int((~new.isin(counts.index)).sum())
    if not unknown:
        return
    known_rows = int(counts.sum())
    expected, share = once / known_rows, unknown / len(new)
    pooled = (once + unknown) / (known_rows + len(new))
    noise = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / known_rows + 1 / len(new)))
    yield Change(
        aspect="new_categories",
        statistic="share of rows beyond the expected",
        before=expected,
        now=share,
        effect=max(0.0, share - expected),
        p_value=0.5 * math.erfc((share - expected) / noise / math.sqrt(2)),
        bound=bound,
    )


def _counts(values: "pd.Series[Any]") -> "pd.Series[int]":
    """Return rows by value; missing is a value of its own."""
    import pandas as pd

    counts = values.value_counts()
    return pd.Series([*counts, int(values.isna().sum())], index=pd.Index([*counts.index, _MISSING], dtype=object))


def _ordered(values: "pd.Series[Any]") -> "np.ndarray[Any, Any]":
    """Return numbers with missing ones below all others, so that a change of their share is a difference."""
    numbers = values.to_numpy(dtype=np.float64)
    return np.where(np.isnan(numbers), -np.inf, numbers)


def _sampled(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if len(values) <= _MOST_ROWS:
        return values
    chosen = np.random.default_rng(0).choice(len(values), _MOST_ROWS, replace=False)
    return values.iloc[np.sort(chosen)]
