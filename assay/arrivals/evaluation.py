"""One evaluation of the new-data sensor: new objects, failed runs, and ordered redrives.

Side effects outside the returned state are idempotent: an evaluation that crashed is repeated with the same result.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from assay.arrivals.failures import DeadLetter, DeadLetterNames, FailedRun, after_failures, due_retries, redriven
from assay.arrivals.ledger import Ledger, StoredTexts
from assay.arrivals.scan import Arrival, Listing, ScanOptions, scan_source
from assay.arrivals.state import PendingRetry, SensorState
from assay.counting import counted
from assay.errors import StorageError

_SCANS_BETWEEN_SWEEPS = 500
_HOUR = 3600.0


class KeptArrivals(StoredTexts, Protocol):
    """Storage of one pipeline's ledger and dead letters."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove texts."""

    def sweep(self, kept: set[str], *, older_than_seconds: float) -> int:
        """Remove texts that interrupted scans left."""

    def keep_dead_letter(self, letter: DeadLetter) -> None:
        """Store a dead letter; idempotent."""

    def dead_letters(self) -> DeadLetterNames:
        """List the dead letters."""

    def dead_letter(self, name: str) -> DeadLetter:
        """Read a dead letter."""

    def remove_dead_letters(self, names: Iterable[str]) -> None:
        """Remove dead letters that were redriven."""


@dataclass(frozen=True, slots=True)
class SensorEvaluation:
    """Result of an evaluation.

    Attributes:
        state: for the next one; stored together with the run requests.
        runs: to request.
        dead_letters: new ones.
        message: summary for users.
    """

    state: SensorState
    runs: tuple[Arrival, ...]
    dead_letters: tuple[DeadLetter, ...]
    message: str


def evaluate(
    state: SensorState,
    listing: Listing,
    kept: KeptArrivals,
    failed: Sequence[FailedRun],
    options: ScanOptions,
    *,
    max_retries: int,
    now: float,
) -> SensorEvaluation:
    """Scan the source, and handle failed runs, oldest first, and ordered redrives; `now` is in seconds since the epoch.

    Raises:
        SourceError: the source cannot be listed.
        StorageError: ledger or dead letters cannot be read or written.
    """
    _tidy(state, kept, options)
    if not state.failures.until:  # runs that failed before the first evaluation are not this sensor's
        seen, failed = state.failures.model_copy(update={"until": now}), []
        state = state.model_copy(update={"failures": seen})
    failures, letters = after_failures(state.failures, failed, max_retries=max_retries, scans=state.scans)
    for letter in letters:
        kept.keep_dead_letter(letter)
    state = state.model_copy(update={"failures": failures, "settled": ()})
    state, retries = _retries(state, kept, options)
    state, redrives, dead = _redrives(state, kept, options)
    runs = [Arrival(each.run_key, each.partition_key, each.uri, each.version) for each in (*retries, *redrives)]
    limits = replace(options.limits, requests=options.limits.requests - len(runs))
    scan = scan_source(state, listing, kept, replace(options, limits=limits))
    counts = [f"{len(found)} {word}" for found, word in ((retries, "retries"), (redrives, "redriven")) if found]
    message = "; ".join(part for part in (scan.message, *counts, dead) if part)
    return SensorEvaluation(scan.state, (*runs, *scan.arrivals), tuple(letters), message)


def _tidy(state: SensorState, kept: KeptArrivals, options: ScanOptions) -> None:
    """Remove what the stored state no longer refers to."""
    kept.remove(state.replaced)
    kept.remove_dead_letters(state.settled)
    if state.scans % _SCANS_BETWEEN_SWEEPS == 0:
        ledger = Ledger(kept, state.index, page_keys=options.limits.ledger_page)
        kept.sweep(ledger.names(), older_than_seconds=_HOUR)


def _retries(state: SensorState, kept: KeptArrivals, options: ScanOptions) -> tuple[SensorState, list[PendingRetry]]:
    due = [retry for retry in state.failures.waiting if retry.due <= state.scans]
    current = _versions(state, kept, options, due)
    at_most = options.limits.requests // 4
    failures, retries = due_retries(state.failures, scans=state.scans, at_most=at_most, current=current)
    return state.model_copy(update={"failures": failures}), retries


def _redrives(
    state: SensorState, kept: KeptArrivals, options: ScanOptions
) -> tuple[SensorState, list[PendingRetry], str]:
    """Return the ordered redrives, and a message about the dead letters that stay."""
    dead = kept.dead_letters()
    names = tuple(dead.ordered[: options.limits.requests // 4])
    redrives, unreadable = _redriven(kept, names)
    names = tuple(name for name in names if name not in unreadable)
    current = _versions(state, kept, options, redrives)
    valid = [redrive for redrive in redrives if redrive.uri is None or current[redrive.uri] == redrive.version]
    left = len(dead.names) - len(names)
    message = f"{counted(left, 'dead letter')}: see arrivals_redrive_job" if left else ""
    if unreadable:
        message += f"; {len(unreadable)} cannot be read and are not redriven, e.g. {unreadable[0]}"
    return state.model_copy(update={"settled": names}), valid, message


def _redriven(kept: KeptArrivals, names: Iterable[str]) -> tuple[list[PendingRetry], list[str]]:
    """Return the redrives, and the names of dead letters that cannot be read."""
    redrives, unreadable = [], []
    for name in names:
        try:
            redrives.append(redriven(kept.dead_letter(name)))
        except StorageError as error:
            if error.transient:
                raise
            unreadable.append(name)
    return redrives, unreadable


def _versions(
    state: SensorState, kept: KeptArrivals, options: ScanOptions, runs: Iterable[PendingRetry]
) -> dict[str, str | None]:
    uris = [run.uri for run in runs if run.uri is not None]
    if not uris:
        return {}
    ledger = Ledger(kept, state.index, page_keys=options.limits.ledger_page)
    return {uri: ledger.version_of(uri) for uri in uris}
