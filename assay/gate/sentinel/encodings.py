"""Features that are means of the target over rows that include the row itself.

A category's mean target is a sound feature only if it comes from other rows (Micci-Barreca 2001; Prokhorenkova et al.
2018, "CatBoost", on the shift that own rows cause). One from the table's own rows gives itself away: it is that mean to
the last digit. Three forms: the mean, the mean drawn towards a constant by some rows, and the mean of all rows but one.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, coded, squarable
from assay.gate.sentinel.scores import least_squares

MATCHES = 0.98
"""Share of rows that must have the mean."""
_MIN_LEVELS = 5
_MEAN_DISTANCE = 0.1
_CATEGORIES = 10
_CLASSES = 10
_MOST_ROWS = 200_000
"""Larger tables are not searched: a part of them has other means."""


def means_of_own_rows(table: CheckedTable, target: str, features: Sequence[str]) -> dict[str, str]:
    """Return the features that are such means, each with the reason."""
    if table.rows > _MOST_ROWS or not (goals := _goals(table, target)):
        return {}
    reasons: dict[str, str] = {}
    for name in features:
        if table.kind(name) not in {"float", "integer"}:
            continue
        values = squarable(table.plain(name))
        constant = _constant_in(table, target, features, name, values)
        for goal in goals:
            found = _total(constant, values, goal) or _reason(table, target, features, name, values, goal)
            if found:
                reasons[name] = found
                break
    return reasons


def _goals(table: CheckedTable, target: str) -> list[Array]:
    """Return the target as numbers, and whether it is each of a few classes."""
    values = [squarable(table.plain(target))] if table.kind(target) in NUMBERS else []
    labels = coded(table, target)
    if labels is None or labels.distinct > _CLASSES:
        return values
    return [*values, *((labels.codes == code).astype(np.float64) for code in range(labels.distinct))]


def _reason(table: CheckedTable, target: str, features: Sequence[str], name: str, values: Array, goal: Array) -> str:
    usable = np.isfinite(values) & np.isfinite(goal)
    if table.kind(name) != "float" or usable.sum() < MIN_ROWS or not _could_be_mean(values[usable], goal[usable]):
        return ""
    levels, level = np.unique(values[usable], return_inverse=True)
    if levels.size >= _MIN_LEVELS and levels.size <= usable.sum() / 2 and _is_mean(level, values[usable], goal[usable]):
        return "is the mean target of the rows that share its value, these rows included"
    for category, codes in _categories(table, target, features, name):
        group = np.unique(codes[usable], return_inverse=True)[1]
        if form := _mean_by(group, values[usable], goal[usable]):
            return f"is the mean target of each {category}, {form}"
    return ""


_TOTALS: dict[str, np.ufunc] = {"the sum": np.add, "the largest": np.maximum, "the smallest": np.minimum}
_HEAD = 5000
_SEED = 20_130_703


def _total_by(codes: Array, values: Array, goal: Array) -> str:
    """Return how a feature is a total of each group; empty if it is not. It must be equal in rare cases too."""
    order = np.argsort(codes, kind="stable")
    group = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(group)
    if (sizes[group] > 1).mean() < 0.3:  # noqa: PLR2004 - the total of one row is the row
        return ""
    starts = np.append(0, np.cumsum(sizes)[:-1])
    for words, total in _TOTALS.items():
        found = total.reduceat(goal[order], starts)[group]
        equal = np.abs(values - found) <= 1e-6 * max(1.0, float(np.abs(goal).max()))
        rare = found != np.median(found)
        if equal.mean() >= MATCHES and rare.sum() >= MIN_ROWS and equal[rare].mean() >= MATCHES:
            return words
    return ""


def _constant_in(
    table: CheckedTable, target: str, features: Sequence[str], name: str, values: Array
) -> list[tuple[str, Array]]:
    """Return the categories, if groups have several rows, in which a feature has one value for each group."""
    head = values[:_HEAD]
    rare = head != np.nanmedian(head) if np.isfinite(head).any() else np.zeros(head.size, dtype=bool)
    if rare.sum() < MIN_ROWS:
        return []
    found = []
    for category, codes in _categories(table, target, features, name):
        order, same = table.derived(("neighbours", category), partial(_neighbours, codes[:_HEAD]))
        decisive = same & rare[order][1:]
        if decisive.sum() >= MIN_ROWS and (np.diff(head[order])[decisive] == 0).mean() >= MATCHES:
            found.append((category, codes))
    return found


def _neighbours(codes: Array) -> tuple[Array, Array]:
    """Return the order of rows by group, by chance within it, and where a row is of the group of the one before."""
    order = np.lexsort((np.random.default_rng(_SEED).permutation(codes.size), codes))
    return order, np.diff(codes[order]) == 0


def _total(constant: Sequence[tuple[str, Array]], values: Array, goal: Array) -> str:
    usable = np.isfinite(values) & np.isfinite(goal)
    for category, codes in constant if usable.sum() >= MIN_ROWS else ():
        if form := _total_by(codes[usable], values[usable], goal[usable]):
            return f"is {form} of the target in each {category}, the row itself included"
    return ""


def _could_be_mean(values: Array, goal: Array) -> bool:
    inside = (values >= goal.min() - 1e-9) & (values <= goal.max() + 1e-9)
    distance = abs(float(values.mean() - goal.mean()))
    return bool(inside.all() and distance <= _MEAN_DISTANCE * float(goal.std()) and np.ptp(values) > 0)


def _categories(table: CheckedTable, target: str, features: Sequence[str], name: str) -> Iterator[tuple[str, Array]]:
    tried = 0
    names = [*features, *(each for each in table.names if each not in features)]
    for category in names:
        if category in {target, name} or table.kind(category) not in {"string", "integer"} or tried == _CATEGORIES:
            continue
        column = coded(table, category)
        if column is not None and _MIN_LEVELS <= column.distinct <= table.rows / 1.5:
            tried += 1
            yield category, column.codes


def _sums(group: Array, goal: Array) -> tuple[Array, Array]:
    return np.bincount(group).astype(np.float64), np.bincount(group, weights=goal)


def _is_mean(group: Array, values: Array, goal: Array) -> bool:
    sizes, sums = _sums(group, goal)
    shared = sizes[group] > 1
    if shared.mean() < 0.3:  # noqa: PLR2004 - the mean of one row is the row
        return False
    return _agree(values[shared], (sums / sizes)[group][shared], goal)


def _agree(values: Array, means: Array, goal: Array) -> bool:
    spread = float(goal.std())
    allowed = max(2e-4 * spread, min(_half_of_last_digit(values), 0.01 * spread))  # rounded to three or four digits
    return bool((np.abs(values - means) <= allowed).mean() >= MATCHES)


def _half_of_last_digit(values: Array) -> float:
    """Return the largest error of numbers that were rounded to at most four decimals; 0 if they were not."""
    for places in range(5):
        scaled = values * 10.0**places
        if np.abs(scaled - np.round(scaled)).max(initial=0.0) <= 1e-6:  # noqa: PLR2004 - rounding of the product
            return 0.5001 * 10.0**-places
    return 0.0


def _mean_by(group: Array, values: Array, goal: Array) -> str:
    """Return how a feature is a mean of each group; empty if it is not."""
    sizes, sums = _sums(group, goal)
    n, total = sizes[group], sums[group]
    shared = n > 1
    if shared.mean() < 0.3:  # noqa: PLR2004 - as above
        return ""
    if _agree(values[shared], (total / n)[shared], goal):
        return "the row itself included"
    if _agree(values[shared], ((total - goal) / np.maximum(n - 1, 1))[shared], goal):
        return "the row itself left out, which shows by how much its target differs"
    return "drawn towards a constant, the row itself included" if _is_drawn(values, n, total, goal) else ""


def _is_drawn(values: Array, sizes: Array, sums: Array, goal: Array) -> bool:
    """Return whether values are (sum + a m) / (n + a): n v - sum = a m - a v, a straight line in v."""
    if np.ptp(values) == 0:
        return False
    owed = sizes * values - sums
    if float(np.ptp(owed)) <= 1e-9:  # noqa: PLR2004 - no more than rounding
        return False
    fit, weights = least_squares(values[:, None], owed)
    drawn_by = -float(weights[0])
    if fit < 0.999 or drawn_by <= 0:  # noqa: PLR2004 - a line in every row
        return False
    centre = (float(owed.mean()) + drawn_by * float(values.mean())) / drawn_by
    return _agree(values, (sums + drawn_by * centre) / (sizes + drawn_by), goal)
