"""SQLAlchemy engines of SQL sources: SQLite files opened read-only, PostgreSQL by pg8000, and other dialects.

The URLs of named connections hold passwords: no message shows them.
"""

import logging
import socket
import sqlite3
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assay.errors import SourceError, SourceNotFoundError, SourceUnreachableError, did_you_mean
from resources.sources.query import require_file

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

CONNECT_SECONDS = 10
PARAMSTYLE = "numeric_dollar"
"""PostgreSQL's own `$1`, so that no text of the query can be read as a placeholder of the driver."""
_PORT = 5432
_OPTIONS = frozenset({"sslmode", "sslrootcert"})
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_SSL_MODES = _ENCRYPTED | {"disable", "allow", "prefer"}
_LOG_NAME = "assay"
_SELECTS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
    }
)
_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"})
_SETTINGS_READ = frozenset({"read_uncommitted", "data_version"})  # by SQLAlchemy, and by full-text search
_PACKAGES = {
    "bigquery": "sqlalchemy-bigquery",
    "snowflake": "snowflake-sqlalchemy",
    "mysql": "pymysql (URL mysql+pymysql://...)",
    "mariadb": "pymysql (URL mariadb+pymysql://...)",
    "mssql": "pyodbc (URL mssql+pyodbc://...)",
    "oracle": "oracledb (URL oracle+oracledb://...)",
}


def postgresql_connection(url: "URL", where: str, seconds: float) -> Any:
    """Return a DBAPI connection with `$1` parameters.

    Raises:
        SourceError: an option of the URL is unknown.
        SourceUnreachableError: no server listens.
    """
    from pg8000.legacy import Connection, Cursor  # type: ignore[import-untyped]  # it publishes no types

    _require_known_options(url, where)
    secure, host = _ssl_context(url, where), url.host or "localhost"
    # the driver has one timeout for connecting and reading, and a query may take longer
    reached = _reached(host, url.port or _PORT, where)
    reached.settimeout(seconds + CONNECT_SECONDS)
    login = {"host": host, "database": url.database, "password": url.password or "", "application_name": "assay"}
    try:
        connection = Connection(url.username or "", sock=reached, ssl_context=secure, **login)
    except BaseException:
        reached.close()
        raise
    # with qmark only '?' is a placeholder, not the '%' of a modulo
    connection.cursor = lambda: Cursor(connection, paramstyle="qmark")
    return connection


def require_no_question_mark(text: str, where: str) -> None:
    """Refuse a `?` in a statement with parameters: the driver reads it as a placeholder, even inside a text.

    Raises:
        SourceError: says what to write instead.
    """
    if "?" in text:
        raise SourceError(
            "a query with parameters may hold no '?'",
            where=f"{where}, dataset.query",
            found="?",
            remedy="pass a text with '?' by dataset.parameters; write jsonb_exists(a, b) for a ? b",
        )


def _require_known_options(url: "URL", where: str) -> None:
    unknown = sorted(url.query.keys() - _OPTIONS)
    if unknown:
        raise SourceError(
            f"the connection's URL has an unknown option{did_you_mean(unknown[0], _OPTIONS)}",
            where=where,
            found=unknown[0],
            expected=", ".join(sorted(_OPTIONS)),
            remedy="correct the URL",
        )


def _reached(host: str, port: int, where: str) -> socket.socket:
    try:
        return socket.create_connection((host, port), CONNECT_SECONDS)
    except OSError as error:
        raise SourceUnreachableError(
            "the database does not answer",
            where=where,
            found=str(error.strerror or error),
            remedy="check the connection's host and port, the network, and that the database is up",
        ) from error


def _ssl_context(url: "URL", where: str) -> ssl.SSLContext | bool:
    mode = str(url.query.get("sslmode", "prefer"))
    if mode not in _SSL_MODES:
        raise SourceError(
            f"unknown sslmode{did_you_mean(mode, _SSL_MODES)}",
            where=where,
            found=mode,
            expected=", ".join(sorted(_SSL_MODES)),
            remedy="correct the URL",
        )
    root = url.query.get("sslrootcert")
    try:
        return ssl.create_default_context(cafile=str(root) if root else None) if mode in _ENCRYPTED else False
    except OSError as error:
        raise SourceError("sslrootcert cannot be read", where=where, found=str(error.strerror or error)) from error


