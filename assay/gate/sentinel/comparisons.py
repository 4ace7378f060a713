"""Columns that tell two classes in every row: a > b, the sign of a x b, a total that equals its parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import MIN_ROWS, Array, coded
from assay.gate.sentinel.formulas import is_short
from assay.gate.sentinel.joined_columns import (
    CONFIRMED_ROWS,
    SEARCHED_ROWS,
    Numbers,
    Reasons,
    joined,
    numbers_of,
    pair_values,
    worded,
)
from assay.gate.sentinel.thresholds import thresholds

_NEARLY = 1e-4
_CLASSES = 6
"""More classes are not compared with the rest."""
_NEAR_BOUNDARY = 0.01
_MIN_NEAR = 0.002


def compared_numbers(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find a class that a comparison of columns gives: a > b, the sign of a x b, a / b > 0.5, a / b^2 > 30.

    Rows must lie close to the boundary on both sides, and no column alone may separate: clusters that lie apart do.
    """
    labels = coded(table, target, rows)
    if labels is None or not 2 <= labels.distinct <= _CLASSES:  # noqa: PLR2004 - two classes
        return {}
    for code in range(1, labels.distinct) if labels.distinct == 2 else range(labels.distinct):  # noqa: PLR2004
        inside = np.where(labels.present, (labels.codes == code).astype(np.float64), np.nan)
        if found := _compared(numbers_of(table, inside, features, rows)):
            return found
    return {}


def _compared(numbers: Numbers) -> Reasons:
    few = numbers.every(SEARCHED_ROWS)
    if min(few.target.sum(), few.target.size - few.target.sum()) < MIN_ROWS:
        return {}
    if _conserved(few) and (found := _conserved(numbers.every(CONFIRMED_ROWS))):
        return found
    for term in _separating(few):
        many = numbers.every(CONFIRMED_ROWS)
        if _separates(_term_values(term, many), many.target):
            where = f"where {worded(term)} is larger, in all {many.target.size:,} rows compared"
            words = f"gives the target with another: it is one class {where}"
            return dict.fromkeys((term[1], term[2]), words)
    return thresholds(numbers)


_CONSERVED = 1e-6
_CHANGES = 0.99


def _conserved(numbers: Numbers) -> Reasons:
    """Find a weighted sum that is constant in all rows of one class, and has that value in no others.

    A total equals the sum of its parts unless there was a tip. The sum is the direction in which the rows of the class
    do not vary, though all rows do.
    """
    if len(numbers.names) < 2:  # noqa: PLR2004 - a sum joins two
        return {}
    spread = numbers.values.std(axis=0)
    values = (numbers.values - numbers.values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    for label in (0, 1):
        inside, outside = values[numbers.target == label], values[numbers.target != label]
        if min(len(inside), len(outside)) < max(MIN_ROWS, 2 * values.shape[1]):
            continue
        middle = inside.mean(axis=0)
        squares, directions = np.linalg.eigh((inside - middle).T @ (inside - middle))
        for direction in directions.T[squares <= _CONSERVED**2 * squares[-1]]:
            changed = np.abs((outside - middle) @ direction) > 10 * _CONSERVED
            names = [name for name, weight in zip(numbers.names, direction, strict=True) if abs(weight) > _NEARLY]
            if changed.mean() >= _CHANGES and len(names) > 1:
                words = f"gives the target with others: a sum of {', '.join(names)} is constant in one class alone"
                return dict.fromkeys(names, words)
    return {}


def _term_values(term: tuple[str, str, str], numbers: Numbers) -> Array:
    place = {name: index for index, name in enumerate(numbers.names)}
    with np.errstate(all="ignore"):
        return joined(term[0], numbers.values[:, place[term[1]]], numbers.values[:, place[term[2]]])


def _separating(numbers: Numbers) -> "Iterator[tuple[str, str, str]]":
    terms, values = pair_values(numbers, ("-", "x", "/"))
    if not terms:
        return
    first = numbers.target == 1
    low, high = values[first], values[~first]
    apart = (low.min(axis=0) > high.max(axis=0)) | (low.max(axis=0) < high.min(axis=0))
    for index in np.flatnonzero(apart):
        yield terms[index]


def _separates(values: Array, target: Array) -> bool:
    usable = np.isfinite(values)
    inside, outside = values[usable & (target == 1)], values[usable & (target == 0)]
    if min(inside.size, outside.size) < MIN_ROWS:
        return False
    low, high = (inside, outside) if inside.max() < outside.min() else (outside, inside)
    if low.max() >= high.min():
        return False
    width = _NEAR_BOUNDARY * float(np.subtract(*np.quantile(values[usable], [0.95, 0.05])))
    middle = (low.max() + high.min()) / 2
    natural = abs(middle) <= width or (is_short(round(float(middle), 3)) and abs(high.min() - low.max()) <= width)
    near = min((low > middle - 5 * width).mean(), (high < middle + 5 * width).mean())
    return bool(natural and high.min() - low.max() <= width and near >= _MIN_NEAR)
