"""What the sentinel's rules share: untrusted features, a bounded sample of the rows, and columns as codes.

Columns coded as small whole numbers are compared by counting.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.feature_selection import unused_columns
from assay.gate.checked_table import CheckedTable, ColumnKind
from assay.gate.outcome import Check, Outcome, checks, failing_column, outcome
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

Array: TypeAlias = np.ndarray[Any, Any]

MIN_ROWS = 50
"""Whatever is found in fewer rows may be chance."""
SAMPLED_ROWS = 50_000
"""Rows on which statistics are computed; an AUC is then known to about 0.002."""
ADVICE = "else give the column `role: ignored`, or review it and list it in validation.sentinel.trusted"
_SEED = 20_130_701


def sentinel_check(name: str, expected: str, fewest: int = MIN_ROWS) -> Callable[[Check], Check]:
    """Register the function of one of the sentinel's rules, which is called only if there are a target and rows enough.

    Where nothing can be checked, the proposition `expected` is reported.
    """

    def decorate(check: Check) -> Check:
        @wraps(check)
        def checked(table: CheckedTable, spec: PipelineSpec) -> Outcome:
            if spec.dataset.target not in table:
                return Outcome(f"not checked: there is no column {spec.dataset.target}", expected)
            if table.rows < fewest:
                return Outcome(f"not checked: {counted(table.rows, 'row')}, fewer than {fewest}", expected)
            return check(table, spec)

        return checks(name)(checked)

    return decorate


def reported(
    reasons: Mapping[str, str],
    *,
    observed: str,
    expected: str,
    holds: bool = False,
    holding: Container[str] = (),
    conclusive: Container[str] = (),
) -> Outcome:
    """Return the outcome of columns with the reason why each fails; columns with an empty reason pass.

    Promotion waits for a person for the columns of `holding` and `conclusive`, or where `holds` for all.
    """
    findings = [
        failing_column(
            name,
            expected=expected,
            found=text,
            holds=holds or name in holding or name in conclusive,
            conclusive=name in conclusive,
        )
        for name, text in reasons.items()
        if text
    ]
    return outcome(findings, observed=observed, expected=expected)


def checked_features(table: CheckedTable, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the features that are not trusted, in the table's order."""
    unused = unused_columns(table.schema, spec)
    skipped = {*unused, *spec.validation.sentinel.trusted, spec.dataset.target}
    return tuple(name for name in table.names if name not in skipped)


def role_of(table: CheckedTable, name: str) -> ColumnRole:
    """Return a column's role."""
    return table.schema[name].role


def sampled_rows(table: CheckedTable) -> Array | None:
    """Return the sorted positions of the sample; None where it is all rows. The same table gives the same sample."""
    return None if table.rows <= SAMPLED_ROWS else table.derived("sampled_rows", lambda: _sample(table.rows))


def _sample(rows: int) -> Array:
    return np.sort(np.random.default_rng(_SEED).choice(rows, SAMPLED_ROWS, replace=False, shuffle=False))


def values_of(table: CheckedTable, name: str, rows: Array | None) -> pa.ChunkedArray:
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


def coded(table: CheckedTable, name: str, rows: Array | None = None) -> CodedColumn | None:
    """Number a column's values in some rows, or in all.

    Returns:
        The codes; None for kinds whose values cannot be compared, and where all are missing.
    """
    if rows is sampled_rows(table):  # which is None for all rows of a small table
        return table.derived(("coded", name), lambda: _coded(table, name, rows))
    return _coded(table, name, rows)


def _coded(table: CheckedTable, name: str, rows: Array | None) -> CodedColumn | None:
    column = values_of(table, name, rows)
    if table.kind(name) in NUMBERS:
        found = coded_numbers(as_floats(column))
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


_HUGE = 1e100


def squarable(column: pa.ChunkedArray) -> Array:
    """Return numbers as `as_floats` does, but NaN where infinite, or so large that squares overflow."""
    values = as_floats(column)
    return np.where(np.abs(values) < _HUGE, values, np.nan)


def coded_numbers(values: Array) -> CodedColumn:
    """Number different values, NaN being missing."""
    present = ~np.isnan(values)
    codes = np.full(values.size, _MISSING, dtype=np.int64)
    distinct, codes[present] = np.unique(values[present], return_inverse=True)
    return CodedColumn(codes, int(distinct.size), ordered=True)


def _coded_texts(column: pa.ChunkedArray) -> CodedColumn:
    encoded = pa.chunked_array([column.combine_chunks()]).dictionary_encode().chunk(0)
    codes = np.asarray(pc.fill_null(encoded.indices, _MISSING), dtype=np.int64)
    return CodedColumn(codes, len(encoded.dictionary), ordered=False)
