"""What databases report, as typed errors without passwords and values.

Does not belong here: what Assay itself finds in a result (`column_kind`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assay.errors import MissingCredentialsError, SourceError, SourceNotFoundError, SourceUnreachableError

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
