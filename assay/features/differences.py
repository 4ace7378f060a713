"""What differs between the feature set of all rows and that of some of them, row by row or group by group."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assay.features.running import FeatureRows

_RELATIVE = 1e-9
"""Sums of floats may differ by the order of additions."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Some of the source's rows.

    Attributes:
        rows: whether each row is one of them.
        text: which they are, for people.
        moment: before which they were known; None without times.
    """

    rows: "np.ndarray[Any, np.dtype[np.bool_]]"
    text: str
    moment: "pa.Scalar[Any] | None" = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that comes out otherwise.

    Attributes:
        row: 0-based number of the source's row, or of a group.
        column: empty where the row itself is there or not.
        values: among all rows and among some, for people.
        is_of_group: whether `row` is a group, in the order of the feature set.
    """

    row: int
    column: str
    values: tuple[str, str]
    is_of_group: bool = False


def difference_of(
    full: FeatureRows, again: FeatureRows, cut: Cut, bases: tuple[FeatureRows, FeatureRows] | None = None
) -> Difference | None:
    """Return the first difference in the rows of a cut, or None.

    Args:
        full: of all rows.
        again: of the rows of the cut.
        cut: the rows.
        bases: both as they were when the rows were grouped, where groups may have been dropped since.
    """
    if not (full.keeps_rows and again.keeps_rows):
        return _difference_of_groups(full, again) or (_dropped_group(full, again, *bases) if bases else None)
    of_cut = cut.rows[full.numbers]
    numbers = full.numbers[of_cut]
    if not np.array_equal(numbers, again.numbers):
        row = int(np.setxor1d(numbers, again.numbers)[0])
        return Difference(row, "", ("there", "not there") if row in numbers else ("not there", "there"))
    names = [name for name in full.table.column_names if full.computed is None or name in full.computed]
    return _different_column(full.table.select(names).filter(pa.array(of_cut)), again.table, numbers)


def _difference_of_groups(full: FeatureRows, again: FeatureRows) -> Difference | None:
    """Return the first difference in the groups that have the same rows among all rows and among some."""
    if full.groups is None or again.groups is None:
        return None
    _, places, others = np.intersect1d(full.groups, again.groups, return_indices=True)
    found = _different_column(full.table.take(places), again.table.take(others), places)
    return None if found is None else replace(found, is_of_group=True)


def _dropped_group(
    full: FeatureRows, again: FeatureRows, base: FeatureRows, base_again: FeatureRows
) -> Difference | None:
    """Return the first group of the same rows that is there among all rows or among some, and not among the others."""
    groups = [each.groups for each in (full, again, base, base_again) if each.groups is not None]
    if len(groups) < 4:  # noqa: PLR2004 - all of them
        return None
    same, places, _ = np.intersect1d(groups[2], groups[3], return_indices=True)
    stays, stays_again = np.isin(same, groups[0]), np.isin(same, groups[1])
    found = np.flatnonzero(stays != stays_again)
    if not found.size:
        return None
    words = ("there", "not there")
    return Difference(int(places[found[0]]), "", words if stays[found[0]] else words[::-1], is_of_group=True)


def _different_column(
    table: pa.Table, other: pa.Table, numbers: "np.ndarray[Any, np.dtype[np.int64]]"
) -> Difference | None:
    """Return the first column and row of two tables that differ, or None."""
    for name in table.column_names if len(numbers) else ():
        if name not in other.column_names:
            return Difference(int(numbers[0]), name, ("there", "not there"))
        position = _first_different(table.column(name), other.column(name))
        if position is not None:
            values = str(table.column(name)[position].as_py()), str(other.column(name)[position].as_py())
            return Difference(int(numbers[position]), name, values)
    return None


def _first_different(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int | None:
    if one.equals(other) or len(one) == 0:
        return None
    if pa.types.is_floating(one.type) and pa.types.is_floating(other.type):
        first, second = (each.cast(pa.float64()).to_numpy() for each in (one, other))
        missing = np.asarray(one.is_null()) != np.asarray(other.is_null())
        differs = missing | ~np.isclose(first, second, rtol=_RELATIVE, atol=0, equal_nan=True)
    else:
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        differs = np.fromiter((first != second for first, second in pairs), np.bool_, len(one))
    found = np.flatnonzero(differs)
    return int(found[0]) if found.size else None
