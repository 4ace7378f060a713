"""A look at every judged column: what is missing, how many values differ, between which bounds.

Does not belong here: rules.
"""

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.tables.schema import ColumnSchema
from assay.validation.judged_table import JudgedTable
from assay.validation.report import ColumnProfile

# counting all different values of long columns costs more than judging them
_COUNTED_ROWS = 100_000


def profile(table: JudgedTable) -> tuple[ColumnProfile, ...]:
    """Return the profile of every column, in order."""
    return tuple(_column(table, column) for column in table.schema.columns if column.name in table)


def _column(table: JudgedTable, column: ColumnSchema) -> ColumnProfile:
    values = table.plain(column.name)
    missing = table.missing(column.name)
    distinct = _distinct(values)
    hidden = table.is_pii(column.name)
    low, high, mean = (None, None, None) if hidden else _numbers(table, column.name)
    return ColumnProfile(
        name=column.name,
        dtype=table.dtype(column.name),
        role=column.role,
        missing=missing,
        missing_share=missing / table.rows if table.rows else 0.0,
        distinct=distinct,
        distinct_is_approximate=distinct is not None and table.rows > _COUNTED_ROWS,
        minimum=low,
        maximum=high,
        mean=mean,
        masked=hidden,
    )


def _distinct(values: pa.ChunkedArray) -> int | None:
    head = values.slice(0, _COUNTED_ROWS)
    if pa.types.is_floating(head.type):
        head = head.filter(pc.invert(pc.is_nan(head)), null_selection_behavior="drop")
    try:
        return int(pc.count_distinct(head, mode="only_valid").as_py())
    except pa.ArrowNotImplementedError:  # nested and other rare types cannot be compared; the profile says none
        return None


def _numbers(table: JudgedTable, name: str) -> tuple[float | None, float | None, float | None]:
    if table.kind(name) not in {"integer", "float"}:
        return None, None, None
    values = table.plain(name).cast(pa.float64(), safe=False)
    finite = values.filter(pc.is_finite(values), null_selection_behavior="drop")
    bounds = pc.min_max(finite).as_py()
    return _finite(bounds["min"]), _finite(bounds["max"]), _finite(pc.mean(finite).as_py())


def _finite(value: Any) -> float | None:
    # the mean of huge numbers overflows, and JSON has no infinity
    return float(value) if value is not None and math.isfinite(value) else None
