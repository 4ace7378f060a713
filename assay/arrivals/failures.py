"""What follows a failed run of an arrival: a retry, a dead letter, or nothing when the gate refused the data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from assay.arrivals.names import parse_run_key
from assay.arrivals.state import FailuresSeen, PendingRetry, RequestedRun
from assay.errors import GateRejectedError, error_class

LATE_SECONDS = 300.0
"""How much later than a run's end its record may appear."""
MOST_WAITING = 200
_REFUSALS = frozenset({"DagsterAssetCheckFailedError", GateRejectedError.code})


class FailureKind(StrEnum):
    """Whether a retry can succeed."""

    TRANSIENT = "transient"
    """It can: a service did not answer, or the process was killed."""
    PERMANENT = "permanent"
    """It cannot: this object fails under this pipeline."""
    REFUSED = "refused"
    """The gate refused the rows; the partition's checks show it."""


def kind_of(codes: Iterable[str]) -> FailureKind:
    """Classify a failure by the codes in its chain of errors, of which a killed process leaves none."""
    found = set(codes)
    if found & _REFUSALS:
        return FailureKind.REFUSED
    permanent = any(kind is not None and not kind.transient for kind in map(error_class, found))
    return FailureKind.PERMANENT if permanent else FailureKind.TRANSIENT


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A failed run of an arrival.

    Attributes:
        run_id: of the run.
        run_key: as it was requested.
        moment: when it failed, seconds since the epoch.
        uri: the object; None where the run reads the whole source.
        version: of the object.
        partition_key: of the run.
        kind: whether a retry can succeed.
        reason: one line for users.
    """

    run_id: str
    run_key: str
    moment: float
    uri: str | None
    version: str | None
    partition_key: str | None
    kind: FailureKind
    reason: str


class DeadLetter(RequestedRun):
    """An arrival that is not retried automatically; `run_key` is that of its last run."""

    run_id: str
    reason: str
    attempts: int
    """Runs since the arrival was seen or last redriven."""
    failed_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class DeadLetterNames:
    """The stored dead letters, by name.

    Attributes:
        names: all of them.
        ordered: those that a user has ordered to be redriven.
    """

    names: tuple[str, ...]
    ordered: tuple[str, ...]


def after_failures(
    seen: FailuresSeen, failed: Sequence[FailedRun], *, max_retries: int, scans: int
) -> tuple[FailuresSeen, list[DeadLetter]]:
    """Add retries for new failures, and return the dead letters.

    The wait before a retry is 2, 4, 8, ... scans. `failed` is sorted by time, and may hold runs handled before.
    """
    late = seen.until - LATE_SECONDS
    unseen = [run for run in failed if run.run_id not in seen.handled and run.moment >= late]
    new = unseen[: max(MOST_WAITING - len(seen.waiting), 0)]
    not_refused = [run for run in new if run.kind is not FailureKind.REFUSED]
    retried = [run for run in not_refused if _is_retried(run, max_retries)]
    until = max([seen.until, *(run.moment for run in new)])
    handled = seen.handled | {run.run_id: run.moment for run in new}
    after = FailuresSeen(
        until=until,
        handled={run_id: moment for run_id, moment in handled.items() if moment >= until - LATE_SECONDS},
        waiting=(*seen.waiting, *(_pending_retry(run, scans) for run in retried)),
    )
    return after, [_dead_letter(run) for run in not_refused if run not in retried]


def due_retries(
    seen: FailuresSeen, *, scans: int, at_most: int, current: Mapping[str, str | None]
) -> tuple[FailuresSeen, list[PendingRetry]]:
    """Remove the retries that are due from the waiting ones, and return them.

    An object whose current version is another one, since it was rewritten or deleted, is not retried.
    """
    due = [retry for retry in seen.waiting if retry.due <= scans][:at_most]
    valid = [retry for retry in due if retry.uri is None or current.get(retry.uri) == retry.version]
    waiting = tuple(retry for retry in seen.waiting if retry not in due)
    return seen.model_copy(update={"waiting": waiting}), valid


def redriven(letter: DeadLetter) -> PendingRetry:
    """Return the run that redrives a dead letter."""
    return PendingRetry(run_key=str(parse_run_key(letter.run_key).redriven), due=0, **_arrival(letter))


def _is_retried(run: FailedRun, max_retries: int) -> bool:
    return run.kind is FailureKind.TRANSIENT and parse_run_key(run.run_key).retry < max_retries


def _pending_retry(run: FailedRun, scans: int) -> PendingRetry:
    key = parse_run_key(run.run_key).retried
    return PendingRetry(run_key=str(key), due=scans + 2**key.retry, **_arrival(run))


def _dead_letter(run: FailedRun) -> DeadLetter:
    attempts = parse_run_key(run.run_key).retry + 1
    run_id, reason, failed_at = run.run_id, run.reason, run.moment
    return DeadLetter(
        run_key=run.run_key, run_id=run_id, reason=reason, attempts=attempts, failed_at=failed_at, **_arrival(run)
    )


def _arrival(run: FailedRun | DeadLetter) -> dict[str, str | None]:
    return {"uri": run.uri, "version": run.version, "partition_key": run.partition_key}
