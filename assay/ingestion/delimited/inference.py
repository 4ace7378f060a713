"""What several blocks say of a column's type, put together so that no value of any block is lost.

Does not belong here: converting (`conversion`).
"""

from collections.abc import Mapping
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.ingestion.delimited.blocks import Block
from assay.ingestion.delimited.conversion import EXACT_UP_TO, Rows, columns_that_lose, converted

Types: TypeAlias = Mapping[str, pa.DataType]
_BIG = pa.uint64()
"""Stands for whole numbers of which some have no float of their own; Arrow's inference never gives it."""


def types_of(block: Block, rows: Rows, fixed: Types) -> Types:
    """Return the types that fit one block; fixed ones are kept.

    Raises:
        UnfitTypesError: a fixed type does not fit.
        MalformedDataError: the rows cannot be read.
    """
    table = converted(block, rows, fixed)
    lossy = columns_that_lose(table, block, rows)
    return {
        field.name: pa.string() if field.name in lossy else _BIG if _is_big(table[field.name]) else field.type
        for field in table.schema
    }


def joined(first: Types, second: Types) -> Types:
    """Return the types that fit both; text fits everything."""
    return {name: _join(first[name], second[name]) for name in first}


def settled(types: Types) -> Types:
    """Return the types to convert to, once all blocks were seen."""
    return {name: pa.int64() if dtype == _BIG else dtype for name, dtype in types.items()}


def _is_big(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type):
        return False
    bounds = pc.min_max(column).as_py()
    return any(value is not None and abs(value) > EXACT_UP_TO for value in bounds.values())


def _join(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    pair = {first, second}
    if pair <= {pa.int64(), _BIG}:
        return _BIG
    if pair == {pa.int64(), pa.float64()}:
        return pa.float64()
    if all(_is_moment(dtype) for dtype in pair):
        return _join_moments(first, second)
    return pa.string()


def _is_moment(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date32(dtype))


def _join_moments(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if pa.types.is_date32(first) or pa.types.is_date32(second):
        other = second if pa.types.is_date32(first) else first
        return other if other.tz is None else pa.string()
    if first.tz != second.tz:
        return pa.string()
    return first if first.unit == "ns" else second
