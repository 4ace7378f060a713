"""Rows of a query on a DuckDB file: `duckdb:///path`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.errors import SourceError, SourceUnreachableError
from assay.reading.defects import Defect, defect_error, require_unique
from assay.specs.dataset import DataFormat
from resources.sources.confined_query import ROWS_FILE, ConfinedQuery
from resources.sources.interface import Access, FetchedFile, Source, SourceKind, SourceObject
from resources.sources.query import (
    NAME_IN_QUERY,
    Query,
    past_deadline,
    past_limit,
    require_file,
    require_rows,
    trimmed,
    with_dollars,
)
from resources.sources.row_spool import ROWS_PER_BATCH, write_arrow

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

# of the memory that the process may use; the rest is for what DuckDB does not count
_SHARE_OF_MEMORY = 0.75
_BUSY = "Could not set lock"
_OUTSIDE = "disabled by configuration"
_OUT_OF_MEMORY = "Out of Memory"


class DuckdbSource(Source):
    """One query's rows; the file is opened read-only, and DuckDB reads nothing else but files of the same folder."""

    def __init__(self, address: str, query: Query, seconds: float, memory_mb: int) -> None:
        self._address = address
        self._path = path_of(address)
        self._query = query
        self._seconds = seconds
        self._memory_mb = memory_mb

    def objects(self) -> list[SourceObject]:
        """Return the one result; its version is empty without a watermark."""
        with self._connected() as connection:
            return [SourceObject(self._address, self._version(connection))]

    def fetch(self, item: SourceObject, folder: Path) -> FetchedFile:
        """Write the rows to an Arrow file with DuckDB's types.

        Raises:
            MalformedDataError: a column of bytes, or two columns of the same name.
            SourceError: DuckDB refuses the query, or it takes too long.
        """
        path = folder / ROWS_FILE
        with self._connected() as connection:
            version = self._version(connection)
            reader = self._run(connection, self._query.text).to_arrow_reader(ROWS_PER_BATCH)
            require_unique(reader.schema.names, name=self._address, remedy=NAME_IN_QUERY)
            _require_no_bytes(reader.schema, self._address)
            write_arrow(path, reader.schema, reader)
        return FetchedFile(path=path, uri=item.uri, version=version, data_format=DataFormat.FEATHER)

    def _version(self, connection: "DuckDBPyConnection") -> str:
        if self._query.watermark is None:
            return ""
        rows = self._run(connection, self._query.watermark).limit(2).fetchall()
        return self._query.version(rows, where=self._address)

    def _run(self, connection: "DuckDBPyConnection", text: str) -> "DuckDBPyRelation":
        from duckdb import StatementType

        statement = with_dollars(trimmed(text))
        (parsed,) = connection.extract_statements(statement)
        require_rows(self._address, returned=parsed.type == StatementType.SELECT)
        return connection.sql(statement, params=self._query.values_of(text))

    @contextmanager
    def _connected(self) -> "Iterator[DuckDBPyConnection]":
        import duckdb

        try:
            with duckdb.connect(str(self._path), read_only=True) as connection:
                timer = threading.Timer(self._seconds, connection.interrupt)
                timer.start()
                try:
                    self._confine(connection)
                    yield connection
                finally:
                    timer.cancel()
        except (duckdb.Error, pa.ArrowException) as error:
            raise self._typed(error) from None

    def _confine(self, connection: "DuckDBPyConnection") -> None:
        folder = str(self._path.parent.absolute())
        connection.execute("set TimeZone = 'UTC'")  # the default is the machine's zone
        connection.execute("set memory_limit = $1", [f"{int(self._memory_mb * _SHARE_OF_MEMORY)}MiB"])
        connection.execute("set autoload_known_extensions = false")
        connection.execute("set autoinstall_known_extensions = false")
        connection.execute("set file_search_path = $1", [folder])
        connection.execute("set allowed_directories = $1", [[folder]])
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")

    def _typed(self, error: Exception) -> SourceError:
        message = self._query.without_values(str(error))
        if "INTERRUPT" in message:
            return past_deadline(self._address)
        if _OUT_OF_MEMORY in message:
            limit = f"at most {self._memory_mb} MiB"
            return past_limit("memory", self._address, found=message.partition("\n")[0], expected=limit)
        if _BUSY in message:
            return SourceUnreachableError(
                "another process holds the DuckDB file for writing",
                where=self._address,
                found=message.split("\n")[0],
                remedy="stop that process, or read a copy of the file",
            )
        if _OUTSIDE in message:
            return SourceError(
                "the query reads a file outside the database's folder",
                where=self._address,
                found=message,
                expected=f"files in {self._path.parent.absolute()}, without links",
                remedy="move the files of a view there, or make the view a table",
            )
        return SourceError(
            "DuckDB refuses the query", where=self._address, found=message, remedy="correct dataset.query"
        )


def path_of(address: str) -> Path:
    """Return the path of a `duckdb:///` address."""
    return Path(address.removeprefix("duckdb://").removeprefix("/")).expanduser()


def _query(address: str, access: Access, query: Query) -> Source:
    require_file(path_of(address), address)
    return ConfinedQuery("duckdb", address, access, query)


KIND = SourceKind(("duckdb",), "duckdb:///path", query=_query)


def _require_no_bytes(schema: pa.Schema, where: str) -> None:
    for field in schema:
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            raise defect_error(
                Defect.UNREADABLE,
                "a column holds values of an unsupported type",
                name=where,
                column=field.name,
                found=f"dtype {field.type}",
                expected="numbers, texts, booleans, dates or times",
                remedy="cast the column in the query, or leave it out",
            )
