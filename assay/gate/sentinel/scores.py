"""How well features predict the target: each one alone, and a few numbers as parts of a sum.

A single feature's score is computed from counts, cross-fitted in two folds; no model is fitted. It comes with a lower
bound that accounts for few rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.copies import MIN_MEMBERS, correlated
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, CodedColumn, as_floats, values_of

_BINS = 64
_MAX_CATEGORIES = 1000
_FOLDS = 2
_SEED = 7
_MIN_PRESENT_SHARE = 0.1
SURE_MEMBERS = 100
"""Members that a class needs for its score to be sure of anything near 0.99."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one feature can do alone.

    Attributes:
        value: macro one-vs-rest AUC, or R2 of the target's ranks, from 0 to 1.
        at_least: lower confidence bound, one standard error (84 %, one-sided); 0 where nothing is sure.
    """

    value: float
    at_least: float


def class_score(feature: CodedColumn, target: CodedColumn) -> Score:
    """Return the AUC of one feature, best of: by its order, by target rates of its bins, by its gaps.

    A class counts with at least 10 members, towards the bound with at least 100. The bound is Wilson's (1927), with
    the smaller side as the number of rows: the variance of an AUC A is at most A(1 - A) / min(m, n) (Birnbaum and
    Klose 1957).

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    per_class = _from_bins(feature, target)
    shown = feature.present
    if _enough(shown):
        there = target.in_rows(shown)
        if not shown.all():
            per_class = np.fmax(per_class, _from_bins(feature.in_rows(shown), there))
        if feature.ordered:
            per_class = np.fmax(per_class, _from_order(feature.in_rows(shown), there))
    sizes = np.bincount(target.codes, minlength=target.distinct)
    sides = np.minimum(sizes, sizes.sum() - sizes)
    return Score(
        _macro(per_class, sides >= MIN_MEMBERS), _macro(_wilson_bound(per_class, sides), sides >= SURE_MEMBERS)
    )


def number_score(feature: CodedColumn, target: CodedColumn) -> Score:
    """Return R2 of the target's ranks, by the feature's order or by the means of its bins, whichever is larger.

    The bound is Fisher's (1921), of the transformed correlation. Ranks, since a few huge numbers would decide all else.

    Args:
        feature: one code per row.
        target: one number per row, none missing.
    """
    ranks = target.midranks()
    found = [(_ratio_from_bins(feature, ranks), ranks.size)]
    shown = feature.present
    if _enough(shown):
        there, ranks_there = feature.in_rows(shown), target.in_rows(shown).midranks()
        if not shown.all():
            found.append((_ratio_from_bins(there, ranks_there), ranks_there.size))
        if feature.ordered:
            found.append((abs(correlated(there.midranks(), ranks_there)), ranks_there.size))
    value, rows = max(found)
    if rows < MIN_ROWS:
        return Score(value**2, 0.0)
    within = min(value, 1 - 1e-12)
    # 1.03: the error of a rank correlation, over that of Pearson's (Fieller, Hartley and Pearson 1957)
    at_least = max(0.0, float(np.tanh(np.arctanh(within) - 1.03 / np.sqrt(rows - 3))))
    return Score(value**2, at_least**2)


def _enough(shown: Array) -> bool:
    return bool(not shown.all() and shown.sum() >= max(MIN_ROWS, _MIN_PRESENT_SHARE * shown.size)) or bool(shown.all())


def _macro(scores: Array, counted: Array) -> float:
    known = counted & np.isfinite(scores)
    return float(scores[known].mean()) if known.any() else 0.0


def _wilson_bound(share: Array, rows: Array) -> Array:
    n = np.maximum(rows, 1).astype(np.float64)
    centre = share + 0.5 / n
    spread = np.sqrt(np.maximum(share * (1 - share), 0) / n + 0.25 / n**2)
    found: Array = (centre - spread) / (1 + 1 / n)
    return found


