"""Rows of typed values as a stream of batches: types come from the first block, or from all where those are too narrow.

For formats in which every value has a type of its own. Whole numbers and fractions become one type where no digit is
lost.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType, NoneType
from typing import Any, NoReturn, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.reading.batches import BatchStream, TypesTooNarrowError
from assay.reading.defects import DecodedSize, Defect, defect_error

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
class TypedBlock:
    """Some rows of typed values.

    Attributes:
        rows: the number of every row, for messages.
        columns: values by column name, one for each row; None is missing.
    """

    rows: Sequence[int]
    columns: Mapping[str, list[Any]]


PythonTypes: TypeAlias = dict[str, type]


def typed_stream(opened: Callable[[], Iterator[TypedBlock]]) -> BatchStream:
    """Give the columns of all blocks one type each; `opened` iterates over the file from its beginning.

    Raises:
        MalformedDataError: a column mixes types or holds lists and records, a number is out of its type's range, a
            text is not Unicode; with row and column.
    """
    found = opened()
    first = next(found, TypedBlock((), {}))
    return _stream(opened, chain([first], found), _joined({}, first))


def _stream(opened: Callable[[], Iterator[TypedBlock]], found: Iterator[TypedBlock], kinds: PythonTypes) -> BatchStream:
    schema = pa.schema([(column, _DTYPES[kind]) for column, kind in kinds.items()])

    def batches() -> Iterator[pa.RecordBatch]:
        count = DecodedSize()
        for block in found:
            count.add(len(block.rows), len(kinds))
            wider = _joined(kinds, block)
            narrow = [column for column in wider if wider[column] is not kinds.get(column)]
            if narrow:
                raise TypesTooNarrowError(narrow)
            yield _batch(block, schema)

    def again(_: TypesTooNarrowError) -> BatchStream:
        wide: PythonTypes = {}
        for block in opened():
            wide = _joined(wide, block)
        return _stream(opened, opened(), wide)

    return BatchStream(schema, batches(), again)


def _joined(kinds: PythonTypes, block: TypedBlock) -> PythonTypes:
    """Return types that hold earlier rows and these."""
    joined = dict(kinds)
    for column, values in block.columns.items():
        here = set(map(type, values)) | {kinds.get(column, NoneType)} - {NoneType}
        here.discard(NoneType)
        if len(here) > 1 and here != {int, float}:
            _refuse_mixed(column, block, kinds.get(column, NoneType))
        kind = float if len(here) > 1 else next(iter(here), NoneType)
        if kind in {list, dict}:
            _refuse_nested(column, block)
        joined[column] = kind
    return joined


def _batch(block: TypedBlock, schema: pa.Schema) -> pa.RecordBatch:
    missing = [None] * len(block.rows)
    arrays = [_array(block, field, block.columns.get(field.name, missing)) for field in schema]
    if not arrays:  # rows of nothing still count
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(block.rows), pa.struct([])))
    return pa.record_batch(arrays, schema=schema)


def _array(block: TypedBlock, field: pa.Field, values: list[Any]) -> pa.Array:
    if pa.types.is_floating(field.type):
        _require_exact(block, field.name, values)
    try:
        array = pa.array(values, field.type)
    except (ValueError, OverflowError) as error:  # Arrow's own errors derive from these
        _refuse_first_bad(block, field.name, values, error)
    if pa.types.is_floating(field.type) and pc.any(pc.is_inf(array)).as_py():
        row = block.rows[pc.index(pc.is_inf(array), True).as_py()]
        raise _out_of_range(row, field.name, "a number too large for a float", "numbers below 1.8e308")
    return array


def _require_exact(block: TypedBlock, column: str, values: list[Any]) -> None:
    for row, value in zip(block.rows, values, strict=True):
        if type(value) is int and abs(value) > _LARGEST_EXACT:
            expected = f"whole numbers up to {_LARGEST_EXACT:,} in a column that also has fractions"
            raise _out_of_range(row, column, _shown(value), expected)


def _refuse_first_bad(block: TypedBlock, column: str, values: list[Any], error: Exception) -> NoReturn:
    for row, value in zip(block.rows, values, strict=True):
        if type(value) is int and not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
            raise _out_of_range(row, column, _shown(value), "whole numbers within 64 bits") from error
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            what, found, expected = "a text is not valid Unicode", "half of a surrogate pair", "texts of valid Unicode"
            raise defect_error(
                Defect.WRONG_ENCODING, what, row=row, column=column, found=found, expected=expected
            ) from error
    raise _out_of_range(block.rows[0], column, str(error)[:100], "values that 64 bits hold") from error


def _refuse_mixed(column: str, block: TypedBlock, earlier: type) -> NoReturn:
    for row, value in zip(block.rows, block.columns[column], strict=True):
        kind = type(value)
        if kind is NoneType or kind is earlier or {kind, earlier} == {int, float}:
            continue
        if kind in {list, dict}:
            _refuse_nested(column, block)
        if earlier is not NoneType:
            raise defect_error(
                Defect.MIXED_TYPES,
                "a column mixes types",
                row=row,
                column=column,
                found=f"{_word(kind)} after {_word(earlier)}",
                expected="values of one type",
                remedy="correct the rows, or write all values of the column as text",
            )
        earlier = kind
    raise AssertionError(column)  # only called where types differ


def _refuse_nested(column: str, block: TypedBlock) -> NoReturn:
    kinds = [type(value) for value in block.columns[column]]
    index = next(number for number, kind in enumerate(kinds) if kind in {list, dict})
    raise defect_error(
        Defect.NESTED_VALUES,
        "a column holds nested values",
        row=block.rows[index],
        column=column,
        found=_word(kinds[index]),
        expected="flat records: numbers, texts, booleans or nothing",
        remedy="flatten the records",
    )


def _out_of_range(row: int, column: str, found: str, expected: str) -> Exception:
    what = "a number is out of range"
    return defect_error(Defect.VALUE_OUT_OF_RANGE, what, row=row, column=column, found=found, expected=expected)


def _word(kind: type) -> str:
    return _WORDS.get(kind, f"a {kind.__name__}")


def _shown(value: int) -> str:
    return f"{value}" if value.bit_length() < 256 else f"a number of {value.bit_length():,} bits"  # noqa: PLR2004
