"""The Arrow type of a result's column, over all its rows: every value exactly, or a refusal by row and column.

A database without column types, such as SQLite, may return any type in any row, so types are taken from the values
(docs/adr/0010-rows-of-sql-are-typed-by-us.md).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from assay.reading.defects import Defect, defect_error


class ValueKind(StrEnum):
    """Kinds of values that drivers return, named as in messages."""

    BOOLEAN = "true/false"
    INTEGER = "whole number"
    FLOAT = "floating-point number"
    DECIMAL = "decimal number"
    TEXT = "text"
    DATE = "date"
    LOCAL_TIME = "time without zone"
    ZONED_TIME = "time with zone"
    TIME_OF_DAY = "time of day"
    DURATION = "duration"


_KINDS: dict[type, ValueKind] = {
    bool: ValueKind.BOOLEAN,
    int: ValueKind.INTEGER,
    float: ValueKind.FLOAT,
    Decimal: ValueKind.DECIMAL,
    str: ValueKind.TEXT,
    uuid.UUID: ValueKind.TEXT,
    dt.datetime: ValueKind.LOCAL_TIME,
    dt.date: ValueKind.DATE,
    dt.time: ValueKind.TIME_OF_DAY,
    dt.timedelta: ValueKind.DURATION,
}
_DTYPES = {
    ValueKind.BOOLEAN: pa.bool_(),
    ValueKind.INTEGER: pa.int64(),
    ValueKind.FLOAT: pa.float64(),
    ValueKind.TEXT: pa.string(),
    ValueKind.DATE: pa.date32(),
    ValueKind.LOCAL_TIME: pa.timestamp("us"),
    ValueKind.ZONED_TIME: pa.timestamp("us", "UTC"),
    ValueKind.TIME_OF_DAY: pa.time64("us"),
    ValueKind.DURATION: pa.duration("us"),
}
_WIDER = {
    frozenset({ValueKind.INTEGER, ValueKind.FLOAT}): ValueKind.FLOAT,
    frozenset({ValueKind.INTEGER, ValueKind.DECIMAL}): ValueKind.DECIMAL,
}
"""The kind that holds the values of two kinds exactly, if each value allows it."""
_DIGITS = 38
_EXACT = 2**53
"""Whole numbers up to here are exact as float64."""
_NOT_HELD = (pa.ArrowException, OverflowError, UnicodeEncodeError)


def _kind_of(value: object) -> ValueKind | None:
    """Return a value's kind; None where no column type holds it."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return ValueKind.ZONED_TIME
    if isinstance(value, dt.time) and value.tzinfo is not None:
        return None
    return next((_KINDS[kind] for kind in type(value).__mro__ if kind in _KINDS), None)


def _kinds_in(values: Sequence[object]) -> list[ValueKind | None]:
    """Return the kinds of the present values, in order of appearance."""
    types = set(map(type, values)) - {type(None)}
    if len(types) > 1 or any(issubclass(kind, dt.datetime | dt.time) for kind in types):
        return list(dict.fromkeys(_kind_of(value) for value in values if value is not None))
    return [_kind_of(next(value for value in values if value is not None))] if types else []


