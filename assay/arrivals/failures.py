"""What becomes of an arrival whose run failed: it is tried again, or it is a dead letter, or it was judged.

Does not belong here: reading Dagster's records (`ml_assets.pipeline.new_data`), keeping dead letters
(`resources.arrivals_store`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from assay import errors
from assay.arrivals.names import parse_run_key
from assay.arrivals.state import Attempt, FailuresSeen
from assay.specs.base import Spec

LATE_SECONDS = 300.0
"""How much later than a run's moment its record may appear."""
MOST_WAITING = 200
_VERDICTS = frozenset({"DagsterAssetCheckFailedError", errors.GateRejectedError.__name__})


class FailureKind(StrEnum):
    """Whether another attempt could end otherwise."""

    PASSING = "passing"
    """It could: something did not answer, or the process was ended."""
    LASTING = "lasting"
    """It could not: these bytes under this pipeline fail."""
    VERDICT = "verdict"
    """The gate refused the rows; that is a result, and the partition's checks show it."""


def kind_of(error_types: Iterable[str]) -> FailureKind:
    """Return what kind of failure the types in an error's chain make.

    Args:
        error_types: names of the exceptions' classes; none when the process left no error.
    """
    names = set(error_types)
    if names & _VERDICTS:
        return FailureKind.VERDICT
    lasting = {kind.__name__ for kind in _all_kinds(errors.AssayError) if not kind.transient}
    return FailureKind.LASTING if names & lasting else FailureKind.PASSING


def _all_kinds(kind: type[errors.AssayError]) -> Iterator[type[errors.AssayError]]:
    yield kind
    for derived in kind.__subclasses__():
        yield from _all_kinds(derived)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run of an arrival that failed.

    Attributes:
        run_id: of the run.
        run_key: as it was requested.
        moment: when, in seconds since the epoch.
        uri: the object; None where the run reads the whole source.
        version: of the object.
        partition_key: of the run.
        kind: whether another attempt could end otherwise.
        reason: one line for people.
    """

    run_id: str
    run_key: str
    moment: float
    uri: str | None
    version: str | None
    partition_key: str | None
    kind: FailureKind
    reason: str


class DeadLetter(Spec):
    """An arrival that is not tried again by itself."""

    run_key: str
    """Of the last attempt."""
    run_id: str
    uri: str | None
    version: str | None
    partition_key: str | None
    reason: str
    attempts: int
    """Runs since the arrival was seen, or since people started it over."""
    failed_at: float
    """Seconds since the epoch."""


def after_failures(
    seen: FailuresSeen, failed: Sequence[FailedRun], *, max_retries: int, looks: int
) -> tuple[FailuresSeen, list[DeadLetter]]:
    """Return what is to be tried again, added to what was seen, and what is not.

    The wait before a retry is 2, 4, 8, ... looks.

    Args:
        seen: how far the sensor looked before.
        failed: runs that failed since then, oldest first; some may have been seen.
        max_retries: how often an arrival is tried again.
        looks: the number of this look.
    """
    late = seen.until - LATE_SECONDS
    unseen = [run for run in failed if run.run_id not in seen.handled and run.moment >= late]
    new = unseen[: max(MOST_WAITING - len(seen.waiting), 0)]
    judged = [run for run in new if run.kind is not FailureKind.VERDICT]
    again = [
        run for run in judged if run.kind is FailureKind.PASSING and parse_run_key(run.run_key).retry < max_retries
    ]
    until = max([seen.until, *(run.moment for run in new)])
    handled = seen.handled | {run.run_id: run.moment for run in new}
    after = FailuresSeen(
        until=until,
        handled={run_id: moment for run_id, moment in handled.items() if moment >= until - LATE_SECONDS},
        waiting=(*seen.waiting, *(_attempt_after(run, looks) for run in again)),
    )
    return after, [_letter(run) for run in judged if run not in again]


def due_attempts(
    seen: FailuresSeen, *, looks: int, at_most: int, current: Mapping[str, str | None]
) -> tuple[FailuresSeen, list[Attempt]]:
    """Take the attempts whose time has come from those that wait.

    Args:
        seen: holds those that wait.
        looks: the number of this look.
        at_most: most attempts to take.
        current: the versions by URI of the objects that wait; one that is rewritten or gone is not tried again.
    """
    due = [attempt for attempt in seen.waiting if attempt.due <= looks][:at_most]
    taken = [attempt for attempt in due if attempt.uri is None or current.get(attempt.uri) == attempt.version]
    waiting = tuple(attempt for attempt in seen.waiting if attempt not in due)
    return seen.model_copy(update={"waiting": waiting}), taken


def redriven(letter: DeadLetter) -> Attempt:
    """Return the attempt that starts a dead letter over."""
    key = str(parse_run_key(letter.run_key).redriven)
    return Attempt(run_key=key, uri=letter.uri, version=letter.version, partition_key=letter.partition_key, due=0)


def _attempt_after(run: FailedRun, looks: int) -> Attempt:
    key = parse_run_key(run.run_key).retried
    return Attempt(
        run_key=str(key),
        uri=run.uri,
        version=run.version,
        partition_key=run.partition_key,
        due=looks + 2**key.retry,
    )


def _letter(run: FailedRun) -> DeadLetter:
    return DeadLetter(
        run_key=run.run_key,
        run_id=run.run_id,
        uri=run.uri,
        version=run.version,
        partition_key=run.partition_key,
        reason=run.reason,
        attempts=parse_run_key(run.run_key).retry + 1,
        failed_at=run.moment,
    )
