"""Features that are the target of another row in time: of a later one, a leak; of an earlier one, known in time.

Rows are compared in the table's order, in the order of each column of moments, and within the rows of each entity. Only
pairs of rows between which the target changes count, so that a target that rarely changes proves nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.copies import correlated
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, coded, role_of, squarable
from assay.specs.dataset import ColumnRole

COMPARED_ROWS = 10_000
"""First rows of the table that are compared; a sample would have no neighbours."""
STEPS = (1, 2, 3)
MATCHES = 0.95
"""Share of pairs in which the feature is the target of the other row."""
MOVES = 0.7
"""Correlation of steps from which a feature moves with the target of the next row."""
_ROUNDING = 1e-6
_REACH = 3
_MIXED = 0.95
_PROBED, _PROBABLE = 500, 0.9
"""First values that decide whether all are compared, and the share of them that must fit."""
_OF_LATER = 0.5
"""Share of what the row's own and earlier targets leave, that later ones must explain."""
_LEFT = 0.01
_FITTED_ROWS = 2000
_ENTITIES = 6
_ROWS_PER_ENTITY = 3


@dataclass(frozen=True, slots=True)
class TimeRelations:
    """How features relate to the target of other rows.

    Attributes:
        later: features that are the target of a later row, with the reason.
        mixing: features that are a mean of the target of rows around, later ones among them, with the reason.
        moving: features that move with the next row's target, with the reason.
        earlier: features that follow from the target of earlier rows.
    """

    later: dict[str, str]
    mixing: dict[str, str]
    moving: dict[str, str]
    earlier: frozenset[str]


def targets_of_later_rows(table: CheckedTable, target: str, features: Sequence[str]) -> dict[str, str]:
    """Return the features that are the target of a later row, or its sum up to the row itself, with the reason."""
    return table.derived(("targets_of_later_rows", target, tuple(features)), lambda: _later(table, target, features))


