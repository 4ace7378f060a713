"""Rows that are copies of others with small changes, such as a second measurement or noise that was added.

They are found by the ratio of the distances to the nearest and to the sixth nearest row (Lowe 2004, in image matching):
in d dimensions it is smaller than r in about 5 r^d of independent rows, however the rows are distributed.
"""

from dataclasses import dataclass

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import (
    MIN_ROWS,
    NUMBERS,
    Array,
    as_floats,
    checked_features,
    coded,
    role_of,
    squarable,
)
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

ASKED_ROWS = 200
"""Rows whose nearest rows are searched."""
COMPARED_ROWS = 6000
"""Rows among which they are searched."""
NEIGHBOURS = 6
RATIOS = {0.05: 1.0, 0.1: 3.0}
"""Ratio of the distances below which a row has a near copy, and how many times the allowed share must have one."""
SAME_TARGET = 0.9
"""Share of near copies whose targets agree, beyond chance for classes."""
PRECISE = 0.05
"""Share of different numbers from which a column tells rows apart."""
_PRECISE_COLUMNS = 2
"""With one, rows of the same few categories are close to each other as values on a line are, and the next far."""
_CHANCES = 3
_MOST_COLUMNS = 40
_MIN_COLUMNS = 3
_HEAD, _OWN_VALUES = 2000, 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Distances from some rows to others.

    Attributes:
        asked: row numbers in the table, shape (a,).
        others: row numbers, shape (n,), ascending.
        squares: squared distances, shape (a, n), float32; infinite from a row to itself.
        precise: number of columns with so many different numbers that rows are rarely close in them by chance.
    """

    asked: Array
    others: Array
    squares: Array
    precise: int


def neighbourhood(
    table: CheckedTable, spec: PipelineSpec, asked: Array, others: Array, without: str = ""
) -> Neighbourhood | None:
    """Compare rows by their features; None where they have fewer than three numbers.

    Numbers count by their standard deviations, categories by whether they differ.
    """
    names = [name for name in checked_features(table, spec) if name != without and not _numbers_rows(table, name)]
    names = names[:_MOST_COLUMNS]
    numeric = [name for name in names if table.kind(name) in {"integer", "float", "datetime"}]
    columns = [column for name in numeric if (column := _numbers(table, name, others)) is not None]
    if len(columns) < _MIN_COLUMNS:
        return None
    place = np.searchsorted(others, asked)
    values = np.column_stack(columns).astype(np.float32)
    squares = _squared_distances(values[place], values)
    for name in names:
        if table.kind(name) in {"string", "boolean"} and role_of(table, name) is not ColumnRole.TEXT:
            codes_of = coded(table, name, others)
            if codes_of is not None:
                codes = codes_of.codes.astype(np.int32)
                squares += codes[place, None] != codes[None, :]
    squares[np.arange(asked.size), place] = np.inf
    precise = sum(np.unique(column).size > PRECISE * column.size for column in columns)
    return Neighbourhood(asked, others, squares, precise)


def _numbers_rows(table: CheckedTable, name: str) -> bool:
    """Return whether a column has a value of its own for nearly each row, as copies under a new number have."""
    if table.kind(name) not in {"integer", "string"}:
        return False
    head = table.plain(name).slice(0, _HEAD)
    return len(head.unique()) > _OWN_VALUES * len(head)


def _numbers(table: CheckedTable, name: str, rows: Array) -> Array | None:
    values = squarable(table.plain(name).take(rows))
    present = np.isfinite(values)
    spread = float(values[present].std()) if present.any() else 0.0
    if not spread > 0:
        return None
    found: Array = np.where(present, (values - values[present].mean()) / spread, 0.0)
    return found


def _squared_distances(asked: Array, others: Array) -> Array:
    lengths = (others**2).sum(axis=1)
    bound = (asked**2).sum(axis=1)[:, None] + lengths[None, :]
    squares = bound - 2 * asked @ others.T
    # the formula loses the digits of small distances
    row, other = np.nonzero(squares < 1e-3 * (bound + 1))
    squares[row, other] = ((asked[row].astype(np.float64) - others[other]) ** 2).sum(axis=1)
    found: Array = squares
    return found


def goal_of(table: CheckedTable, spec: PipelineSpec, rows: Array) -> Array | None:
    """Return the target of some rows as numbers (rows, 1), or as classes (rows, classes); None where it is missing."""
    target = spec.dataset.target
    if not spec.task.is_classification:
        if table.kind(target) not in NUMBERS:
            return None
        values = squarable(table.plain(target).take(rows))
        return values[:, None] if np.isfinite(values).all() else None
    labels = coded(table, target, rows)
    if labels is None or not labels.present.all():
        return None
    return np.asarray(np.eye(labels.distinct)[labels.codes])


def evenly(rows: Array, most: int) -> Array:
    """Return at most so many of some rows, evenly spread."""
    return rows[np.unique(np.linspace(0, rows.size - 1, most).astype(np.int64))] if rows.size > most else rows


def share_of_near_copies(table: CheckedTable, spec: PipelineSpec) -> float:
    """Return the share of rows that have a near copy with the same target; 0 where it is allowed, or by chance.

    In a large table rows are compared within a stretch of the column with most different numbers, where copies are
    close to each other.
    """
    asked, others = _close_rows(table, spec)
    goal = goal_of(table, spec, others)
    near = neighbourhood(table, spec, asked, others) if others.size >= 2 * MIN_ROWS and goal is not None else None
    if near is None or goal is None or near.precise < _PRECISE_COLUMNS:
        return 0.0
    closest = np.sort(np.partition(near.squares, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS], axis=1)
    first, last = closest[:, 0], closest[:, -1]
    # Levina and Bickel (2004), robust against the copies: without the nearest row, and the median row
    logs = np.log(np.maximum(last[:, None], 1e-30) / np.maximum(closest[:, 1:-1], 1e-30)) / 2
    dimensions = 1 / max(float(np.median(logs.mean(axis=1))), 1e-3)
    twin = near.squares.argmin(axis=1)
    own = np.searchsorted(others, asked)
    # equal rows are counted elsewhere, unless a number of their own makes them differ
    renumbered = any(_numbers_rows(table, name) for name in checked_features(table, spec))
    allowed = spec.validation.sentinel.max_duplicate_share
    for ratio, times in RATIOS.items():
        copied = (last > 0 if renumbered else first > 0) & (first <= ratio**2 * last)
        chance = _CHANCES * (NEIGHBOURS - 1) * ratio**dimensions
        if copied.mean() > max(times * allowed, chance) and _agree(goal, own[copied], twin[copied]) >= SAME_TARGET:
            return float(copied.mean())
    return 0.0


def _agree(goal: Array, rows: Array, twins: Array) -> float:
    """Return by how much the targets of copies are more alike than those of any two rows; 1 is equal."""
    apart = float(((goal[rows] - goal[twins]) ** 2).sum(axis=1).mean())
    spread = 2 * float(goal.var(axis=0).sum())
    return 1 - apart / spread if spread > 0 else 0.0


def _close_rows(table: CheckedTable, spec: PipelineSpec) -> tuple[Array, Array]:
    """Return the rows to ask for, and those among which their copies would be."""
    if table.rows <= COMPARED_ROWS:
        every = np.arange(table.rows)
        return evenly(every, ASKED_ROWS), every
    numeric = [
        name
        for name in checked_features(table, spec)
        if table.kind(name) in {"integer", "float", "datetime"} and not table.missing(name)
    ]
    finest = max(numeric, key=lambda name: np.unique(as_floats(table.plain(name).slice(0, 5000))).size, default=None)
    if finest is None:
        return np.arange(ASKED_ROWS), np.arange(COMPARED_ROWS)
    values = as_floats(table.plain(finest))
    start = (table.rows - COMPARED_ROWS) // 3  # not the middle, where a column may have a mode
    stretch = np.argpartition(values, [start, start + COMPARED_ROWS - 1])[start : start + COMPARED_ROWS]
    middle = stretch[np.argsort(values[stretch], kind="stable")][COMPARED_ROWS // 4 : -COMPARED_ROWS // 4]
    return np.sort(evenly(middle, ASKED_ROWS)), np.sort(stretch)