def auc_of_ranks(rank_sums: Array, members: Array | int, others: Array | int) -> Array:
    """Return the AUC of a class from the sum of its rows' ranks, 1 for the lowest (Mann and Whitney 1947).

    Args:
        rank_sums: of the class, of any shape.
        members: rows of the class.
        others: all other rows.
    """
    auc: Array = (rank_sums - members * (members + 1) / 2) / (members * others)
    return auc


def _from_order(feature: CodedColumn, target: CodedColumn) -> Array:
    sizes = np.bincount(target.codes, minlength=target.distinct).astype(np.float64)
    sums = np.bincount(target.codes, weights=feature.midranks(), minlength=target.distinct)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = auc_of_ranks(sums, sizes, sizes.sum() - sizes)
    found: Array = np.maximum(auc, 1 - auc)
    return found


def _from_bins(feature: CodedColumn, target: CodedColumn) -> Array:
    bins = _bins(feature)
    shape = (_FOLDS, int(bins.max(initial=0)) + 1, target.distinct)
    cells = np.ravel_multi_index((_folds(bins.size), bins, target.codes), shape)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
    found: Array = np.mean([_auc_by_rate(counts[1 - fold], counts[fold]) for fold in range(_FOLDS)], axis=0)
    return found


def _auc_by_rate(learned: Array, tested: Array) -> Array:
    """Return for each class the AUC of the rates of `learned` over the rows of `tested`, both (bins, classes)."""
    prior = learned.sum(axis=0) / max(learned.sum(), 1)
    rates = (learned + prior) / (learned.sum(axis=1, keepdims=True) + 1)
    found = np.full(tested.shape[1], np.nan)
    for label in range(tested.shape[1]):
        _, level = np.unique(rates[:, label], return_inverse=True)
        members = np.bincount(level, weights=tested[:, label])
        others = np.bincount(level, weights=tested.sum(axis=1) - tested[:, label])
        if members.sum() and others.sum():
            won = members @ (np.cumsum(others) - others / 2)
            found[label] = won / (members.sum() * others.sum())
    return found


def _ratio_from_bins(feature: CodedColumn, values: Array) -> float:
    bins = _bins(feature)
    centred = values - values.mean()
    size = int(bins.max(initial=0)) + 1
    cells = _folds(values.size) * size + bins
    counts, sums = (
        np.bincount(cells, weights=weights, minlength=_FOLDS * size).reshape(_FOLDS, size)
        for weights in (None, centred)
    )
    # towards the mean of all, which is 0, by one row
    expected = sums[::-1] / (counts[::-1] + 1)
    total = float(centred @ centred)
    left = total + float((counts * expected**2 - 2 * sums * expected).sum())
    return float(np.sqrt(max(0.0, 1 - left / total))) if total > 0 else 0.0


@lru_cache(maxsize=2)
def _folds(rows: int) -> Array:
    return np.random.default_rng(_SEED).integers(0, _FOLDS, rows)


