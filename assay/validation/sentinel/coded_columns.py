"""Columns as small whole numbers, so that any two can be compared by counting.

Does not belong here: what is concluded from the counts.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.validation.judged_table import ColumnKind, JudgedTable
from assay.validation.sentinel.judged_features import Array, values_of

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