def url_of(address: str, connections: Mapping[str, str]) -> "URL":
    """Return the database URL of `sql://name` or `sqlite:///path`.

    Raises:
        SourceNotFoundError: no connection of that name, or no file.
        SourceError: the URL cannot be parsed.
    """
    if address.startswith("sqlite:"):
        return _parsed(address, address, "dataset.source")
    name = connection_name(address)
    variable = f"ASSAY_SQL_{name.upper()}"
    url = connections.get(name)
    if not url:
        raise SourceNotFoundError(
            f"there is no SQL connection '{name}'{did_you_mean(name, connections)}",
            where=address,
            found=f"connections {', '.join(sorted(connections))}" if connections else "no connections",
            remedy=f"set {variable} to its URL in the environment or in .env, e.g. postgresql://user:...@host/database",
        )
    return _parsed(url, address, variable)


def connection_name(address: str) -> str:
    """Return the name of the connection in `sql://name`; case and `-` for `_` make no difference."""
    return address.removeprefix("sql://").strip("/").lower().replace("-", "_")


def engine_for(url: "URL", where: str, seconds: float) -> "Engine":
    """Return an engine that pools no connection and logs no values.

    Raises:
        SourceError: the package for the database is not installed.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    # pg8000 closes a failed cursor by a statement that fails as well; its traceback would log the values
    logging.getLogger(f"sqlalchemy.pool.impl.NullPool.{_LOG_NAME}").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"hide_parameters": True, "poolclass": NullPool, "pool_logging_name": _LOG_NAME}
    try:
        if url.get_backend_name() == "sqlite":
            return create_engine("sqlite://", creator=lambda: _read_only_file(url, where, seconds), **options)
        if url.drivername == "postgresql+pg8000":
            options |= {"creator": lambda: postgresql_connection(url, where, seconds), "paramstyle": PARAMSTYLE}
        elif url.get_backend_name() == "postgresql":
            options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
        return create_engine(url, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise _no_package(url, where) from error
    except (ArgumentError, TypeError) as error:
        raise SourceError("the connection's URL is not usable", where=where, found=type(error).__name__) from None


def _parsed(url: str, where: str, variable: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise SourceError(  # the cause would show the URL
            "the connection's URL cannot be read",
            where=where,
            expected="dialect://user:password@host:port/database, special characters percent-encoded",
            remedy=f"correct {variable}",
        ) from None


def file_of(url: "URL", where: str) -> Path:
    """Return the path of a SQLite file.

    Raises:
        SourceNotFoundError: the file does not exist.
    """
    return require_file(Path(url.database or "").expanduser(), where)


def _read_only_file(url: "URL", where: str, seconds: float) -> sqlite3.Connection:
    """Open a SQLite file read-only, by its URI's mode, which does not hold for files that a statement attaches."""
    uri = f"file:{quote(str(file_of(url, where)))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=min(seconds, CONNECT_SECONDS), check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("pragma query_only = on")
    return connection


def only_select(connection: sqlite3.Connection) -> None:
    """Have SQLite refuse every statement but a SELECT, for good: no other file is opened, no setting changes."""

    def verdict(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = second != "load_extension"
        elif action == sqlite3.SQLITE_UPDATE:  # how SQLite declares a table-valued function such as json_each
            allowed = first == "sqlite_master"
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = first in _PRAGMAS or (first in _SETTINGS_READ and second is None)
        else:
            allowed = action in _SELECTS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    connection.set_authorizer(verdict)


def _no_package(url: "URL", where: str) -> SourceError:
    dialect, _, driver = url.drivername.partition("+")
    package = driver or _PACKAGES.get(dialect, "")
    return SourceError(
        f"the package for {dialect} is not installed",
        where=where,
        found=f"no driver for {url.drivername}://",
        expected="postgresql, sqlite, or a dialect whose package is installed",
        remedy=f"install {package}" if package else "install the dialect's SQLAlchemy package, or correct the URL",
    )
