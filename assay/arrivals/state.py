"""The sensor's cursor: a few KB, however many objects the source has.

Field names are the stored ones; `scans` is stored as `looks`, its name in earlier versions.
"""

from typing import Literal

from pydantic import ConfigDict, Field, ValidationError

from assay.specs.base import Spec


class RequestedRun(Spec):
    """A run of an arrival."""

    run_key: str
    uri: str | None
    """The object; None where the run reads the whole source."""
    version: str | None
    partition_key: str | None


class PendingRetry(RequestedRun):
    """A run that is to be requested again after a wait."""

    due: int
    """Number of the scan that requests it."""


class FailuresSeen(Spec):
    """How far the sensor has read the failed runs."""

    until: float = 0.0
    """Time of the newest one, seconds since the epoch."""
    handled: dict[str, float] = {}
    """Times by run id, of those recent enough that a late record may still sort before them."""
    waiting: tuple[PendingRetry, ...] = ()


class SensorState(Spec):
    """What one scan passes to the next. Dagster stores it together with the run requests, in one step."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    layout: Literal[1] = 1
    source: str
    """The listing; the state starts over when it changes."""
    scans: int = Field(default=0, alias="looks")
    index: str | None = None
    """Name of the ledger's list of pages."""
    replaced: tuple[str, ...] = ()
    """Texts that no state refers to from this one on."""
    position: str | None = None
    """Last key of the pass over the whole source."""
    scanned: bool = False
    """Whether the first scan has reached the end of the source."""
    gathered: str = ""
    """Digest of new objects that make one run when the first scan ends."""
    failures: FailuresSeen = FailuresSeen()
    settled: tuple[str, ...] = ()
    """Dead letters whose new runs were requested."""
    unsettled: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Name of the text with the objects that may still be written."""


def parse_state(cursor: str | None, source: str) -> SensorState:
    """Return the state in a cursor, as the last evaluation stored it for the listing `source`.

    A damaged cursor, or one of another layout, starts over; run keys keep Dagster from repeating earlier requests.
    """
    if not cursor or cursor_problem(cursor):
        return SensorState(source=source)
    state = SensorState.model_validate_json(cursor)
    if state.source != source:
        return SensorState(source=source, scans=state.scans, failures=state.failures, settled=state.settled)
    return state


def cursor_problem(cursor: str | None) -> str:
    """Return why a cursor, which anyone may edit in the user interface, cannot be used; empty where it can."""
    if not cursor:
        return ""
    try:
        SensorState.model_validate_json(cursor)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return " ".join([".".join(map(str, first["loc"])), first["msg"]]).strip()
    return ""
