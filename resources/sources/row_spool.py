"""Rows of a query in one Arrow file, written in batches, each value exactly or refused by row and column.

A database without column types, such as SQLite, may return any type in any row, so types are taken from the values
(docs/adr/0010-rows-of-sql-are-typed-by-us.md).
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import MalformedDataError
from assay.reading.defects import Defect, defect_error

ROWS_PER_BATCH = 50_000
_CELLS_PER_BATCH = 1_000_000
"""Most Python values in memory; one takes about 100 bytes."""


class ValueKind(NamedTuple):
    """A kind of values that drivers return."""

    name: str
    """In messages."""
    dtype: pa.DataType | None
    """None where it depends on the values."""

    def __str__(self) -> str:
        return self.name


_INTEGER = ValueKind("whole number", pa.int64())
_FLOAT = ValueKind("floating-point number", pa.float64())
_DECIMAL = ValueKind("decimal number", None)
_TEXT = ValueKind("text", pa.string())
_ZONED_TIME = ValueKind("time with zone", pa.timestamp("us", "UTC"))
_KINDS: dict[type, ValueKind] = {
    bool: ValueKind("true/false", pa.bool_()),
    int: _INTEGER,
    float: _FLOAT,
    Decimal: _DECIMAL,
    str: _TEXT,
    uuid.UUID: _TEXT,
    dt.datetime: ValueKind("time without zone", pa.timestamp("us")),
    dt.date: ValueKind("date", pa.date32()),
    dt.time: ValueKind("time of day", pa.time64("us")),
    dt.timedelta: ValueKind("duration", pa.duration("us")),
}
_WIDER = {
    frozenset({_INTEGER, _FLOAT}): _FLOAT,
    frozenset({_INTEGER, _DECIMAL}): _DECIMAL,
}
"""The kind that holds the values of two kinds exactly, if each value allows it."""
_DIGITS = 38
_EXACT = 2**53
"""Whole numbers up to here are exact as float64."""
_NOT_HELD = (pa.ArrowException, OverflowError, UnicodeEncodeError)


def _kind_of(value: object) -> ValueKind | None:
    """Return a value's kind; None where no column type holds it."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return _ZONED_TIME
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
        if self.kind is _DECIMAL:
            return pa.decimal128(_DIGITS, self.scale)
        return pa.null() if self.kind is None else self.kind.dtype

    def array(self, values: Sequence[object], first_row: int) -> pa.Array:
        """Return the next rows' values in the type that holds all rows so far, widened if necessary.

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
        if wider is None or (wider is _FLOAT and self.largest > _EXACT):
            raise self._mixed(kind, values, first_row)
        self.kind = wider

    def _converted(self, values: Sequence[object]) -> pa.Array:
        if self.kind is _DECIMAL:
            return self._decimals(values)
        if self.kind is _TEXT:
            values = [str(value) if isinstance(value, uuid.UUID) else value for value in values]
        if self.kind is _ZONED_TIME:  # Arrow ignores a datetime's own zone once pandas is loaded
            values = [value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for value in values]
        converted = pa.array(values, type=self.dtype)
        if self.kind is _INTEGER:
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

    def _mixed(self, kind: ValueKind, values: Sequence[object], first_row: int) -> MalformedDataError:
        return self._error(
            Defect.MIXED_TYPES,
            "a column holds values of different types",
            first_row + _first(values, lambda value: _kind_of(value) is kind),
            found=f"a {kind}",
            expected=f"a {self.kind}, as before",
            remedy="cast the column to one type in the query",
        )

    def _unsupported(self, values: Sequence[object], first_row: int) -> MalformedDataError:
        row = _first(values, lambda value: _kind_of(value) is None)
        return self._error(
            Defect.NESTED_VALUES if isinstance(values[row], dict | list | tuple) else Defect.UNREADABLE,
            "a column holds values of an unsupported type",
            first_row + row,
            found=f"type {type(values[row]).__name__}",
            expected="numbers, texts, booleans, dates or times",
            remedy="cast the column in the query, or leave it out",
        )

    def _out_of_range(self, values: Sequence[object], first_row: int) -> MalformedDataError:
        return self._error(
            Defect.VALUE_OUT_OF_RANGE,
            "a value is out of range",
            first_row + _first(values, lambda value: not self._is_held(value)),
            expected=f"a {self.kind} that {self.dtype} holds exactly, with the rows before",
            remedy="cast the column in the query, e.g. to double precision or text",
        )

    def _error(
        self, defect: Defect, what: str, row: int, *, found: str = "", expected: str, remedy: str
    ) -> MalformedDataError:
        where, column = self.where, self.name
        return defect_error(
            defect, what, name=where, row=row, column=column, found=found, expected=expected, remedy=remedy
        )

    def _is_held(self, value: object) -> bool:
        try:
            self._converted([value])
        except _NOT_HELD:
            return False
        return True


def _first(values: Sequence[object], matches: Callable[[object], bool]) -> int:
    return next((row for row, value in enumerate(values) if value is not None and matches(value)), 0)


def rows_per_batch(columns: int) -> int:
    """Return the batch size for a number of columns."""
    return max(1, min(ROWS_PER_BATCH, _CELLS_PER_BATCH // max(columns, 1)))


class RowSpool:
    """Writes rows of Python values. When a column's type widens, another file starts; `finish` merges the files.

    Types only ever widen, so there are few files.
    """

    def __init__(self, names: Sequence[str], where: str, path: Path) -> None:
        self._columns = [TypedColumn(name, where) for name in names]
        self._path = path
        self._parts: list[Path] = []
        self._sink: Any = None
        self._schema = pa.schema([])
        self._rows = 0

    def append(self, rows: Sequence[Sequence[object]]) -> None:
        """Write the next rows, at least one.

        Raises:
            MalformedDataError: a value that its column's type cannot hold.
        """
        first = self._rows + 1
        columns = zip(self._columns, zip(*rows, strict=True), strict=True)
        arrays = [column.array(values, first) for column, values in columns]
        self._rows += len(rows)
        batch = pa.record_batch(arrays, schema=self._typed())
        sink = self._sink
        if sink is None or batch.schema != self._schema:
            sink = self._opened(batch.schema)
        sink.write_batch(batch)

    def finish(self) -> Path:
        """Return the file with all rows under their final types."""
        if self._sink is None:
            self._opened(self._typed())
        self._close()
        if len(self._parts) > 1:
            write_arrow(self._path, self._schema, self._widened())
        else:
            self._parts[0].rename(self._path)
        return self._path

    def _widened(self) -> Iterable[pa.RecordBatch]:
        for part in self._parts:
            with pa.memory_map(str(part)) as file:
                reader = pa.ipc.open_file(file)
                for batch_number in range(reader.num_record_batches):
                    batch = reader.get_batch(batch_number)
                    arrays = [_cast(batch.column(number), field.type) for number, field in enumerate(self._schema)]
                    yield pa.record_batch(arrays, schema=self._schema)
            part.unlink()

    def _typed(self) -> pa.Schema:
        return pa.schema([(column.name, column.dtype) for column in self._columns])

    def _opened(self, schema: pa.Schema) -> Any:
        self._close()
        self._schema = schema
        self._parts.append(self._path.with_name(f"{self._path.name}.{len(self._parts)}"))
        self._sink = pa.ipc.new_file(str(self._parts[-1]), schema)
        return self._sink

    def _close(self) -> None:
        if self._sink is not None:
            self._sink.close()


def write_arrow(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches as one Feather (version 2) file."""
    with pa.ipc.new_file(str(path), schema) as sink:
        for batch in batches:
            sink.write_batch(batch)


def _cast(values: pa.Array, dtype: pa.DataType) -> pa.Array:
    if pa.types.is_integer(values.type) and pa.types.is_decimal(dtype):
        values = values.cast(pa.decimal128(19, 0))  # the digits of an int64
    return values.cast(dtype)