def _later(table: CheckedTable, target: str, features: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    wanted, values = _compared(table, target, features)
    known = np.unique(wanted)
    alike = {name for name, column in values.items() if _has_values_of(column, known)}
    for order, rows, same in _orders(table, target, wanted.size):
        y = wanted[rows]
        for name, column in values.items():
            x = column[rows]
            if name in alike and (step := _later_step(x, y, same)):
                found[name] = f"is the target of {_later_row(step)}, {order}: it is not known yet"
            elif _adds_up(x[:_PROBED], y[:_PROBED], same[:_PROBED], _PROBABLE) and _adds_up(x, y, same):
                found[name] = f"is the sum of the target up to the row itself, {order}"
    return found


def time_relations(table: CheckedTable, target: str, features: Sequence[str], candidates: set[str]) -> TimeRelations:
    """Compare features with the target of other rows.

    Args:
        table: the rows.
        target: the target, of numbers, truth values or two texts.
        features: those that are compared with means of the target, in the order of the whole table.
        candidates: strong ones among them, whose movement is compared too, within each entity as well.
    """
    later = targets_of_later_rows(table, target, features)
    mixing: dict[str, str] = {}
    moving: dict[str, str] = {}
    earlier: set[str] = set()
    wanted, values = _compared(table, target, [name for name in features if name not in later])
    for order, rows, same in _orders(table, target, wanted.size):
        y, whole = wanted[rows], not same.any()
        for name, column in values.items():
            if not whole and name not in candidates:
                continue
            x = column[rows]
            if name in candidates and _follows(x, y, same):
                earlier.add(name)
            elif _mixes(x, y, same):
                mixing[name] = f"is a mean of the target that includes later rows, {order}"
            elif name in candidates and _precedes(x, y, same):
                moving[name] = f"moves with the target of the next row, {order}: is it known by then?"
    moving = {name: text for name, text in moving.items() if name not in earlier}
    return TimeRelations(later, mixing, moving, frozenset(earlier))


def _compared(table: CheckedTable, target: str, features: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Return the target and the features of the first rows as numbers; none where the target cannot be compared."""
    labels = _two_labels(table, target)
    if table.kind(target) not in NUMBERS and labels is None:
        return np.empty(0), {}
    compared = [
        name
        for name in features
        if table.kind(name) in {"integer", "float", "boolean"} or (labels is not None and _says(table, name, labels))
    ]
    return _head(table, target, labels), {name: _head(table, name, labels) for name in compared}


def _later_row(step: int) -> str:
    return "the next row" if step == 1 else f"the row {step} rows later"


def _two_labels(table: CheckedTable, target: str) -> pa.Array | None:
    """Return the labels of a target of two texts; None for other targets."""
    if table.kind(target) != "string":
        return None
    labels = table.plain(target).slice(0, COMPARED_ROWS).drop_null().unique()
    return labels if len(labels) == 2 else None  # noqa: PLR2004 - no and yes


def _says(table: CheckedTable, name: str, labels: pa.Array) -> bool:
    """Return whether the first texts of a column are these labels."""
    if table.kind(name) != "string":
        return False
    head = table.plain(name).slice(0, 2 * MIN_ROWS).drop_null()
    return bool(len(head) and pc.all(pc.is_in(head, value_set=labels)).as_py())


def _head(table: CheckedTable, name: str, labels: pa.Array | None = None) -> Array:
    """Return the first rows as numbers; of texts the number of the label, NaN for others."""
    column = table.plain(name).slice(0, COMPARED_ROWS)
    if labels is not None and table.kind(name) == "string":
        column = pc.index_in(column, value_set=labels)
    return squarable(column)


def _orders(table: CheckedTable, target: str, rows: int) -> list[tuple[str, Array, Array]]:
    """Return each order in words, the row numbers in it, and the entity of each row in it (int64)."""
    return table.derived(("orders", target, rows), lambda: list(_ordered(table, target, rows)))


def _ordered(table: CheckedTable, target: str, rows: int) -> Iterator[tuple[str, Array, Array]]:
    if not rows:
        return
    places = np.arange(rows)
    one = np.zeros(rows, dtype=np.int64)
    moments = [name for name in table.names if table.kind(name) == "datetime" and name != target]
    times = {"in the table's order": places} | {f"in the order of {name}": _ranked(table, name) for name in moments[:3]}
    for words, time in times.items():
        order = np.argsort(time, kind="stable")
        if time is places or not (order == places).all():
            yield words, order, one
        for name, entity in _entities(table, target, rows):
            grouped = np.lexsort((time, entity))
            yield f"{words} within each {name}", grouped, entity[grouped]


def _ranked(table: CheckedTable, name: str) -> Array:
    return np.nan_to_num(_head(table, name), nan=np.inf)


def _entities(table: CheckedTable, target: str, rows: int) -> Iterator[tuple[str, Array]]:
    found = 0
    for name in table.names:
        if name == target or table.kind(name) not in {"string", "integer"} or found == _ENTITIES:
            continue
        if role_of(table, name) is ColumnRole.TEXT:
            continue
        column = coded(table, name, np.arange(rows))
        if column is not None and 2 <= column.distinct <= rows // _ROWS_PER_ENTITY and column.present.all():  # noqa: PLR2004 - one entity is the whole
            found += 1
            yield name, column.codes


def _has_values_of(x: Array, wanted: Array) -> bool:
    """Return whether most first values of a feature are values of the target."""
    head = x[:_PROBED]
    head = head[np.isfinite(head)]
    return bool(head.size and np.isin(head, wanted).mean() >= _PROBABLE)


def _pairs(x: Array, y: Array, same: Array, step: int) -> tuple[Array, Array, Array, Array]:
    """Return x and y of earlier rows and of rows so many steps later, of one entity each and with a changed target."""
    inside = (same[step:] == same[:-step]) & (y[step:] != y[:-step])
    inside &= np.isfinite(x[step:]) & np.isfinite(x[:-step]) & np.isfinite(y[step:]) & np.isfinite(y[:-step])
    return x[:-step][inside], y[:-step][inside], x[step:][inside], y[step:][inside]


def _later_step(x: Array, y: Array, same: Array) -> int:
    for step in STEPS:
        if x.size <= step:
            return 0
        before, _, _, target_later = _pairs(x, y, same, step)
        if before.size >= MIN_ROWS and (before == target_later).mean() >= MATCHES:
            return step
    return 0


def _adds_up(x: Array, y: Array, same: Array, matches: float = MATCHES) -> bool:
    """Return whether a feature grows from row to row by the row's own target."""
    inside = (same[1:] == same[:-1]) & np.isfinite(x[1:]) & np.isfinite(x[:-1]) & np.isfinite(y[1:])
    step, own = np.diff(x)[inside], y[1:][inside]
    rare = own != np.median(own) if own.size else np.zeros(0, dtype=bool)
    if step.size < MIN_ROWS or rare.sum() < MIN_ROWS // 2:  # one value proves nothing
        return False
    equal = np.abs(step - own) <= _ROUNDING * np.abs(own).max()
    return bool(equal.mean() >= matches and equal[rare].mean() >= matches)


def _mixes(x: Array, y: Array, same: Array) -> bool:
    """Return whether a feature is a weighted sum of the targets of the rows around it, later ones among them."""
    count = y.size - 2 * _REACH
    if count < 4 * MIN_ROWS:
        return False
    around = np.column_stack([y[shift : shift + count] for shift in range(2 * _REACH + 1)])
    middle, entity = x[_REACH : _REACH + count], same[_REACH : _REACH + count]
    inside = (same[:count] == entity) & (same[2 * _REACH :] == entity) & np.isfinite(middle + around.sum(axis=1))
    around, middle = around[inside][:_FITTED_ROWS], middle[inside][:_FITTED_ROWS]
    if middle.size < 4 * MIN_ROWS or np.ptp(middle) == 0:
        return False
    every, earlier = _explained(around, middle), _explained(around[:, : _REACH + 1], middle)
    return every >= _MIXED and every - earlier >= _OF_LATER * (1 - earlier) and 1 - earlier >= _LEFT


def _explained(columns: Array, wanted: Array) -> float:
    """Return R2 of least squares, by normal equations: a few columns need no more digits."""
    columns, wanted = columns - columns.mean(axis=0), wanted - wanted.mean()
    weights = np.linalg.pinv(columns.T @ columns, hermitian=True) @ (columns.T @ wanted)
    left = wanted - columns @ weights
    return 1 - float(left @ left) / float(wanted @ wanted)


def _follows(x: Array, y: Array, same: Array) -> bool:
    """Return whether a feature is nearer to the earlier row's target than to its own."""
    _, target_before, later, target_later = _pairs(x, y, same, 1)
    if later.size < MIN_ROWS:
        return False
    if (later == target_before).mean() >= MATCHES:
        return True
    own, earlier = abs(correlated(later, target_later)), abs(correlated(later, target_before))
    return earlier > own and 1 - earlier < 0.9 * (1 - own)


def _precedes(x: Array, y: Array, same: Array) -> bool:
    if x.size < MIN_ROWS + 2:
        return False
    inside = (same[2:] == same[1:-1]) & (same[1:-1] == same[:-2]) & np.isfinite(x[1:-1] - x[:-2])
    inside &= np.isfinite(y[2:] - y[1:-1]) & np.isfinite(y[1:-1] - y[:-2])
    step = (x[1:-1] - x[:-2])[inside]
    if step.size < MIN_ROWS:
        return False
    # y[2:] - y[1:-1] is the step that a feature of the next row's target takes early
    next_step, own_step = (y[2:] - y[1:-1])[inside], (y[1:-1] - y[:-2])[inside]
    return abs(correlated(step, next_step)) >= MOVES and abs(correlated(step, next_step)) > 2 * abs(
        correlated(step, own_step)
    )
