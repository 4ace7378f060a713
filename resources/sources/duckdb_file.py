"""Rows of a query on a DuckDB file: `duckdb:///path`."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError
from assay.reading.defects import Defect, defect_error
from assay.specs.dataset import DataFormat
from resources.sources.interface import Access, FetchedFile, Source, SourceKind, SourceObject
from resources.sources.query import Query, trimmed, with_dollars
from resources.sources.row_spool import ROWS_PER_BATCH, require_unique, write_arrow
from resources.sources.sql import past_deadline

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

_SETTINGS: Mapping[str, str | bool | int | float | list[str]] = MappingProxyType(
    {"enable_external_access": "false", "autoload_known_extensions": "false"}
)
_BUSY = "Could not set lock"


class DuckdbSource(Source):
    """One query's rows; the file is opened read-only, and DuckDB can access nothing else."""

    def __init__(self, address: str, query: Query, seconds: float) -> None:
        self._address = address
        self._path = Path(address.removeprefix("duckdb://").removeprefix("/")).expanduser()
        self._query = query
        self._seconds = seconds

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
        path = folder / "rows.arrow"
        with self._connected() as connection:
            version = self._version(connection)
            reader = self._run(connection, self._query.text).to_arrow_reader(ROWS_PER_BATCH)
            require_unique(reader.schema.names, self._address)
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
        if parsed.type != StatementType.SELECT:
            raise SourceError(
                "the query returns no rows", where=self._address, expected="one SELECT", remedy="correct dataset.query"
            )
        return connection.sql(statement, params=self._query.values_of(text))

    @contextmanager
    def _connected(self) -> "Iterator[DuckDBPyConnection]":
        import duckdb

        self._require_file()
        try:
            with duckdb.connect(str(self._path), read_only=True, config=dict(_SETTINGS)) as connection:
                timer = threading.Timer(self._seconds, connection.interrupt)
                timer.start()
                try:
                    connection.execute("set TimeZone = 'UTC'")  # the default is the machine's zone
                    yield connection
                finally:
                    timer.cancel()
        except (duckdb.Error, pa.ArrowException) as error:
            raise self._typed(error) from None

    def _typed(self, error: Exception) -> SourceError:
        message = self._query.without_values(str(error))
        if "INTERRUPT" in message:
            return past_deadline(self._address)
        if _BUSY in message:
            return SourceUnreachableError(
                "another process holds the DuckDB file for writing",
                where=self._address,
                found=message.split("\n")[0],
                remedy="stop that process, or read a copy of the file",
            )
        return SourceError(
            "DuckDB refuses the query", where=self._address, found=message, remedy="correct dataset.query"
        )

    def _require_file(self) -> None:
        if not self._path.is_file():
            raise SourceNotFoundError(
                "the source does not exist",
                where=self._address,
                found=f"no file {self._path.absolute()}",
                remedy="correct the address; an absolute path has four slashes, duckdb:////data/rows.duckdb",
            )


def _query(address: str, access: Access, query: Query) -> Source:
    return DuckdbSource(address, query, access.query_seconds)


KIND = SourceKind(("duckdb",), "duckdb:///path", query=_query)


def _require_no_bytes(schema: pa.Schema, where: str) -> None:
    for field in schema:
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            raise defect_error(
                Defect.UNREADABLE,
                "a column holds values of an unsupported type",
                where,
                column=field.name,
                found=f"dtype {field.type}",
                expected="numbers, texts, booleans, dates or times",
                remedy="cast the column in the query, or leave it out",
            )
