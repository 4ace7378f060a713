"""What the sensor keeps in its cursor: a few KB, whatever the number of objects.

Does not belong here: versions of objects (`ledger`).
"""

import json
from typing import Literal

from assay.specs.base import Spec


class Attempt(Spec):
    """An attempt at an arrival that is to be made once its time has come."""

    run_key: str
    uri: str | None
    """The object; None where the run reads the whole source."""
    version: str | None
    partition_key: str | None
    due: int
    """The look that requests it."""


class FailuresSeen(Spec):
    """How far the sensor has looked at failed runs."""

    until: float = 0.0
    """Moment of the latest one, in seconds since the epoch."""
    handled: dict[str, float] = {}
    """Moments by run id, of those so late that another one's may still appear before them."""
    waiting: tuple[Attempt, ...] = ()


class SensorState(Spec):
    """What one look hands to the next. Dagster stores it together with the requests, so that both or neither are."""

    layout: Literal[1] = 1
    source: str
    """The listing this is about; another one is begun anew."""
    looks: int = 0
    index: str | None = None
    """Where the ledger is."""
    replaced: tuple[str, ...] = ()
    """Texts that belong to no state from this one on."""
    position: str | None = None
    """Up to which key the whole source was last gone through."""
    scanned: bool = False
    """Whether the end of the source was reached once."""
    gathered: str = ""
    """Digest of new objects that are to make one run at the end of the first scan."""
    failures: FailuresSeen = FailuresSeen()
    settled: tuple[str, ...] = ()
    """Dead letters whose new runs were requested."""


def parse_state(cursor: str | None, source: str) -> SensorState:
    """Return the state in a cursor.

    Args:
        cursor: what the last look left; None at the first. One of another layout is begun anew: the run keys keep
            what was requested from being run again.
        source: the listing as it is now.
    """
    if not cursor or json.loads(cursor).get("layout") != 1:
        return SensorState(source=source)
    state = SensorState.model_validate_json(cursor)
    if state.source != source:
        return SensorState(source=source, looks=state.looks, failures=state.failures, settled=state.settled)
    return state
