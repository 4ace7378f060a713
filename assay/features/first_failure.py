"""The rows that a query of the engine reads, and the search for the first of them for which it cannot be computed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.expressions.language import locked_connection
from assay.features.compiling import BEFORE, ROW, Layer, first_line, nested, quoted

if TYPE_CHECKING:
    import duckdb

_SOURCE = "source_rows"


def engine_connection(**settings: str | int) -> "duckdb.DuckDBPyConnection":
    """Return a locked connection in which a division by zero is an error, also of fractions."""
    return locked_connection(ieee_floating_point_ops="false", **settings)


@dataclass(frozen=True, slots=True)
class Source:
    """The rows that a query reads.

    Attributes:
        connection: of `engine_connection`.
        rows: as they are handed over.
        absent: DuckDB's type of each further column; to compute with one is an error.
    """

    connection: "duckdb.DuckDBPyConnection"
    rows: pa.Table
    absent: Mapping[str, str]

    @property
    def query(self) -> str:
        """The rows as a table of SQL."""
        lacking = (
            f"CAST(error('not handed over') AS {dtype}) AS {quoted(name)}" for name, dtype in self.absent.items()
        )
        return f"(SELECT {', '.join(('*', *lacking))} FROM {_SOURCE})"

    @contextmanager
    def registered(self, start: int = 0, length: int | None = None) -> Iterator[None]:
        """Let queries read the rows, or some of them."""
        self.connection.register(_SOURCE, self.rows.slice(start, length))
        try:
            yield
        finally:
            self.connection.unregister(_SOURCE)


@dataclass(frozen=True, slots=True)
class Failure:
    """A row for which a step cannot be computed.

    Attributes:
        step: number of the step.
        column: that it makes; empty for a condition.
        row: 0-based number of the source's row; None where other rows matter as well.
        text: what DuckDB says; it may quote values.
    """

    step: int
    column: str
    row: int | None
    text: str


class RowFailure(Exception):  # noqa: N818 - becomes an error where the rows' names are known
    """A step cannot be computed for a row."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def failure(source: Source, layers: Sequence[Layer], error: Exception) -> Failure:
    """Return the step, column and first row that fail: the layers are tried in order, then halves of the rows."""
    for number, query, column in _queries(layers, source.query):
        with source.registered():
            found = _error_of(source.connection, query)
        if found is not None:
            row = _first_failing(source, query)
            if row is not None and ROW in source.rows.column_names:
                row = int(source.rows.column(ROW)[row].as_py())
            return Failure(layers[number].step, column, row, first_line(found))
    return Failure(BEFORE, "", None, first_line(error))


def _queries(layers: Sequence[Layer], rows: str) -> Iterator[tuple[int, str, str]]:
    """Yield a query for each column and condition, which computes it and what it needs; with its layer's number."""
    for number, layer in enumerate(layers):
        below = nested(layers[: number + 1], rows)
        for column in layer.made:
            # a count might be answered without the value
            yield number, f"SELECT bit_xor(hash({quoted(column)})) FROM (\n{below}\n)", column
        if layer.conditions:
            yield number, f"SELECT count(*) FROM (\n{below}\n)", ""


def _error_of(connection: "duckdb.DuckDBPyConnection", query: str) -> Exception | None:
    import duckdb

    try:
        connection.execute(query).fetchall()
    except duckdb.Error as error:
        return error
    return None


def _first_failing(source: Source, query: str) -> int | None:
    start, length = 0, source.rows.num_rows
    while length > 1:
        half = length // 2
        with source.registered(start, half):
            fails = _error_of(source.connection, query) is not None
        start, length = (start, half) if fails else (start + half, length - half)
    with source.registered(start, length):
        return start if _error_of(source.connection, query) is not None else None