@dataclass
class TypedColumn:
    """One column, after the rows so far.

    Attributes:
        name: of the column.
        where: the source, for messages.
        kind: of all values so far; None before the first.
        scale: digits after a decimal number's point.
        whole: digits before it.
        largest: largest absolute value of the whole numbers.
    """

    name: str
    where: str
    kind: ValueKind | None = None
    scale: int = 0
    whole: int = 0
    largest: int = 0

    @property
    def dtype(self) -> pa.DataType:
        """The type that holds all values so far."""
        if self.kind is ValueKind.DECIMAL:
            return pa.decimal128(_DIGITS, self.scale)
        return pa.null() if self.kind is None else _DTYPES[self.kind]

    def array(self, values: Sequence[object], first_row: int) -> pa.Array:
        """Return the next rows' values in the type that holds all rows so far, widened if necessary.

        Args:
            values: Python values, None where missing.
            first_row: 1-based row of the first one.

        Raises:
            MalformedDataError: a value of a type that does not match the rows before, of an unsupported type, or out
                of range.
        """
        for kind in _kinds_in(values):
            self._widen(kind, values, first_row)
        try:
            return self._converted(values)
        except _NOT_HELD as error:
            raise self._out_of_range(values, first_row) from error

    def _widen(self, kind: ValueKind | None, values: Sequence[object], first_row: int) -> None:
        if kind is None:
            raise self._unsupported(values, first_row)
        if self.kind in {None, kind}:
            self.kind = kind
            return
        wider = _WIDER.get(frozenset({self.kind, kind}))
        if wider is None or (wider is ValueKind.FLOAT and self.largest > _EXACT):
            raise self._mixed(kind, values, first_row)
        self.kind = wider

    def _converted(self, values: Sequence[object]) -> pa.Array:
        if self.kind is ValueKind.DECIMAL:
            return self._decimals(values)
        if self.kind is ValueKind.TEXT:
            values = [str(value) if isinstance(value, uuid.UUID) else value for value in values]
        if self.kind is ValueKind.ZONED_TIME:  # Arrow ignores a datetime's own zone once pandas is loaded
            values = [value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for value in values]
        converted = pa.array(values, type=self.dtype)
        if self.kind is ValueKind.INTEGER:
            bounds = pc.min_max(converted).as_py().values()
            self.largest = max(self.largest, *(abs(bound) for bound in bounds if bound is not None), 0)
        return converted

    def _decimals(self, values: Sequence[object]) -> pa.Array:
        found = pa.array([Decimal(value) if isinstance(value, int) else value for value in values])
        if pa.types.is_null(found.type):
            return found.cast(self.dtype)
        scale = max(self.scale, found.type.scale)
        whole = max(self.whole, found.type.precision - found.type.scale, len(str(self.largest)))
        if whole + scale > _DIGITS:
            raise pa.ArrowInvalid("too many digits")
        self.scale, self.whole = scale, whole
        return found.cast(self.dtype)

    def _mixed(self, kind: ValueKind, values: Sequence[object], first_row: int) -> Exception:
        row = _first(values, lambda value: _kind_of(value) is kind)
        return defect_error(
            Defect.MIXED_TYPES,
            "a column holds values of different types",
            name=self.where,
            row=first_row + row,
            column=self.name,
            found=f"a {kind}",
            expected=f"a {self.kind}, as before",
            remedy="cast the column to one type in the query",
        )

    def _unsupported(self, values: Sequence[object], first_row: int) -> Exception:
        row = _first(values, lambda value: _kind_of(value) is None)
        return defect_error(
            Defect.NESTED_VALUES if isinstance(values[row], dict | list | tuple) else Defect.UNREADABLE,
            "a column holds values of an unsupported type",
            name=self.where,
            row=first_row + row,
            column=self.name,
            found=f"type {type(values[row]).__name__}",
            expected="numbers, texts, booleans, dates or times",
            remedy="cast the column in the query, or leave it out",
        )

    def _out_of_range(self, values: Sequence[object], first_row: int) -> Exception:
        return defect_error(
            Defect.VALUE_OUT_OF_RANGE,
            "a value is out of range",
            name=self.where,
            row=first_row + _first(values, lambda value: not self._is_held(value)),
            column=self.name,
            expected=f"a {self.kind} that {self.dtype} holds exactly, with the rows before",
            remedy="cast the column in the query, e.g. to double precision or text",
        )

    def _is_held(self, value: object) -> bool:
        try:
            self._converted([value])
        except _NOT_HELD:
            return False
        return True


def _first(values: Sequence[object], matches: Callable[[object], bool]) -> int:
    return next((row for row, value in enumerate(values) if value is not None and matches(value)), 0)
