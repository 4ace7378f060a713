"""Features that are tied to the rest only through the target, as what follows from the outcome alone is.

What comes before an outcome shares causes with other features, or competes with them as an explanation, so that they
stay tied among rows of equal target. A consequence of the outcome is separated from them by it (d-separation; Pearl
2009, "Causality", section 1.2; Reichenbach 1956 on common causes). Such a feature among others that are tied stands
apart however well the others predict.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from assay.gate.sentinel.features import MIN_ROWS, Array, CodedColumn

SMALL = 0.1
"""Correlation that Cohen (1988) calls small; weaker ties are none."""
TIED = 0.2
"""Correlation from which a feature is tied to another for sure, in a table of hundreds of rows."""
CHANCE = 0.01
"""Probability at which independent features seem tied, over all others (Bonferroni)."""
STRONG = 0.5
"""Skill from which a feature may hold the outcome: an AUC of 0.75, or an R2 of ranks of 0.5."""
MOST_R2 = 0.99
"""R2 of ranks beyond which nothing is left, at equal target, that could be tied."""
OF_OTHERS = 0.6
"""Share of the other telling features that are tied."""
TELLING = 0.05
"""Skill from which a feature tells something of the target."""
_FEWEST_OTHERS = 3
_ROWS_PER_VALUE = 10
_ROWS = 4000
_MOST_COLUMNS = 100
_ROWS_PER_BIN = 30
_MOST_BINS = 30


def separated(
    columns: Mapping[str, CodedColumn | None], labels: CodedColumn | None, skill: Mapping[str, float], *, classes: bool
) -> dict[str, str]:
    """Return the strong features that are tied to the others only through the target.

    Args:
        columns: the features.
        labels: the target of the same rows.
        skill: of each feature, from 0 to 1.
        classes: whether the target is of classes.
    """
    rows = np.empty(0, dtype=np.int64) if labels is None else np.flatnonzero(labels.present)
    rows = rows[:: max(1, rows.size // _ROWS)]
    if labels is None or rows.size < 2 * MIN_ROWS or max(skill.values(), default=0.0) < STRONG:
        return {}
    few = labels.in_rows(rows)
    telling = sorted((name for name in skill if skill[name] >= TELLING), key=lambda name: -skill[name])
    varying = {
        name: taken
        for name in telling
        if (column := columns[name]) is not None and (taken := column.in_rows(rows)).distinct > 1
    }
    if any(not each.ordered and each.distinct * _ROWS_PER_VALUE > rows.size for each in varying.values()):
        return {}  # a feature may be tied to one that cannot be compared
    compared = {name: _in_order(column, few, classes=classes) for name, column in varying.items()}
    names = list(compared)[:_MOST_COLUMNS]
    strong = [name for name in names if STRONG <= skill[name] <= (1.0 if classes else MOST_R2)]
    if not strong or len(names) <= _FEWEST_OTHERS:
        return {}
    left = _left_by_target([compared[name] for name in names], few, classes=classes)
    ties = _largest_ties(left)
    chance = NormalDist().inv_cdf(1 - CHANCE / (2 * (len(names) - 1) * len(strong))) / np.sqrt(len(left))
    if chance >= TIED:
        return {}  # in so few rows no tie is as likely as a small one
    none = max(SMALL, chance)
    found: dict[str, str] = {}
    for name in strong:
        own, others = ties[names.index(name)], np.delete(ties, names.index(name))
        if own < none and (others >= TIED).mean() >= OF_OTHERS:
            found[name] = (
                f"is tied to the others only through the target (correlation {own:.2f} at equal target; others up to "
                f"{others.max():.2f}), as what follows from the outcome is"
            )
    return found


def _in_order(column: CodedColumn, labels: CodedColumn, *, classes: bool) -> CodedColumn:
    """Return a column whose larger codes are larger values; categories in the order of their mean target."""
    if column.ordered:
        return column
    there = column.present
    target = labels.codes == np.bincount(labels.codes).argmax() if classes else labels.codes
    sums = np.bincount(column.codes[there], weights=target[there], minlength=column.distinct)
    means = sums / np.maximum(np.bincount(column.codes[there], minlength=column.distinct), 1)
    place = np.empty(column.distinct + 1, dtype=np.int64)
    place[np.argsort(means, kind="stable")] = np.arange(column.distinct)
    place[-1] = -1
    return CodedColumn(place[column.codes], column.distinct, ordered=True)


def _left_by_target(columns: Sequence[CodedColumn], labels: CodedColumn, *, classes: bool) -> Array:
    """Return the features' ranks without what the target explains of them, standardised, shape (rows, features)."""
    group, rows = labels.codes, labels.codes.size
    if not classes:
        bins = min(_MOST_BINS, max(2, rows // _ROWS_PER_BIN))
        group = np.minimum(labels.midranks() * bins / (rows + 1), bins - 1).astype(np.int64)
    group = np.unique(group, return_inverse=True)[1]
    found = np.column_stack([_centred(each.midranks(), group) for each in columns])
    lengths = np.sqrt((found**2).mean(axis=0))
    standard: Array = found / np.where(lengths > 0, lengths, 1.0)
    return standard


def _centred(ranks: Array, group: Array) -> Array:
    present = np.isfinite(ranks)
    values = np.where(present, ranks, 0.0)
    counts = np.maximum(np.bincount(group, weights=present), 1)
    means = np.bincount(group, weights=values) / counts
    found: Array = np.where(present, values - means[group], 0.0)
    return found


def _largest_ties(left: Array) -> Array:
    correlations = np.abs(left.T @ left) / len(left)
    np.fill_diagonal(correlations, 0.0)
    found: Array = correlations.max(axis=0)
    return found
