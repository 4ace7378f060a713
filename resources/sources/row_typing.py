"""What the values of a result's column are, over all its rows.

A database without column types, such as SQLite, may return anything in any row, so that types come from the values.

Kinds of values that a database's driver returns.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from assay.reading.defects import Defect, malformed


class Kind(StrEnum):
    """What a value is, by the name that messages use."""

    BOOLEAN = "true/false"
    INTEGER = "whole number"
    FLOAT = "floating-point number"
    DECIMAL = "decimal number"
    TEXT = "text"
    DATE = "date"
    LOCAL = "time without zone"
    MOMENT = "time with zone"
    CLOCK = "time of day"
    SPAN = "duration"


_KINDS: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    str: Kind.TEXT,
    uuid.UUID: Kind.TEXT,
    dt.datetime: Kind.LOCAL,
    dt.date: Kind.DATE,
    dt.time: Kind.CLOCK,
    dt.timedelta: Kind.SPAN,
}
DTYPES = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.TEXT: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.LOCAL: pa.timestamp("us"),
    Kind.MOMENT: pa.timestamp("us", "UTC"),
    Kind.CLOCK: pa.time64("us"),
    Kind.SPAN: pa.duration("us"),
}
WIDER = {
    frozenset({Kind.INTEGER, Kind.FLOAT}): Kind.FLOAT,
    frozenset({Kind.INTEGER, Kind.DECIMAL}): Kind.DECIMAL,
}
"""What holds the values of two kinds exactly, as far as each value allows."""


def kinds_in(values: Sequence[object]) -> list[Kind | None]:
    """Return the kinds of the values that are there, in the order in which they come first."""
    types = set(map(type, values)) - {type(None)}
    if len(types) > 1 or any(issubclass(kind, dt.datetime | dt.time) for kind in types):
        return list(dict.fromkeys(kind_of(value) for value in values if value is not None))
    return [kind_of(next(value for value in values if value is not None))] if types else []


def kind_of(value: object) -> Kind | None:
    """Return what a value is; None where no table holds it."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return Kind.MOMENT
    if isinstance(value, dt.time) and value.tzinfo is not None:
        return None
    return next((_KINDS[kind] for kind in type(value).__mro__ if kind in _KINDS), None)


_DIGITS = 38
_EXACT = 2**53
"""Whole numbers up to here are exact as float64."""


@dataclass
class ColumnKind:
    """One column, as far as its rows have come.

    Attributes:
        name: of the column.
        where: what messages call the source.
        kind: of all values so far; None before the first.
        scale: digits after a decimal number's point.
        whole: digits before it.
        largest: the largest whole number's size.
    """

    name: str
    where: str
    kind: Kind | None = None
    scale: int = 0
    whole: int = 0
    largest: int = 0

    @property
    def dtype(self) -> pa.DataType:
        """The dtype that holds all values so far."""
        if self.kind is Kind.DECIMAL:
            return pa.decimal128(_DIGITS, self.scale)
        return pa.null() if self.kind is None else DTYPES[self.kind]

    def array(self, values: Sequence[object], first_row: int) -> pa.Array:
        """Return the next rows' values in the dtype that holds all rows so far, which they may widen.

        Args:
            values: Python values, None where missing.
            first_row: 1-based row of the first one.

        Raises:
            MalformedDataError: a value of another type than those before, of no type that a table has, or out of range.
        """
        for kind in kinds_in(values):
            self._widen(kind, values, first_row)
        try:
            return self._made(values)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
            raise self._out_of_range(values, first_row) from error

    def _widen(self, kind: Kind | None, values: Sequence[object], first_row: int) -> None:
        if kind is None:
            raise self._refused(values, first_row)
        if self.kind in {None, kind}:
            self.kind = kind
            return
        wider = WIDER.get(frozenset({self.kind, kind}))
        if wider is None or (wider is Kind.FLOAT and self.largest > _EXACT):
            raise self._mixed(kind, values, first_row)
        self.kind = wider

    def _made(self, values: Sequence[object]) -> pa.Array:
        if self.kind is Kind.DECIMAL:
            return self._decimals(values)
        if self.kind is Kind.TEXT:
            values = [str(value) if isinstance(value, uuid.UUID) else value for value in values]
        if self.kind is Kind.MOMENT:  # Arrow heeds a datetime's own zone only as long as pandas is not loaded
            values = [value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for value in values]
        made = pa.array(values, type=self.dtype)
        if self.kind is Kind.INTEGER:
            bounds = pc.min_max(made).as_py().values()
            self.largest = max(self.largest, *(abs(bound) for bound in bounds if bound is not None), 0)
        return made

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

    def _mixed(self, kind: Kind, values: Sequence[object], first_row: int) -> Exception:
        place = next(place for place, value in enumerate(values) if value is not None and kind_of(value) is kind)
        return malformed(
            Defect.MIXED_TYPES,
            "a column holds values of different types",
            self.where,
            row=first_row + place,
            column=self.name,
            found=f"a {kind}",
            expected=f"a {self.kind}, as before",
            remedy="cast the column to one type in the query",
        )

    def _refused(self, values: Sequence[object], first_row: int) -> Exception:
        place = next(place for place, value in enumerate(values) if value is not None and kind_of(value) is None)
        return malformed(
            Defect.NESTED_VALUES if isinstance(values[place], dict | list | tuple) else Defect.UNREADABLE,
            "a column holds values that a table cannot",
            self.where,
            row=first_row + place,
            column=self.name,
            found=f"type {type(values[place]).__name__}",
            expected="numbers, texts, booleans, dates or times",
            remedy="cast the column in the query, or leave it out",
        )

    def _out_of_range(self, values: Sequence[object], first_row: int) -> Exception:
        return malformed(
            Defect.VALUE_OUT_OF_RANGE,
            "a value is out of range",
            self.where,
            row=first_row + self._first_unfit(values),
            column=self.name,
            expected=f"a {self.kind} that {self.dtype} holds exactly, with the rows before",
            remedy="cast the column in the query, e.g. to double precision or text",
        )

    def _first_unfit(self, values: Sequence[object]) -> int:
        for place, value in enumerate(values):
            try:
                self._made([value])
            except (pa.ArrowException, OverflowError, UnicodeEncodeError):
                return place
        return 0
