"""Columns of few values whose combinations fix the target in every row: XOR, tables of two keys, paired gaps."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.copies import Agreement
from assay.gate.sentinel.features import MIN_ROWS, Array, coded
from assay.gate.sentinel.joined_columns import SEARCHED_ROWS, Reasons

_LOOKED_UP = 40
_TRIPLES_UP_TO = 16
_MAX_VALUES = 100
_ROWS_PER_KEY = 10
_PROBED = 300
_MIN_KAPPA = 0.99


def looked_up(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find one, two or three columns of few values whose combinations fix the target in every row.

    Whether a value is missing is such a column too. There must be far fewer combinations than rows, and combinations
    learned in one half of the rows must give the target of the other half.
    """
    labels = coded(table, target, rows)
    if labels is None or not labels.present.any():
        return {}
    present = labels.present
    wanted = labels.in_rows(present)
    names, codes = _few_valued(table, features, rows, present, wanted.codes.size)
    step = max(1, wanted.codes.size // SEARCHED_ROWS)
    few = [(code[::step], size) for code, size in codes]
    goal = wanted.codes[::step]
    probe = [code[:_PROBED] for code, _ in few]
    for width in (1, 2, 3) if len(names) <= _TRIPLES_UP_TO else (1, 2):
        for chosen in combinations(range(len(names)), width):
            if len({names[index][0] for index in chosen}) < width:
                continue
            if _any_differ([probe[index] for index in chosen], goal[:_PROBED]):
                continue
            if _fixes([few[index] for index in chosen], goal) and _fixes(
                [codes[index] for index in chosen], wanted.codes
            ):
                words = [_worded(names[index]) for index in chosen]
                return dict.fromkeys((names[index][0] for index in chosen), _gives(words))
    return {}


ALMOST_PERFECT = 0.8
"""Agreement beyond chance that is almost perfect (Landis and Koch 1977)."""
_BEYOND_ONE = 0.3
_MISTAKEN_ROWS_PER_KEY = 20
_CLASSES = 20


def nearly_looked_up(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find two columns of few values whose combinations fix classes with mistakes, though neither does alone.

    What the even rows say of each combination is compared with the odd ones.
    """
    labels = coded(table, target, rows)
    if labels is None or labels.distinct > _CLASSES or labels.present.sum() < 2 * MIN_ROWS:
        return {}
    present = labels.present
    wanted = labels.in_rows(present)
    names, codes = _few_valued(table, features, rows, present, wanted.codes.size)
    step = max(1, wanted.codes.size // SEARCHED_ROWS)
    goal = wanted.codes[::step]
    few = [(code[::step], size) for code, size in codes]
    alone = [_agreement([each], goal, labels.distinct) for each in few]
    for first, second in combinations(range(len(names)), 2):
        if names[first][0] == names[second][0]:
            continue
        found = _agreement([few[first], few[second]], goal, labels.distinct)
        if found >= max(ALMOST_PERFECT, max(alone[first], alone[second]) + _BEYOND_ONE):
            words = " and ".join(_worded(names[at]) for at in (first, second))
            least = math.floor(found * 100) / 100
            reason = f"gives the target with another, with mistakes: {words}, kappa at least {least:.2f}"
            return dict.fromkeys((names[first][0], names[second][0]), reason)
    return {}


def _gives(words: list[str]) -> str:
    if len(words) == 1:
        return f"gives the target: each value of {words[0]} has one value of it"
    return f"gives the target with others: each combination of {', '.join(words)} has one value of it"


def _worded(column: tuple[str, bool]) -> str:
    return f"{column[0]} (missing or not)" if column[1] else column[0]


def _agreement(columns: "Sequence[tuple[Array, int]]", goal: Array, classes: int) -> float:
    """Return the lower bound of kappa of what combinations in the even rows say of the odd ones; 0 for too many."""
    cells = int(np.prod([size for _, size in columns]))
    if cells * _MISTAKEN_ROWS_PER_KEY > goal.size:
        return 0.0
    keys = np.zeros(goal.size, dtype=np.int64)
    for code, size in columns:
        keys = keys * size + code
    counts = np.bincount(keys[::2] * classes + goal[::2], minlength=cells * classes).reshape(cells, classes)
    said, true = counts.argmax(axis=1)[keys[1::2]], goal[1::2]
    chance = np.bincount(said, minlength=classes) @ np.bincount(true, minlength=classes) / true.size**2
    return Agreement(int((said == true).sum()), true.size, float(chance)).kappa_at_least


def _few_valued(
    table: CheckedTable, features: Sequence[str], rows: Array | None, present: Array, count: int
) -> "tuple[list[tuple[str, bool]], list[tuple[Array, int]]]":
    """Return columns of few values as codes from 0, a gap being one more, and every gap as a column of its own."""
    names: list[tuple[str, bool]] = []
    codes: list[tuple[Array, int]] = []
    limit = min(_MAX_VALUES, count // _ROWS_PER_KEY)
    for name in features:
        column = coded(table, name, rows)
        if column is None or len(codes) >= _LOOKED_UP:
            continue
        inside = column.in_rows(present)
        if column.distinct <= limit:
            names.append((name, False))
            codes.append((inside.codes + 1, column.distinct + 1))
        elif not inside.present.all() and inside.present.any():
            names.append((name, True))
            codes.append((inside.present.astype(np.int64), 2))
    return names, codes


def _any_differ(columns: Sequence[Array], goal: Array) -> bool:
    """Return whether rows of the same combination differ in the goal; few rows decide that for most columns."""
    order = np.lexsort(columns)
    same = np.logical_and.reduce([np.diff(column[order]) == 0 for column in columns])
    return bool((same & (np.diff(goal[order]) != 0)).any())


def _fixes(columns: "Sequence[tuple[Array, int]]", goal: Array) -> bool:
    """Return whether combinations of codes learned in the even rows give the goal of the odd ones, and vary it."""
    keys = np.zeros(goal.size, dtype=np.int64)
    for code, size in columns:
        keys = keys * size + code
    cells = int(np.prod([size for _, size in columns]))
    if cells > goal.size * 50:
        keys, cells = np.unique(keys, return_inverse=True)[1], goal.size
    learned = np.full(cells, -1, dtype=np.int64)
    learned[keys[::2]] = goal[::2]
    # contradictions within the learned half
    if (learned[keys[::2]] != goal[::2]).any():
        return False
    known = learned[keys[1::2]]
    seen = known >= 0
    if (known[seen] != goal[1::2][seen]).any() or seen.mean() < 0.95:  # noqa: PLR2004 - else keys name rows
        return False
    used = np.count_nonzero(np.bincount(keys, minlength=cells))
    sizes = np.bincount(goal)
    enough = np.sort(sizes)[-2:].min() >= MIN_ROWS if np.count_nonzero(sizes) > 1 else False
    return bool(used * _ROWS_PER_KEY <= goal.size and enough)
