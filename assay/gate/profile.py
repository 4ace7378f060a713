"""The profile of every checked column: missing values, distinct values, bounds."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import ColumnSchema
from assay.gate.checked_table import CheckedTable
from assay.gate.report import ColumnProfile

# counting all different values of long columns costs more than judging them
_COUNTED_ROWS = 100_000
_NUMBERS = frozenset({"integer", "float"})


def profile(table: CheckedTable) -> tuple[ColumnProfile, ...]:
    """Return the profile of every column, in order."""
    columns = [column for column in table.schema.columns if column.name in table]
    # Arrow and numpy release the interpreter lock
    with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
        return tuple(pool.map(partial(_column, table), columns))


def _column(table: CheckedTable, column: ColumnSchema) -> ColumnProfile:
    missing = table.missing(column.name)
    distinct = _distinct(table, column.name)
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


def _distinct(table: CheckedTable, name: str) -> int | None:
    import pandas as pd

    head = table.plain(name).slice(0, _COUNTED_ROWS)
    if table.kind(name) in _NUMBERS:  # pandas counts different numbers in a third of Arrow's time
        return int(pd.Series(_as_numpy(head)).nunique())
    try:
        return int(pc.count_distinct(head, mode="only_valid").as_py())
    except pa.ArrowNotImplementedError:  # nested and other rare types cannot be compared; the profile says none
        return None


def _numbers(table: CheckedTable, name: str) -> tuple[float | None, float | None, float | None]:
    if table.kind(name) not in _NUMBERS or table.missing(name) == table.rows:
        return None, None, None
    column = table.plain(name)
    values, mean = _as_numpy(column), pc.mean(column.cast(pa.float64(), safe=False)).as_py()
    if not math.isfinite(mean):
        values = values[np.isfinite(values)]
        mean = pc.mean(pa.array(values, pa.float64())).as_py()
    if not values.size:
        return None, None, None
    return float(np.fmin.reduce(values)), float(np.fmax.reduce(values)), _finite(mean)


def _as_numpy(values: pa.ChunkedArray) -> "np.ndarray[Any, Any]":
    """Return numbers with NaN where one is missing."""
    plain: np.ndarray[Any, Any] = (values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values).to_numpy()
    return plain


def _finite(value: Any) -> float | None:
    # the mean of huge numbers overflows, and JSON has no infinity
    return float(value) if value is not None and math.isfinite(value) else None
