"""Connections to PostgreSQL by pg8000.

Does not belong here: other databases (`sql_engines`), what is asked (`sql`).
"""

import socket
import ssl
from typing import TYPE_CHECKING, Any

from assay.errors import SourceError, SourceUnreachableError, did_you_mean

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

CONNECT_SECONDS = 10
PARAMSTYLE = "numeric_dollar"
"""PostgreSQL's own `$1`, so that nothing in the query has to be told from a placeholder of the driver's."""
_PORT = 5432
_OPTIONS = frozenset({"sslmode", "sslrootcert"})
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
_SSL_MODES = _ENCRYPTED | {"disable", "allow", "prefer"}


def postgresql_connection(url: "URL", where: str, seconds: float) -> Any:
    """Return a DBAPI connection that takes `$1`.

    Args:
        url: of the database; `sslmode` that asks for encryption also asks for a certificate that can be verified.
        where: what messages call the source.
        seconds: how long the server may stay silent.

    Raises:
        SourceError: an option of the URL is unknown.
        SourceUnreachableError: nobody listens.
    """
    from pg8000.legacy import Connection, Cursor  # type: ignore[import-untyped]  # it publishes no types

    _require_known_options(url, where)
    secure, host = _ssl_context(url, where), url.host or "localhost"
    # the driver has one timeout for connecting and for reading, and a query may be silent for longer
    reached = _reached(host, url.port or _PORT, where)
    reached.settimeout(seconds + CONNECT_SECONDS)
    login = {"host": host, "database": url.database, "password": url.password or "", "application_name": "assay"}
    try:
        connection = Connection(url.username or "", sock=reached, ssl_context=secure, **login)
    except BaseException:
        reached.close()
        raise
    # what the driver takes for a placeholder is then '?' alone, and not the '%' of a modulo
    connection.cursor = lambda: Cursor(connection, paramstyle="qmark")
    return connection


def require_no_question_mark(text: str, where: str) -> None:
    """Refuse a statement with values in which the driver may take a `?` for one of them, also inside a text.

    Raises:
        SourceError: says what to write.
    """
    if "?" in text:
        raise SourceError(
            "a query with parameters may hold no '?'",
            where=f"{where}, dataset.query",
            found="?",
            remedy="give a text with '?' by dataset.parameters; write jsonb_exists(a, b) for a ? b",
        )


def _require_known_options(url: "URL", where: str) -> None:
    unknown = sorted(url.query.keys() - _OPTIONS)
    if unknown:
        raise SourceError(
            f"the connection's URL has an unknown option{did_you_mean(unknown[0], _OPTIONS)}",
            where=where,
            found=unknown[0],
            expected=", ".join(sorted(_OPTIONS)),
            remedy="mend the URL",
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
            remedy="mend the URL",
        )
    root = url.query.get("sslrootcert")
    try:
        return ssl.create_default_context(cafile=str(root) if root else None) if mode in _ENCRYPTED else False
    except OSError as error:
        raise SourceError("sslrootcert cannot be read", where=where, found=str(error.strerror or error)) from error
