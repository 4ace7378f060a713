"""Rows of a SQL query through SQLAlchemy: `sql://name` and `sqlite:///path`.

A database's failures become typed errors without passwords and values.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import MissingCredentialsError, SourceError, SourceNotFoundError, SourceUnreachableError
from assay.reading.defects import require_unique
from assay.specs.dataset import DataFormat
from resources.sources.confined_query import ROWS_FILE, ConfinedQuery
from resources.sources.interface import Access, FetchedFile, Source, SourceKind, SourceObject
from resources.sources.query import NAME_IN_QUERY, Query, past_deadline, require_rows, trimmed
from resources.sources.row_spool import RowSpool, rows_per_batch
from resources.sources.sql_engines import (
    connection_name,
    engine_for,
    file_of,
    only_select,
    require_no_question_mark,
    url_of,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

_REFUSED_LOGIN = frozenset({"28000", "28P01"})
_NO_DATABASE = "3D000"
_CANCELLED = "57014"
_STEPS_BETWEEN_CHECKS = 10_000
_UNAVAILABLE = ("08", "53", "57")
"""SQLSTATE classes: connection, resources, operator intervention."""


@contextmanager
def as_source_error(where: str, shown: Callable[[str], str], *, connecting: bool = False) -> Iterator[None]:
    """Raise a database's failures as source errors, without their causes, which may show values."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        state, message = _reported(error.orig)
        lost = connecting or isinstance(error, InterfaceError) or error.connection_invalidated
        raise _typed(state, shown(message), where, lost=lost) from None
    except SQLAlchemyError as error:
        raise SourceError("the query cannot be run", where=where, found=shown(str(error))) from None
    except OSError as error:
        raise _typed("", str(error.strerror or error), where, lost=True) from None


def _reported(error: BaseException | None) -> tuple[str, str]:
    """Return a failure's SQLSTATE, empty where the driver gives none, and its message."""
    fields = error.args[0] if error is not None and error.args else ""
    if isinstance(fields, dict):  # pg8000
        return str(fields.get("C", "")), str(fields.get("M", ""))
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""), str(error)


def _typed(state: str, message: str, where: str, *, lost: bool) -> SourceError:
    if state in _REFUSED_LOGIN or (lost and "password" in message.lower()):
        return MissingCredentialsError(
            "the database refuses the login", where=where, found=message, remedy="correct user and password in the URL"
        )
    if state == _NO_DATABASE:
        return SourceNotFoundError("there is no such database", where=where, found=message, remedy="correct the URL")
    if state == _CANCELLED or "interrupted" in message:
        return past_deadline(where)
    if state.startswith(_UNAVAILABLE) or (lost and not state):
        return SourceUnreachableError(
            "the database does not answer",
            where=where,
            found=message,
            remedy="run again once the database is up",
        )
    if "Could not decode to UTF-8" in message:  # of Python's sqlite3, after the query was accepted
        return SourceError(
            "a text of the database is not UTF-8",
            where=where,
            found=message,
            remedy="correct the value, or leave its column out of dataset.query",
        )
    return SourceError("the database refuses the query", where=where, found=message, remedy="correct dataset.query")


class SqlSource(Source):
    """One query's rows, read in one read-only transaction and in bounded memory."""

    def __init__(self, address: str, query: Query, connections: Mapping[str, str], seconds: float) -> None:
        self._address = address
        self._query = query
        self._seconds = seconds
        self._url = url_of(address, connections)

    def objects(self) -> list[SourceObject]:
        """Return the one result; its version is empty without a watermark."""
        if self._query.watermark is None:
            return [SourceObject(self._address, "")]
        with self._connected() as connection:
            return [SourceObject(self._address, self._version(connection))]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Write the rows to an Arrow file, with their own version, which may be newer than the listed one.

        Raises:
            MalformedDataError: a column with values of several types or of an unsupported type.
            SourceError: the database refuses the query, or it takes too long.
        """
        deadline = time.monotonic() + self._seconds
        with self._connected() as connection:
            version = self._version(connection)
            with as_source_error(self._address, self._shown):
                path = self._written(connection, folder / ROWS_FILE, deadline)
        return FetchedFile(path=path, uri=item.uri, version=version, data_format=DataFormat.FEATHER)

    def _written(self, connection: "Connection", path: Path, deadline: float) -> Path:
        result = self._run(connection.execution_options(stream_results=True), self._query.text)
        names = list(result.keys())
        require_unique(names, name=self._address, remedy=NAME_IN_QUERY)
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
        require_rows(self._address, returned=result.returns_rows)
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
            connection.invalidate()  # a failed transaction, or a half-read cursor, cannot be closed in order
            connection.close()
            engine.dispose()

    def _shown(self, message: str) -> str:
        password = str(self._url.password or "")
        message = self._query.without_values(message)
        return message.replace(password, "***") if password else message


def _only_read(connection: "Connection", seconds: float) -> None:
    """Begin a read-only transaction on one snapshot that ends at the deadline."""
    begin = _READ_ONLY.get(connection.dialect.name)
    if begin is not None:  # in other databases the login's grants decide
        begin(connection, seconds)


def _begin_postgresql(connection: "Connection", seconds: float) -> None:
    from sqlalchemy import text

    connection.execute(text("set transaction isolation level repeatable read, read only"))
    bound = {"bound": f"{max(1, int(seconds * 1000))}ms"}
    connection.execute(text("select set_config('statement_timeout', :bound, true)"), bound)


def _begin_sqlite(connection: "Connection", seconds: float) -> None:
    deadline = time.monotonic() + seconds
    raw: Any = connection.connection.driver_connection
    if raw is not None:
        raw.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS_BETWEEN_CHECKS)
        only_select(raw)


_READ_ONLY: Mapping[str, Callable[["Connection", float], None]] = {
    "postgresql": _begin_postgresql,
    "sqlite": _begin_sqlite,
}


def _query(address: str, access: Access, query: Query) -> Source:
    url = url_of(address, access.connections)
    if url.get_backend_name() == "sqlite":
        file_of(url, address)
        own = {} if address.startswith("sqlite:") else {connection_name(address): str(url)}
        return ConfinedQuery("sqlite", address, access, query, own)
    return SqlSource(address, query, access.connections, access.query_seconds)


KIND = SourceKind(("sql", "sqlite"), "sql://name, sqlite:///path", query=_query)