def _bins(feature: CodedColumn) -> Array:
    """Return a bin for each row: of equal size for numbers, the commonest categories; gaps have their own."""
    counts = np.bincount(feature.codes[feature.present], minlength=feature.distinct)
    if feature.ordered:
        middle = np.cumsum(counts) - counts / 2
        bin_of_code = np.minimum((middle * _BINS / max(counts.sum(), 1)).astype(np.int64), _BINS - 1)
    else:
        rank = np.empty(feature.distinct, dtype=np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(feature.distinct)
        bin_of_code = np.minimum(rank, _MAX_CATEGORIES)
    gap = int(bin_of_code.max(initial=0)) + 1
    found: Array = np.append(bin_of_code, gap)[feature.codes]
    return found


EXACT_FIT = 1 - 1e-6
"""R2 from which the target is a combination; no model of real data reaches it."""
MAX_PARTS = 5
"""More parts than this are a model, not a sum."""
_FITTED_ROWS = 1000
_FITTED_COLUMNS = 200
_ROWS_PER_COLUMN = 4
_ROUNDING = 1e-3
_HUGE = 1e100
"""Squares of larger numbers overflow; they count as missing, as infinite ones do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Features whose weighted sum is the target.

    Attributes:
        weights: the factor of each feature.
        constant: what is added.
        fit: R2 over all rows used.
    """

    weights: dict[str, float]
    constant: float
    fit: float

    def __str__(self) -> str:
        """Return the sum in words."""
        terms = [f"{weight:.4g} x {name}" for name, weight in self.weights.items()]
        return " + ".join(terms + ([f"{self.constant:.4g}"] if self.constant else []))


def parts_of_target(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Parts | None:
    """Find the few features whose weighted sum is the target.

    Least squares of all of them first; then backward elimination in blocks, smallest contribution first.

    Returns:
        The fewest parts found; None where no combination is exact, or only one of more than five.
    """
    names, values, wanted = _complete_rows(table, target, features, rows)
    return parts_of_numbers(names, values, wanted)


def parts_of_numbers(
    names: Sequence[str], values: Array, wanted: Array, exact: float = EXACT_FIT, most: int = MAX_PARTS
) -> Parts | None:
    """Find the few columns whose weighted sum is a number.

    Args:
        names: of the columns.
        values: shape (rows, columns), finite.
        wanted: shape (rows,), finite.
        exact: R2 from which a sum is the number.
        most: parts that a sum may have.
    """
    if not names or wanted.size < MIN_ROWS or float(np.ptp(wanted)) == 0:
        return None
    step = max(1, wanted.size // max(_FITTED_ROWS, _ROWS_PER_COLUMN * len(names)))
    few, few_wanted = values[::step], wanted[::step]
    if least_squares(few, few_wanted)[0] <= exact:
        return None
    kept = _eliminated(few, few_wanted, np.arange(len(names)), exact)
    fit, weights = least_squares(values[:, kept], wanted)
    if kept.size > most or fit <= exact:
        return None
    constant = float(wanted.mean() - values[:, kept].mean(axis=0) @ weights)
    shown = constant if abs(constant) > _ROUNDING * float(wanted.std()) else 0.0
    return Parts({names[index]: float(weight) for index, weight in zip(kept, weights, strict=True)}, shown, fit)


def _complete_rows(
    table: CheckedTable, target: str, features: Sequence[str], rows: Array | None
) -> tuple[list[str], Array, Array]:
    """Return the numbers of the rows that have all of them; a feature that would cost half of the rows stays out."""
    wanted = as_floats(values_of(table, target, rows))
    complete = np.abs(wanted) < _HUGE
    found: dict[str, Array] = {}
    enough = max(MIN_ROWS, int(complete.sum()) // 2)
    for name in features:
        if table.kind(name) not in NUMBERS:
            continue
        values = as_floats(values_of(table, name, rows))
        both = complete & (np.abs(values) < _HUGE)
        if both.sum() >= max(enough, _ROWS_PER_COLUMN * (len(found) + 2)) and len(found) < _FITTED_COLUMNS:
            found[name], complete = values, both
    columns = [values[complete] for values in found.values()]
    return list(found), np.column_stack(columns) if columns else np.empty((0, 0)), wanted[complete]


def _eliminated(values: Array, wanted: Array, kept: Array, exact: float) -> Array:
    block = kept.size // 2
    while block:
        _, weights = least_squares(values[:, kept], wanted)
        order = np.argsort(np.abs(weights) * values[:, kept].std(axis=0))
        smaller = [np.delete(kept, order[start : start + block]) for start in range(0, kept.size - block, block)]
        fitting = (chosen for chosen in smaller if least_squares(values[:, chosen], wanted)[0] > exact)
        chosen = next(fitting, None)
        if chosen is None:
            block //= 2
        else:
            kept, block = chosen, min(block, chosen.size // 2)
    return kept


def least_squares(values: Array, wanted: Array) -> tuple[float, Array]:
    """Return R2 and the weights of least squares with a constant."""
    middle, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    centred = wanted - wanted.mean()
    standard = (values - middle) / scale
    weights = np.linalg.lstsq(standard, centred, rcond=None)[0]
    left = centred - standard @ weights
    return 1 - float(left @ left) / float(centred @ centred), weights / scale
