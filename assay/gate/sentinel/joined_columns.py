"""Numeric columns of the same rows, and operations on two of them: what formulas and comparisons are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, squarable, values_of

SEARCHED_ROWS = 2000
CONFIRMED_ROWS = 20_000
_PAIRED_COLUMNS = 40
Term: TypeAlias = tuple[str, str, str]
"""An operation and two columns; a column alone has the operation "" and itself on both sides."""
Reasons: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numeric features without gaps, and the target, of the same rows; float64.

    Attributes:
        names: the features.
        values: shape (rows, features).
        target: shape (rows,).
    """

    names: tuple[str, ...]
    values: Array
    target: Array

    def every(self, rows: int) -> "Numbers":
        """Return about so many rows, evenly spread."""
        step = max(1, self.target.size // rows)
        return Numbers(self.names, self.values[::step], self.target[::step])


def numbers_of(table: CheckedTable, target: Array, features: Sequence[str], rows: Array | None) -> Numbers:
    """Return the numeric features that vary, in the rows that have all of them.

    A feature whose gaps would cost half of the rows stays out.
    """
    complete = np.isfinite(target)
    found: dict[str, Array] = {}
    enough = max(MIN_ROWS, int(complete.sum()) // 2)
    for name in features:
        if table.kind(name) not in NUMBERS or len(found) == _PAIRED_COLUMNS:
            continue
        values = squarable(values_of(table, name, rows))
        both = complete & np.isfinite(values)
        if both.sum() >= enough and np.ptp(values[both]) > 0:
            found[name], complete = values, both
    columns = [values[complete] for values in found.values()]
    return Numbers(
        tuple(found), np.column_stack(columns) if columns else np.empty((int(complete.sum()), 0)), target[complete]
    )


def worded(term: Term) -> str:
    """Return a term in words."""
    operation, left, right = term
    if operation in _SINGLE:
        return f"{operation}({left})"
    if operation in {"min", "max"}:
        return f"{operation}({left}, {right})"
    return f"|{left} - {right}|" if operation == "gap" else f"({left} {operation} {right})" if operation else left


def joined(operation: str, left: Array, right: Array) -> Array:
    """Return the operation on two columns, or on the left one alone; without one the left column."""
    if not operation:
        return left
    if operation in _SINGLE:
        return np.asarray(_SINGLE[operation](left))
    found: Array = np.abs(left - right) if operation == "gap" else _JOINS[operation](left, right)
    return found


_JOINS: dict[str, np.ufunc] = {
    "x": np.multiply,
    "/": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "-": np.subtract,
}
_SINGLE: dict[str, np.ufunc] = {"log": np.log, "root": np.sqrt, "square": np.square, "inverse": np.reciprocal}


def both(numbers: Numbers, term: Term) -> tuple[Array, Array]:
    """Return the two columns of a term."""
    place = {name: index for index, name in enumerate(numbers.names)}
    return numbers.values[:, place[term[1]]], numbers.values[:, place[term[2]]]


def single_values(numbers: Numbers, operations: Sequence[str]) -> tuple[list[Term], Array]:
    """Return the operations on every column that give finite numbers, and their values (rows, operations)."""
    terms: list[Term] = []
    columns: list[Array] = []
    for index, name in enumerate(numbers.names):
        for operation in operations:
            with np.errstate(all="ignore"):
                found = joined(operation, numbers.values[:, index], numbers.values[:, index])
            if np.isfinite(found).all() and np.ptp(found) > 0:
                terms.append((operation, name, name))
                columns.append(found)
    return terms, np.column_stack(columns) if columns else np.empty((numbers.target.size, 0))


def _is_one_of(operation: str, found: Array, pair: Array) -> bool:
    """Return whether the smaller or larger of two columns is always the same column."""
    return operation in {"min", "max"} and bool((found[:, None] == pair).all(axis=0).any())


def pair_values(numbers: Numbers, operations: Sequence[str]) -> "tuple[list[tuple[str, str, str]], Array]":
    """Return the operations on every two columns that give finite numbers, and their values (rows, operations)."""
    terms: list[tuple[str, str, str]] = []
    columns: list[Array] = []
    for left, right in combinations(range(len(numbers.names)), 2):
        for operation in operations:
            pairs = ((left, right), (right, left)) if operation == "/" else ((left, right),)
            for first, second in pairs:
                with np.errstate(all="ignore"):
                    found = joined(operation, numbers.values[:, first], numbers.values[:, second])
                if np.isfinite(found).all() and not _is_one_of(operation, found, numbers.values[:, [first, second]]):
                    terms.append((operation, numbers.names[first], numbers.names[second]))
                    columns.append(found)
    return terms, np.column_stack(columns) if columns else np.empty((numbers.target.size, 0))
