"""Rows of a SQL query: `sql://name` and `sqlite:///path`, through SQLAlchemy.

What databases report, as typed errors without passwords and values.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import MissingCredentialsError, SourceError, SourceNotFoundError, SourceUnreachableError
from assay.specs.dataset import DataFormat
from resources.sources.interface import FetchedFile, Source, SourceObject
from resources.sources.query import Query, trimmed
from resources.sources.row_spool import RowSpool, require_unique, rows_per_batch
from resources.sources.sql_engines import engine_for, require_no_question_mark, url_of

_REFUSED_LOGIN = frozenset({"28000", "28P01"})
_NO_DATABASE = "3D000"
_CANCELLED = "57014"
_UNWELL = ("08", "53", "57")
"""SQLSTATE classes: connection, resources, operator intervention."""


@contextmanager
def as_source_error(where: str, shown: Callable[[str], str], *, connecting: bool = False) -> Iterator[None]:
    """Turn a database's failures into errors about a source; their causes are left out, which may show values.

    Args:
        where: the source.
        shown: takes out of a message what may not be seen.
        connecting: whether nothing was asked yet, so that an unnamed failure is one of the connection.
    """
    from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        state, message = _told(error.orig)
        lost = connecting or isinstance(error, InterfaceError) or error.connection_invalidated
        raise _typed(state, shown(message), where, lost=lost) from None
    except SQLAlchemyError as error:
        raise SourceError("the query cannot be run", where=where, found=shown(str(error))) from None
    except OSError as error:
        raise _typed("", str(error.strerror or error), where, lost=True) from None


def _told(error: BaseException | None) -> tuple[str, str]:
    """Return a failure's SQLSTATE, empty where the driver tells none, and its message."""
    fields = error.args[0] if error is not None and error.args else ""
    if isinstance(fields, dict):  # pg8000
        return str(fields.get("C", "")), str(fields.get("M", ""))
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""), str(error)


def _typed(state: str, message: str, where: str, *, lost: bool) -> SourceError:
    if state in _REFUSED_LOGIN or (lost and "password" in message.lower()):
        return MissingCredentialsError(
            "the database refuses the login", where=where, found=message, remedy="mend user and password in the URL"
        )
    if state == _NO_DATABASE:
        return SourceNotFoundError("there is no such database", where=where, found=message, remedy="mend the URL")
    if state == _CANCELLED or "interrupted" in message:
        return past_deadline(where)
    if state.startswith(_UNWELL) or (lost and not state):
        return SourceUnreachableError(
            "the database does not answer", where=where, found=message, remedy="run again when the database is well"
        )
    return SourceError("the database refuses the query", where=where, found=message, remedy="mend dataset.query")


def past_deadline(where: str) -> SourceError:
    """Return the refusal of a query that takes too long."""
    return SourceError(
        "the query takes longer than it may",
        where=where,
        remedy="narrow the query, add an index, or raise ASSAY_QUERY_SECONDS",
    )


if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

_STEPS_BETWEEN_LOOKS = 100_000


class SqlSource(Source):
    """One query's rows, read in one read-only transaction, in memory that does not grow with them."""

    def __init__(self, address: str, query: Query, connections: Mapping[str, str], seconds: float) -> None:
        self._address = address
        self._query = query
        self._seconds = seconds
        self._url = url_of(address, connections)

    def objects(self) -> list[SourceObject]:
        """Name the one result; its version is empty without a watermark."""
        if self._query.watermark is None:
            return [SourceObject(self._address, "")]
        with self._connected() as connection:
            return [SourceObject(self._address, self._version(connection))]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Write the rows to an Arrow file; the version is that of these rows, which may be newer than the listed one.

        Raises:
            MalformedDataError: a column without one type, or with values that a table cannot hold.
            SourceError: the database refuses, or the query takes too long.
        """
        deadline = time.monotonic() + self._seconds
        with self._connected() as connection:
            version = self._version(connection)
            with as_source_error(self._address, self._shown):
                path = self._written(connection, folder / "rows.arrow", deadline)
        return FetchedFile(path=path, uri=item.uri, version=version, data_format=DataFormat.FEATHER)

    def _written(self, connection: "Connection", path: Path, deadline: float) -> Path:
        result = self._run(connection.execution_options(stream_results=True), self._query.text)
        names = list(result.keys())
        require_unique(names, self._address)
        spool = RowSpool(names, self._address, path)
        for rows in result.partitions(rows_per_batch(len(names))):
            spool.append(rows)
            if time.monotonic() > deadline:
                raise past_deadline(self._address)
        return spool.finish()

    def _version(self, connection: "Connection") -> str:
        if self._query.watermark is None:
            return ""
        with as_source_error(self._address, self._shown):
            rows = self._run(connection, self._query.watermark).fetchmany(2)
        return self._query.version(rows, where=self._address)

    def _run(self, connection: "Connection", text: str) -> "CursorResult[tuple[object, ...]]":
        from sqlalchemy import text as statement

        values = self._query.values_of(text)
        if values and connection.dialect.driver == "pg8000":
            require_no_question_mark(text, self._address)
        result: CursorResult[tuple[object, ...]] = connection.execute(statement(trimmed(text)), values)
        if not result.returns_rows:
            raise SourceError(
                "the query returns no rows", where=self._address, expected="one SELECT", remedy="mend dataset.query"
            )
        return result

    @contextmanager
    def _connected(self) -> "Iterator[Connection]":
        engine = engine_for(self._url, self._address, self._seconds)
        with as_source_error(self._address, self._shown, connecting=True):
            connection = engine.connect()
        try:
            with as_source_error(self._address, self._shown):
                _only_read(connection, self._seconds)
            yield connection
        finally:
            connection.invalidate()  # a transaction that failed, or a cursor half read, cannot be ended politely
            connection.close()
            engine.dispose()

    def _shown(self, message: str) -> str:
        password = str(self._url.password or "")
        message = self._query.without_values(message)
        return message.replace(password, "***") if password else message


def _only_read(connection: "Connection", seconds: float) -> None:
    """Begin a transaction that cannot write, sees one state of the database, and is ended at the deadline."""
    begin = _BEGINNINGS.get(connection.dialect.name)
    if begin is not None:  # what a login may do is for the other databases' own grants
        begin(connection, seconds)


def _begin_postgresql(connection: "Connection", seconds: float) -> None:
    from sqlalchemy import text

    connection.execute(text("set transaction isolation level repeatable read, read only"))
    bound = {"bound": f"{max(1, int(seconds * 1000))}ms"}
    connection.execute(text("select set_config('statement_timeout', :bound, true)"), bound)


def _begin_sqlite(connection: "Connection", seconds: float) -> None:
    from sqlalchemy import text

    deadline = time.monotonic() + seconds
    connection.execute(text("pragma query_only = on"))
    raw: Any = connection.connection.driver_connection
    if raw is not None:
        raw.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_LOOKS)


_BEGINNINGS: Mapping[str, Callable[["Connection", float], None]] = {
    "postgresql": _begin_postgresql,
    "sqlite": _begin_sqlite,
}
