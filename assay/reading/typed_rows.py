"""Rows of typed values, as a stream of batches: types from the first block, and from all where that proves too narrow.

For formats that say of every single value what it is. Whole numbers and fractions are one type where nothing is lost.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType, NoneType
from typing import Any, NoReturn, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.reading.batches import BatchStream, UnfitTypesError
from assay.reading.bounds import Unfolded
from assay.reading.defects import Defect, malformed

_DTYPES: Mapping[type, pa.DataType] = MappingProxyType(
    {
        NoneType: pa.null(),
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        dt.datetime: pa.timestamp("us"),
        dt.date: pa.date32(),
        dt.time: pa.time64("us"),
        dt.timedelta: pa.duration("us"),
    }
)
_WORDS: Mapping[type, str] = MappingProxyType(
    {bool: "a boolean", int: "a number", float: "a number", str: "text", dict: "a record", list: "a list"}
)
_LARGEST_EXACT = 2**53
_LARGEST_WHOLE = 2**63


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows.

    Attributes:
        rows: number of every row, for messages.
        columns: values by the column's name, as many as rows; None is missing.
    """

    rows: Sequence[int]
    columns: Mapping[str, list[Any]]


Kinds: TypeAlias = dict[str, type]


def typed_stream(opened: Callable[[], Iterator[Block]], name: str) -> BatchStream:
    """Give the columns of all blocks one type each.

    Args:
        opened: goes through the file from its beginning.
        name: how the file is called in messages.

    Raises:
        MalformedDataError: a column mixes types or holds lists and records, a number is out of its type's range, a
            text is no Unicode; with row and column.
    """
    found = opened()
    first = next(found, Block((), {}))
    return _stream(opened, chain([first], found), _joined({}, first, name), name)


def _stream(opened: Callable[[], Iterator[Block]], found: Iterator[Block], kinds: Kinds, name: str) -> BatchStream:
    schema = pa.schema([(column, _DTYPES[kind]) for column, kind in kinds.items()])

    def batches() -> Iterator[pa.RecordBatch]:
        count = Unfolded(name)
        for block in found:
            count.add(len(block.rows), len(kinds))
            wider = _joined(kinds, block, name)
            unfit = [column for column in wider if wider[column] is not kinds.get(column)]
            if unfit:
                raise UnfitTypesError(unfit)
            yield _batch(block, schema, name)

    def again(_: UnfitTypesError) -> BatchStream:
        wide: Kinds = {}
        for block in opened():
            wide = _joined(wide, block, name)
        return _stream(opened, opened(), wide, name)

    return BatchStream(schema, batches(), again)


def _joined(kinds: Kinds, block: Block, name: str) -> Kinds:
    """Return types that hold earlier rows and these."""
    joined = dict(kinds)
    for column, values in block.columns.items():
        here = set(map(type, values)) | {kinds.get(column, NoneType)} - {NoneType}
        here.discard(NoneType)
        if len(here) > 1 and here != {int, float}:
            _refuse_mixed(column, block, kinds.get(column, NoneType), name)
        kind = float if len(here) > 1 else next(iter(here), NoneType)
        if kind in {list, dict}:
            _refuse_nested(column, block, name)
        joined[column] = kind
    return joined


def _batch(block: Block, schema: pa.Schema, name: str) -> pa.RecordBatch:
    missing = [None] * len(block.rows)
    arrays = [_array(block, field, block.columns.get(field.name, missing), name) for field in schema]
    if not arrays:  # rows of nothing still count
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(block.rows), pa.struct([])))
    return pa.record_batch(arrays, schema=schema)


def _array(block: Block, field: pa.Field, values: list[Any], name: str) -> pa.Array:
    if pa.types.is_floating(field.type):
        _require_exact(block, field.name, values, name)
    try:
        array = pa.array(values, field.type)
    except (ValueError, OverflowError) as error:  # Arrow's own errors derive from these
        _refuse_first_bad(block, field.name, values, name, error)
    if pa.types.is_floating(field.type) and pc.any(pc.is_inf(array)).as_py():
        row = block.rows[pc.index(pc.is_inf(array), True).as_py()]
        raise _out_of_range(name, row, field.name, "a number too large for a float", "numbers below 1.8e308")
    return array


def _require_exact(block: Block, column: str, values: list[Any], name: str) -> None:
    for row, value in zip(block.rows, values, strict=True):
        if type(value) is int and abs(value) > _LARGEST_EXACT:
            expected = f"whole numbers up to {_LARGEST_EXACT:,} in a column that also has fractions"
            raise _out_of_range(name, row, column, _shown(value), expected)


def _refuse_first_bad(block: Block, column: str, values: list[Any], name: str, error: Exception) -> NoReturn:
    for row, value in zip(block.rows, values, strict=True):
        if type(value) is int and not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
            raise _out_of_range(name, row, column, _shown(value), "whole numbers within 64 bits") from error
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise malformed(
                Defect.WRONG_ENCODING,
                "a text is not valid Unicode",
                name,
                row=row,
                column=column,
                found="half of a surrogate pair",
                expected="texts of valid Unicode",
            ) from error
    raise _out_of_range(name, block.rows[0], column, str(error)[:100], "values that 64 bits hold") from error


def _refuse_mixed(column: str, block: Block, earlier: type, name: str) -> NoReturn:
    for row, value in zip(block.rows, block.columns[column], strict=True):
        kind = type(value)
        if kind is NoneType or kind is earlier or {kind, earlier} == {int, float}:
            continue
        if kind in {list, dict}:
            _refuse_nested(column, block, name)
        if earlier is not NoneType:
            raise malformed(
                Defect.MIXED_TYPES,
                "a column mixes types",
                name,
                row=row,
                column=column,
                found=f"{_word(kind)} after {_word(earlier)}",
                expected="values of one type",
                remedy="mend the rows, or write all values of the column as text",
            )
        earlier = kind
    raise AssertionError(column)  # only called where types differ


def _refuse_nested(column: str, block: Block, name: str) -> NoReturn:
    kinds = [type(value) for value in block.columns[column]]
    place = next(number for number, kind in enumerate(kinds) if kind in {list, dict})
    raise malformed(
        Defect.NESTED_VALUES,
        "a column holds nested values",
        name,
        row=block.rows[place],
        column=column,
        found=_word(kinds[place]),
        expected="flat records: numbers, texts, booleans or nothing",
        remedy="flatten the records",
    )


def _out_of_range(name: str, row: int, column: str, found: str, expected: str) -> Exception:
    what = "a number is out of range"
    return malformed(Defect.VALUE_OUT_OF_RANGE, what, name, row=row, column=column, found=found, expected=expected)


def _word(kind: type) -> str:
    return _WORDS.get(kind, f"a {kind.__name__}")


def _shown(value: int) -> str:
    return f"{value}" if value.bit_length() < 256 else f"a number of {value.bit_length():,} bits"  # noqa: PLR2004
