"""Columns that name entities on which the target depends, such as patients, whatever their type.

A column names entities if its value fixes the target, though neither neighbouring values nor similar rows of other
values do: what a split by group would cost (Kaufman et al. 2012; Roberts et al. 2017, "Cross-validation strategies for
data with temporal, spatial, hierarchical, or phylogenetic structure").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, checked_features, coded, role_of, squarable
from assay.gate.sentinel.near_copies import NEIGHBOURS, evenly, goal_of, neighbourhood
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

FIXED = 0.8
"""R2 of the target by the mean of a value's other rows, from which the value may name an entity."""
ACROSS = 0.5
"""Share of that R2 which neighbouring values, or similar rows of other values, must miss."""
_READ_ROWS = 2000
_ASKED_ROWS = 400
_PARTS = 20
_MIN_ENTITIES = 10
_ROWS_PER_ENTITY = 3
_MOST_COLUMNS = 80
CLUSTERED = 0.2
"""R2 of most other numbers by the mean of the value's other rows, from which it is more than a category."""
_RECOGNISED = 0.2
_TIMES_CHANCE = 5
_SEED = 20_130_702


@dataclass(frozen=True, slots=True)
class Entity:
    """A column that names entities.

    Attributes:
        fixed: R2 of the target by the mean of the value's other rows.
        across: R2 that neighbouring values, or similar rows of other values, reach.
    """

    fixed: float
    across: float


def entities(table: CheckedTable, spec: PipelineSpec) -> Iterator[tuple[str, Entity]]:
    """Yield the columns whose values name entities on which the target depends."""
    names = [name for name in table.names if name not in {spec.dataset.target, *spec.validation.sentinel.trusted}]
    for name in names[:_MOST_COLUMNS]:
        if table.kind(name) not in {"integer", "string"} or role_of(table, name) is ColumnRole.TEXT:
            continue
        if role_of(table, name) is ColumnRole.IGNORED:
            continue
        rows, group = _whole_groups(table, name)
        if rows.size < 2 * MIN_ROWS:
            continue
        goal = goal_of(table, spec, rows)
        if goal is None or (fixed := _fixed_by(group, goal)) < FIXED:
            continue
        if (across := _across(table, spec, name, rows, group, goal)) < ACROSS * fixed:
            yield name, Entity(fixed, across)


def _whole_groups(table: CheckedTable, name: str) -> tuple[Array, Array]:
    """Return the rows of some values of a column, all rows of each, and their codes; none where it names no groups."""
    nothing = np.empty(0, dtype=np.int64)
    head = coded(table, name, np.arange(min(table.rows, 5000)))
    if head is None or head.distinct < _MIN_ENTITIES or head.distinct > 0.9 * head.codes.size:
        return nothing, nothing
    column = coded(table, name)
    if column is None or not _MIN_ENTITIES <= column.distinct <= table.rows / _ROWS_PER_ENTITY:
        return nothing, nothing
    if table.rows <= _READ_ROWS:
        rows = np.flatnonzero(column.present)
        return rows, column.codes[rows]
    counts = np.bincount(column.codes[column.present], minlength=column.distinct)
    order = np.random.default_rng(_SEED).permutation(column.distinct)
    chosen = order[: max(_MIN_ENTITIES, int((np.cumsum(counts[order]) <= _READ_ROWS).sum()))]
    rows = np.flatnonzero(np.isin(column.codes, np.sort(chosen)))[: 2 * _READ_ROWS]
    return rows, column.codes[rows]


def _fixed_by(group: Array, goal: Array) -> float:
    group = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(group)[group]
    kept = sizes > 1
    if kept.mean() < 0.8:  # noqa: PLR2004 - most entities have several rows
        return 0.0
    sums = np.column_stack([np.bincount(group, weights=column)[group] for column in goal.T])
    means = (sums - goal)[kept] / (sizes[kept, None] - 1)
    return _r2(goal[kept], means)


def _r2(goal: Array, predicted: Array) -> float:
    total = float(((goal - goal.mean(axis=0)) ** 2).sum())
    return 1 - float(((goal - predicted) ** 2).sum()) / total if total > 0 else 0.0


def _across(table: CheckedTable, spec: PipelineSpec, name: str, rows: Array, group: Array, goal: Array) -> float:
    """Return what the rows of other values say of the target: R2 by neighbouring values, or by similar rows."""
    found = _by_next_values(group, goal) if table.kind(name) == "integer" else 0.0
    asked = evenly(rows, _ASKED_ROWS)
    near = neighbourhood(table, spec, asked, rows, without=name)
    if near is None:
        return max(found, 1.0 if table.kind(name) == "string" else found)
    own = group[np.searchsorted(rows, asked)]
    same = own[:, None] == group[None, :]
    features = [each for each in checked_features(table, spec) if each != name and table.kind(each) in NUMBERS]
    if table.kind(name) == "string" and not (
        _recognised(near.squares, same) or _clustered(table, features, rows, group)
    ):
        return 1.0
    others = np.where(same, np.inf, near.squares)
    closest = np.argpartition(others, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    found = max(found, _r2(goal[np.searchsorted(rows, asked)], goal[closest].mean(axis=1)))
    return max([found, *(_by_feature(table, each, rows, group, goal) for each in features)])


def _recognised(squares: Array, same: Array) -> bool:
    """Return whether a row's nearest row has the same value far more often than any row; a mere category has not."""
    share = float(same[np.arange(same.shape[0]), squares.argmin(axis=1)].mean())
    return share >= max(_RECOGNISED, min(0.5, _TIMES_CHANCE * float(same.mean())))


def _clustered(table: CheckedTable, features: Sequence[str], rows: Array, group: Array) -> bool:
    """Return whether most numbers are alike within a value, as measurements of one entity are (intraclass correlation).

    Of a mere category they are not: each of its rows is a case of its own.
    """
    columns = [squarable(table.plain(name).take(rows)) for name in features]
    shares = [_fixed_by(group, np.nan_to_num(values, nan=float(np.nanmean(values)))[:, None]) for values in columns]
    return bool(shares) and float(np.median(shares)) >= CLUSTERED


def _by_feature(table: CheckedTable, name: str, rows: Array, group: Array, goal: Array) -> float:
    """Return R2 by the rows of other groups in the same twentieth of a feature."""
    values = np.nan_to_num(squarable(table.plain(name).take(rows)), nan=0.0)
    place = np.searchsorted(np.unique(np.quantile(values, np.linspace(0, 1, _PARTS + 1)[1:-1])), values)
    group = np.unique(group, return_inverse=True)[1]
    cell = place * (int(group.max()) + 1) + group
    others = (np.bincount(place)[place] - np.bincount(cell)[cell]).astype(np.float64)
    sums = np.column_stack([np.bincount(place, column)[place] - np.bincount(cell, column)[cell] for column in goal.T])
    predicted = np.where(others[:, None] > 0, sums / np.maximum(others, 1)[:, None], goal.mean(axis=0))
    return _r2(goal, predicted)


def _by_next_values(group: Array, goal: Array) -> float:
    codes, place = np.unique(group, return_inverse=True)
    sizes = np.bincount(place)
    means = np.column_stack([np.bincount(place, weights=column) / sizes for column in goal.T])
    if codes.size < 3:  # noqa: PLR2004 - no value has two neighbours
        return 0.0
    beside = np.empty_like(means)
    beside[1:-1] = (means[:-2] + means[2:]) / 2
    beside[0], beside[-1] = means[1], means[-2]
    return _r2(goal, beside[place])
