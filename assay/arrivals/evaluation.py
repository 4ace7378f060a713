"""One evaluation of the sensor: what is new, what failed, what people want started over.

Everything done here outside the returned state may be done again after a crash and comes to the same.
Does not belong here: Dagster's types (`ml_assets.sensors`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from assay.arrivals.failures import DeadLetter, FailedRun, after_failures, due_attempts, redriven
from assay.arrivals.ledger import Ledger, StoredTexts
from assay.arrivals.scan import Arrival, Circumstances, Listing, look
from assay.arrivals.state import Attempt, SensorState

_LOOKS_BETWEEN_SWEEPS = 500
_HOUR = 3600.0


class Dead(Protocol):
    """What is known of dead letters without reading them."""

    @property
    def names(self) -> Sequence[str]:
        """Of all."""

    @property
    def ordered(self) -> Sequence[str]:
        """Of those that people want started over."""


class KeptArrivals(StoredTexts, Protocol):
    """What is kept of a pipeline's arrivals."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove texts."""

    def sweep(self, kept: set[str], *, older_than_seconds: float) -> int:
        """Remove the texts that looks which were broken off have left."""

    def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter; the same one again changes nothing."""

    def dead(self) -> Dead:
        """List the dead letters."""

    def letter(self, name: str) -> DeadLetter:
        """Return a dead letter."""

    def settle(self, names: Iterable[str]) -> None:
        """Remove dead letters that were started over."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What an evaluation came to.

    Attributes:
        state: for the next one; it is to be stored together with the runs.
        runs: to request.
        letters: arrivals that are given up.
        message: what happened, for people.
    """

    state: SensorState
    runs: tuple[Arrival, ...]
    letters: tuple[DeadLetter, ...]
    message: str


def evaluate(
    state: SensorState,
    listing: Listing,
    kept: KeptArrivals,
    failed: Sequence[FailedRun],
    rules: Circumstances,
    *,
    max_retries: int,
    now: float,
) -> Tick:
    """Look at the source, at failed runs, and at orders to start dead letters over.

    Args:
        state: what the last evaluation returned, and was stored.
        listing: the source.
        kept: ledger and dead letters.
        failed: runs of arrivals that failed since the last look, oldest first; some may have been seen.
        rules: what to follow.
        max_retries: how often an arrival is tried again.
        now: seconds since the epoch.

    Raises:
        SourceError: the source cannot be listed.
        StorageError: ledger or dead letters cannot be read or written.
    """
    _tidy(state, kept, rules)
    if not state.failures.until:  # what failed before this sensor looked is not its own
        state, failed = _with_failures(state, until=now), []
    failures, letters = after_failures(state.failures, failed, max_retries=max_retries, looks=state.looks)
    for letter in letters:
        kept.bury(letter)
    state = state.model_copy(update={"failures": failures, "settled": ()})
    state, again = _retries(state, kept, rules)
    state, anew, dead = _redrives(state, kept, rules)
    attempts = [Arrival(each.run_key, each.partition_key, each.uri, each.version) for each in (*again, *anew)]
    limits = replace(rules.limits, requests=rules.limits.requests - len(attempts))
    seen = look(state, listing, kept, replace(rules, limits=limits))
    told = [seen.message, f"{len(again)} retries" * bool(again), f"{len(anew)} started over" * bool(anew), dead]
    return Tick(seen.state, (*attempts, *seen.arrivals), tuple(letters), "; ".join(part for part in told if part))


def _tidy(state: SensorState, kept: KeptArrivals, rules: Circumstances) -> None:
    """Remove what the stored state has no use for."""
    kept.remove(state.replaced)
    kept.settle(state.settled)
    if state.looks % _LOOKS_BETWEEN_SWEEPS == 0:
        ledger = Ledger(kept, state.index, page_keys=rules.limits.page)
        kept.sweep(ledger.names(), older_than_seconds=_HOUR)


def _retries(state: SensorState, kept: KeptArrivals, rules: Circumstances) -> tuple[SensorState, list[Attempt]]:
    due = [attempt for attempt in state.failures.waiting if attempt.due <= state.looks]
    current = _versions(state, kept, rules, due)
    at_most = rules.limits.requests // 4
    failures, attempts = due_attempts(state.failures, looks=state.looks, at_most=at_most, current=current)
    return state.model_copy(update={"failures": failures}), attempts


def _redrives(state: SensorState, kept: KeptArrivals, rules: Circumstances) -> tuple[SensorState, list[Attempt], str]:
    """Return the ordered attempts, and a line about the dead letters that stay."""
    dead = kept.dead()
    names = tuple(dead.ordered[: rules.limits.requests // 4])
    attempts = [redriven(kept.letter(name)) for name in names]
    current = _versions(state, kept, rules, attempts)
    fresh = [attempt for attempt in attempts if attempt.uri is None or current[attempt.uri] == attempt.version]
    left = len(dead.names) - len(names)
    told = f"{left} dead letter{'s' if left > 1 else ''}: see arrivals_redrive_job" if left else ""
    return state.model_copy(update={"settled": names}), fresh, told


def _versions(
    state: SensorState, kept: KeptArrivals, rules: Circumstances, attempts: Iterable[Attempt]
) -> dict[str, str | None]:
    uris = [attempt.uri for attempt in attempts if attempt.uri is not None]
    if not uris:
        return {}
    ledger = Ledger(kept, state.index, page_keys=rules.limits.page)
    return {uri: ledger.version_of(uri) for uri in uris}


def _with_failures(state: SensorState, *, until: float) -> SensorState:
    return state.model_copy(update={"failures": state.failures.model_copy(update={"until": until})})
