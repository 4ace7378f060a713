"""Rows as their owners have them, in the types that a model's source had; what cannot be read names column and row.

More is accepted than the frozen schema of a training accepts, as the rows come out of other programs: whole floats for
integers, 0 and 1 for booleans, numbers and times written as text, times with a zone for times without one and the other
way round. Nothing is guessed: a number is no text, and a fraction is no integer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.contract import arrow_type
from assay.data.frames import decoded
from assay.data.schema import ColumnSchema, is_moment, is_number, role_fits
from assay.errors import DataContractError, Location, MissingColumnError, did_you_mean
from assay.expressions.language import nan_as_null

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 60
_EXPECTED: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_integer, "whole numbers"),
    (is_number, "numbers"),
    (pa.types.is_boolean, "true or false"),
    (pa.types.is_timestamp, "times, such as 2013-01-31T18:00:00"),
    (pa.types.is_date, "dates, such as 2013-01-31"),
    (pa.types.is_string, "text"),
)

UserRows: TypeAlias = (
    "pd.DataFrame | pa.Table | pa.RecordBatch | Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]"
)
"""Rows of a user: a frame, an Arrow table, columns by name, or records."""


def arrow_rows(rows: UserRows, columns: Sequence[ColumnSchema], *, where: str) -> pa.Table:
    """Return the rows' columns of some names as an Arrow table; other columns are left out.

    Raises:
        DataContractError: a column's values have no common type, or two columns have one name.
    """
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    wanted = {column.name: column for column in columns}
    if isinstance(rows, pa.Table):
        _require_names_once(rows.column_names, where)
        return rows.select([name for name in rows.column_names if name in wanted])
    named = _named_columns(rows, wanted, where)
    arrays = {name: _arrow_column(values, wanted[name], where) for name, values in named.items()}
    return pa.table(arrays)


def number_of_rows(rows: UserRows) -> int:
    """Return how many rows there are, of columns by name the length of the first."""
    if isinstance(rows, pa.Table | pa.RecordBatch):
        return int(rows.num_rows)
    if isinstance(rows, Mapping):
        return max((len(values) for values in rows.values()), default=0)
    return len(rows)


def in_source_types(
    table: pa.Table,
    columns: Sequence[ColumnSchema],
    required: Sequence[str],
    zone: str,
    *,
    where: str,
    before: int = 0,
) -> pa.Table:
    """Return the known columns of a table in the types that the model's source had, in their order.

    Args:
        table: any rows; further columns are left out.
        columns: of the source.
        required: names that the rows must have; each other column may be absent.
        zone: of times without a zone, where the source's have one, and the other way round.
        where: for errors.
        before: number of rows before these, for errors.

    Raises:
        MissingColumnError: a required column is absent.
        DataContractError: a value cannot be read in the source's type; names column and row.
    """
    for name in required:
        if name not in table.column_names:
            raise MissingColumnError(
                f"the rows have no column '{name}'{did_you_mean(name, table.column_names)}",
                location=Location(column=name),
                where=f"{where}, column '{name}'",
                found=f"columns {', '.join(table.column_names) or 'none'}",
                expected=f"columns {', '.join(required)}",
                remedy="add the column; its values may be missing",
            )
    _require_names_once(table.column_names, where)
    present = [column for column in columns if column.name in table.column_names]
    converted = {column.name: _Reading(column, zone, where, before).of(table.column(column.name)) for column in present}
    return pa.table(converted)


def _require_names_once(names: Sequence[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataContractError(
            "two columns have one name",
            location=Location(column=twice[0]),
            where=where,
            found=f"'{twice[0]}' {names.count(twice[0])} times",
            remedy="rename or remove one of them",
        )


def _named_columns(rows: Any, wanted: Mapping[str, ColumnSchema], where: str) -> dict[str, Any]:
    """Return the wanted columns of a frame, of columns by name or of records."""
    import pandas as pd

    if isinstance(rows, pd.DataFrame):
        names = [str(name) for name in rows.columns]
        _require_names_once([name for name in names if name in wanted], where)
        return {name: rows.iloc[:, place] for place, name in enumerate(names) if name in wanted}
    if isinstance(rows, Mapping):
        columns = {str(name): values for name, values in rows.items() if str(name) in wanted}
        if len({len(values) for values in columns.values()}) > 1:
            found = ", ".join(f"{name}: {len(values)}" for name, values in columns.items())
            raise DataContractError("the columns differ in their number of rows", where=where, found=found)
        return columns
    if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row if str(name) in wanted))
        return {name: [row.get(name) for row in rows] for name in names}
    raise DataContractError(
        "these are no rows",
        where=where,
        found=type(rows).__name__,
        expected="a pandas frame, an Arrow table, a mapping of columns, or a sequence of records",
    )


def _arrow_column(values: Any, column: ColumnSchema, where: str) -> pa.ChunkedArray:
    """Return one column as Arrow has it; missing values of pandas are null."""
    try:
        return _chunked(pa.array(values, from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    # mixed types: each value by itself, so that the one that does not fit is named
    texts = [_plain(value) for value in values]
    try:
        return _chunked(pa.array(texts, from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return _mixed(texts, column, where)


def _mixed(values: Sequence[Any], column: ColumnSchema, where: str) -> pa.ChunkedArray:
    """Return values of several types in the column's type, each read by itself."""
    target, read = arrow_type(column.dtype), []
    for number, value in enumerate(values):
        try:
            single = _chunked(pa.array([value], from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise _unreadable(column, target, value, number, where) from error
        converted = _Reading(column, "UTC", where, number).of(single)
        read.append(converted.cast(target) if target is not None else converted)
    return pa.chunked_array([chunk for each in read for chunk in each.chunks])


def _plain(value: Any) -> Any:
    """Return a value of numpy or pandas as Python has it."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value


def _chunked(array: Any) -> pa.ChunkedArray:
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads one column in the type that the model's source had.

    Attributes:
        column: of the source.
        zone: of times without a zone.
        where: for errors.
        before: number of rows before these.
    """

    column: ColumnSchema
    zone: str
    where: str
    before: int = 0

    def of(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the values in the source's type.

        Raises:
            DataContractError: a value cannot be read; names the first row.
        """
        values = nan_as_null(decoded(values))
        target = arrow_type(self.column.dtype)
        self._require_finite(values, target)
        if self.column.dtype == "null" and role_fits(self.column.role, values.type):
            return values
        if target is None or values.type == target:
            return values
        if values.null_count == len(values):
            return pa.chunked_array([pa.nulls(len(values), target)])
        try:
            return self._cast(values, target)
        except (pa.ArrowException, _NotReadError) as error:
            row = self._first_unreadable(values, target)
            raise _unreadable(self.column, target, values[row].as_py(), self.before + row, self.where) from error

    def _require_finite(self, values: pa.ChunkedArray, target: pa.DataType | None) -> None:
        infinite = pc.is_inf(values) if pa.types.is_floating(values.type) else None
        if infinite is not None and pc.any(infinite).as_py():
            row = pc.index(infinite, value=True).as_py()
            raise _unreadable(self.column, target, values[row].as_py(), self.before + row, self.where)

    def _cast(self, values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
        if _is_text(values.type) and not _is_text(target):
            return self._of_text(pc.utf8_trim_whitespace(values.cast(pa.string())), target)
        if is_moment(target):
            return self._moments(values, target)
        if _is_text(target):
            if not _is_text(values.type):
                raise _NotReadError
            return values.cast(target)
        if pa.types.is_boolean(target):
            return _booleans(values)
        if not (is_number(values.type) or pa.types.is_boolean(values.type)):
            raise _NotReadError
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        # whole numbers beyond 2**53 lose their last digits as a float; that is no reason to refuse them
        return values.cast(target, safe=not (pa.types.is_integer(values.type) and pa.types.is_floating(target)))

    def _of_text(self, texts: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
        """Return what texts write: numbers, booleans, or times in ISO 8601."""
        if pa.types.is_boolean(target):
            lower = pc.utf8_lower(texts)
            if not _all_in(lower, pa.array(["true", "false"])):
                raise _NotReadError
            return pc.equal(lower, "true")
        if not is_moment(target):
            return texts.cast(target)
        try:
            return self._moments(texts.cast(pa.timestamp("us")), target)
        except pa.ArrowInvalid:  # some have a zone: then all must
            return self._moments(texts.cast(pa.timestamp("us", "UTC")), target)

    def _moments(self, values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
        """Return times; one with a zone and one without are the same where a clock of the zone shows the latter."""
        if not is_moment(values.type):
            raise _NotReadError
        has_zone = pa.types.is_timestamp(values.type) and values.type.tz is not None
        wants_zone = pa.types.is_timestamp(target) and target.tz is not None
        if has_zone and not wants_zone:
            values = pc.local_timestamp(values.cast(pa.timestamp(values.type.unit, self.zone)))
        elif wants_zone and not has_zone:
            moments = values.cast(pa.timestamp("us")) if pa.types.is_date(values.type) else values
            values = pc.assume_timezone(moments, self.zone, ambiguous="earliest", nonexistent="earliest")
        made = values.cast(target, safe=False)
        if pa.types.is_date(target) and not pc.all(pc.equal(made.cast(values.type), values)).as_py():
            raise _NotReadError  # Arrow drops the time of day
        return made

    def _first_unreadable(self, values: pa.ChunkedArray, target: pa.DataType) -> int:
        """Return the position of the first value that cannot be read, by halving."""
        start, length = 0, len(values)
        while length > 1:
            half = length // 2
            start, length = (start, half) if self._fails(values.slice(start, half), target) else (
                start + half, length - half
            )  # fmt: skip
        return start

    def _fails(self, values: pa.ChunkedArray, target: pa.DataType) -> bool:
        if values.null_count == len(values):
            return False
        try:
            self._cast(values, target)
        except (pa.ArrowException, _NotReadError):
            return True
        return False


class _NotReadError(Exception):
    """Values of this type are not read in the other."""


def _unreadable(
    column: ColumnSchema, target: pa.DataType | None, value: Any, row: int, where: str
) -> DataContractError:
    expected = next((words for fits, words in _EXPECTED if target is not None and fits(target)), column.dtype)
    found = "a value of a personal column" if column.pii else f"{value!r}"[:_LONGEST]
    return DataContractError(
        f"column '{column.name}' holds a value that cannot be read as {column.dtype}",
        location=Location(row=row + 1, column=column.name),
        where=f"{where}, column '{column.name}', row {row + 1:,}",
        found=found,
        expected=f"{expected}, as the model was fitted",
        remedy="correct the value, or leave it missing",
    )


def _booleans(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if not is_number(values.type) or not _all_in(values, pa.array([0, 1], values.type)):
        raise _NotReadError
    return pc.not_equal(values, pa.scalar(0, values.type))


def _all_in(values: pa.ChunkedArray, known: pa.Array) -> bool:
    """Whether each value that is there is one of some."""
    return bool(pc.all(pc.is_in(values.drop_null(), known)).as_py())


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))
