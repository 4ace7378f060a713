"""Addresses of SQL sources to connections that can only read.

The URLs of named connections hold passwords: they are never shown, and never leave this module in a message.
Does not belong here: queries and rows (`sql`), failures of a database's own (`sql_failures`).
"""

import logging
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assay.errors import SourceError, SourceNotFoundError, did_you_mean
from resources.sources.postgresql import CONNECT_SECONDS, PARAMSTYLE, postgresql_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

_LOG_NAME = "assay"
_PACKAGES = {
    "bigquery": "sqlalchemy-bigquery",
    "snowflake": "snowflake-sqlalchemy",
    "mysql": "pymysql (URL mysql+pymysql://...)",
    "mariadb": "pymysql (URL mariadb+pymysql://...)",
    "mssql": "pyodbc (URL mssql+pyodbc://...)",
    "oracle": "oracledb (URL oracle+oracledb://...)",
}


def url_of(address: str, connections: Mapping[str, str]) -> "URL":
    """Return the URL behind `sql://name` or `sqlite:///path`.

    Args:
        address: the source.
        connections: URLs by name.

    Raises:
        SourceNotFoundError: no connection of that name, or no file.
        SourceError: the URL cannot be taken apart.
    """
    if address.startswith("sqlite:"):
        return _parsed(address, address, "dataset.source")
    name = address.removeprefix("sql://").strip("/").lower()
    variable = f"ASSAY_SQL_{name.upper().replace('-', '_')}"
    url = connections.get(name.replace("-", "_"))
    if not url:
        raise SourceNotFoundError(
            f"there is no SQL connection '{name}'{did_you_mean(name, connections)}",
            where=address,
            found=f"connections {', '.join(sorted(connections))}" if connections else "no connections",
            remedy=f"set {variable} to its URL in the environment or in .env, e.g. postgresql://user:...@host/database",
        )
    return _parsed(url, address, variable)


def engine_for(url: "URL", where: str, seconds: float) -> "Engine":
    """Return an engine that keeps no connection and says no value.

    Args:
        url: of the database.
        where: what messages call the source.
        seconds: how long a connection may stay silent.

    Raises:
        SourceError: the package for the database is not installed.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    # pg8000 closes a failed cursor by a statement that fails too; its traceback would go to the log with the values
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
            remedy=f"mend {variable}",
        ) from None


def _read_only_file(url: "URL", where: str, seconds: float) -> sqlite3.Connection:
    """Open a SQLite file so that nothing can write it, which its URI's mode decides."""
    path = Path(url.database or "").expanduser()
    if not path.is_file():
        raise SourceNotFoundError(
            "the source does not exist",
            where=where,
            found=f"no file {path.absolute()}",
            remedy="mend the address; an absolute path has four slashes, sqlite:////data/rows.db",
        )
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=min(seconds, CONNECT_SECONDS), check_same_thread=False)


def _no_package(url: "URL", where: str) -> SourceError:
    dialect, _, driver = url.drivername.partition("+")
    package = driver or _PACKAGES.get(dialect, "")
    return SourceError(
        f"the package for {dialect} is not installed",
        where=where,
        found=f"no driver for {url.drivername}://",
        expected="postgresql, sqlite, or a dialect whose package is installed",
        remedy=f"install {package}" if package else "install the dialect's SQLAlchemy package, or mend the URL",
    )
