"""One number per row, equal for equal rows, and how many of them repeat.

Does not belong here: what repeats mean (`repeats`); identity of stored rows (`assay.tables.fingerprint`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from assay.validation.judged_table import JudgedTable
from assay.validation.sentinel.coded_columns import as_floats
from assay.validation.sentinel.judged_features import Array

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def mixed(table: JudgedTable, names: Sequence[str]) -> Array:
    """Return the sum of the columns' hashes, uint64; the order of the names is of no matter."""
    total: Array = np.zeros(table.rows, dtype=np.uint64)
    for name in names:
        total += column_hash(table.plain(name), table.names.index(name))
    return total


def column_hash(column: pa.ChunkedArray, salt: int) -> Array:
    """Return uint64 by value; missing values are equal. The same value in another column (salt) hashes otherwise.

    Args:
        column: any column; nested values are compared by their text, which is slow.
        salt: the column's number, at least 0.
    """
    found: Array = _bits(column)
    with np.errstate(over="ignore"):
        found = (found + np.uint64(2 * salt + 1) * _ODD) * _ODD
        found ^= found >> _SHIFT
        found *= _ODD
        found ^= found >> _SHIFT
    return found


def repeats(hashes: Array) -> tuple[float, int]:
    """Return the share of rows that equal an earlier row, and the number of pairs of equal rows."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if ordered.size else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, ordered.size)).astype(np.float64)
    return 1 - starts.size / max(ordered.size, 1), int((sizes * (sizes - 1) / 2).sum())


def _bits(column: pa.ChunkedArray) -> Array:
    dtype = column.type
    if pa.types.is_null(dtype):
        return np.zeros(len(column), dtype=np.uint64)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return _text_bits(column)
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_boolean(dtype) or _is_time(dtype):
        # adding zero makes -0.0 and 0.0 one value
        return np.ascontiguousarray(as_floats(column) + 0.0).view(np.uint64)
    return _text_bits(pa.chunked_array([[None if value is None else str(value) for value in column.to_pylist()]]))


def _is_time(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date(dtype))


def _text_bits(column: pa.ChunkedArray) -> Array:
    if not len(column):
        return np.empty(0, dtype=np.uint64)
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    words = pd.util.hash_array(np.asarray(encoded.dictionary.to_pandas(), dtype=object), categorize=False)
    indices = np.asarray(pc.fill_null(encoded.indices, len(words)), dtype=np.int64)
    return np.append(words, np.uint64(0))[indices]
