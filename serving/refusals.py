"""Refusals of requests, and any failure as the body of an answer."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from assay.errors import UNKNOWN_LOCATION, AssayError, Location, SerialisedError

_LONGEST = 60


class RequestError(AssayError, code="request_refused"):
    """A request to the endpoint that is refused.

    Attributes:
        status: of the answer, as HTTP numbers it.
        retry_after: seconds after which another try may succeed; 0 where it would be refused again.
        location: the column and the 1-based row at fault.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 400,
        retry_after: int = 0,
        location: Location = UNKNOWN_LOCATION,
        **details: str,
    ) -> None:
        super().__init__(what, **details)
        self.status, self.retry_after, self.location = status, retry_after, location


def status_of(error: AssayError) -> int:
    """Return the status of an answer: what is wrong with rows is the sender's to correct."""
    return error.status if isinstance(error, RequestError) else HTTPStatus.UNPROCESSABLE_ENTITY


def described(error: AssayError, request_id: str) -> dict[str, Any]:
    """Return the body of an answer: code, sentence and details of a failure, row and column where they are known."""
    text, location = SerialisedError.of(error), getattr(error, "location", UNKNOWN_LOCATION)
    details = {name: getattr(text, name) for name in ("what", "where", "found", "expected", "remedy")}
    at = {"column": location.column, "row": location.row}
    return {"error": {"code": text.code, **{k: v for k, v in (details | at).items() if v}}, "request_id": request_id}


def overloaded(what: str, retry_after: int = 1) -> RequestError:
    """Return the refusal of what cannot be answered now."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return RequestError(what, status=status, retry_after=retry_after, remedy=f"try again in {retry_after} s")


def too_large(max_bytes: int) -> RequestError:
    """Return the refusal of a body."""
    return RequestError(
        "the body is too large",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        where="body",
        expected=f"at most {max_bytes:,} bytes, unpacked",
        remedy="send fewer rows in a request",
    )


def too_many(found: int, max_rows: int) -> RequestError:
    """Return the refusal of a number of rows."""
    return RequestError(
        "the request holds too many rows",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        where="body",
        found=f"{found:,} rows",
        expected=f"at most {max_rows:,}",
        remedy="send fewer rows in a request; whole files belong to batch predictions",
    )


def unreadable(what: str, found: Any, expected: str, location: Location) -> RequestError:
    """Return the refusal of a value, by its row and column."""
    return RequestError(
        what,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        location=location,
        where=f"the rows to predict, {location}",
        found=shown(found),
        expected=expected,
    )


def shown(value: Any) -> str:
    """Return a value for people, without what is in it where that may be deep."""
    if isinstance(value, Mapping):
        return f"an object of {len(value):,} names"
    if isinstance(value, list):
        return f"an array of {len(value):,}"
    return (
        repr(value)[:_LONGEST] if type(value) is not int else str(value % 10**9 if abs(value) > 10**_LONGEST else value)
    )
