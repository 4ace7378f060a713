"""Columns as small whole numbers, so that any two can be compared by counting.

What the sentinel looks at: the features that are not trusted, and a bounded sample of the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.feature_selection import unused_columns
from assay.gate.judged_table import ColumnKind, JudgedTable
from assay.gate.outcome import UNCONFIGURED, Outcome
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

Judge: TypeAlias = Callable[[JudgedTable, PipelineSpec], Outcome]
Array: TypeAlias = np.ndarray[Any, Any]

MIN_ROWS = 50
"""Fewer rows are no proof of anything: whatever is found in them may be chance."""
SAMPLED_ROWS = 50_000
"""Rows on which statistics are computed; an AUC is then known to about 0.002."""
ADVICE = "else give it `role: ignored`, or, having looked, list it in validation.sentinel.trusted"
_SEED = 20_130_701


def sentinel_rule(expected: str) -> Callable[[Judge], Judge]:
    """Make a rule that is on unless `validation.sentinel.enabled` is false, and has a target to judge by.

    Args:
        expected: the proposition, told where nothing can be judged.
    """

    def wrapped(judge: Judge) -> Judge:
        @wraps(judge)
        def judged(table: JudgedTable, spec: PipelineSpec) -> Outcome:
            if not spec.validation.sentinel.enabled:
                return UNCONFIGURED
            if spec.dataset.target not in table:
                return Outcome(f"not judged: there is no column {spec.dataset.target}", expected)
            return judge(table, spec)

        return judged

    return wrapped


def too_few(rows: int, expected: str) -> Outcome:
    """Say that there are too few rows for a judgement."""
    return Outcome(f"not judged: {rows:,} rows prove nothing, {MIN_ROWS} might", expected)


def judged_features(table: JudgedTable, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the features that are not trusted, in the table's order."""
    unused = unused_columns(table.schema, spec)
    passed_over = {*unused, *spec.validation.sentinel.trusted, spec.dataset.target}
    return tuple(name for name in table.names if name not in passed_over)


def role_of(table: JudgedTable, name: str) -> ColumnRole:
    """Return a column's role."""
    return table.schema[name].role


def sampled_rows(table: JudgedTable) -> Array | None:
    """Return the sorted positions of the sample; None where it is all rows. The same table gives the same sample."""
    if table.rows <= SAMPLED_ROWS:
        return None
    drawn = np.random.default_rng(_SEED).choice(table.rows, SAMPLED_ROWS, replace=False, shuffle=False)
    return np.sort(drawn)


def values_of(table: JudgedTable, name: str, rows: Array | None) -> pa.ChunkedArray:
    """Return a column's values in these rows, or in all."""
    column = table.plain(name)
    return column if rows is None else column.take(pa.array(rows))


NUMBERS: tuple[ColumnKind, ...] = ("integer", "float", "boolean", "datetime")
_MISSING = -1


@dataclass(frozen=True, slots=True, eq=False)
class CodedColumn:
    """Values by code.

    Attributes:
        codes: int64, one per row; -1 where the value is missing.
        distinct: number of different values, missing not counted.
        ordered: whether a larger code is a larger value.
    """

    codes: Array
    distinct: int
    ordered: bool

    @property
    def present(self) -> Array:
        """Where there is a value, bool."""
        found: Array = self.codes != _MISSING
        return found

    def in_rows(self, rows: Array) -> "CodedColumn":
        """Return the column in some rows, given as a mask; codes stay what they are."""
        return CodedColumn(self.codes[rows], self.distinct, self.ordered)

    def midranks(self) -> Array:
        """Return the average rank (1-based, float64) of each row among the present; NaN where missing."""
        counts = np.bincount(self.codes[self.present], minlength=self.distinct)
        ranks = np.append(np.cumsum(counts) - (counts - 1) / 2, np.nan)
        found: Array = ranks[self.codes]
        return found


def coded(table: JudgedTable, name: str, rows: Array | None = None) -> CodedColumn | None:
    """Number a column's values in some rows, or in all.

    Returns:
        The codes; None for kinds whose values cannot be compared, and where all are missing.
    """
    column = values_of(table, name, rows)
    if table.kind(name) in NUMBERS:
        found = _coded_numbers(as_floats(column))
    elif table.kind(name) == "string":
        found = _coded_texts(column)
    else:
        return None
    return found if found.distinct else None


def as_floats(column: pa.ChunkedArray) -> Array:
    """Return numbers, truth values or moments as float64; NaN where missing."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())  # nanoseconds are cut off
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _coded_numbers(values: Array) -> CodedColumn:
    present = ~np.isnan(values)
    codes = np.full(values.size, _MISSING, dtype=np.int64)
    distinct, codes[present] = np.unique(values[present], return_inverse=True)
    return CodedColumn(codes, int(distinct.size), ordered=True)


def _coded_texts(column: pa.ChunkedArray) -> CodedColumn:
    encoded = pa.chunked_array([column.combine_chunks()]).dictionary_encode().chunk(0)
    codes = np.asarray(pc.fill_null(encoded.indices, _MISSING), dtype=np.int64)
    return CodedColumn(codes, len(encoded.dictionary), ordered=False)
