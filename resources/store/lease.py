"""Turns: one holder at a time of a right, over processes and machines, by the store's conditional put.

Turns are numbered. Who creates the next number has it, which others may do once it was ended, or once they have waited
for `PATIENCE_SECONDS` and it was not: its holder has died. Each measures with a clock of its own, so that none need
agree. A holder whose process stood still for that long may go on without knowing; it asks `require_time_left` first.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay.errors import ArtifactNotFoundError, CommitConflictError, StorageError
from resources.store.interface import ObjectStore

PATIENCE_SECONDS = 120.0
# what is begun within this time ends within the patience of those who wait: MLflow's calls are bounded by about 20 s
_USABLE_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_TAKEN, _ENDED = ".taken", ".ended"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """One's own turn.

    Attributes:
        what: the right, as people read it.
        began: by `time.monotonic` of this process, before the turn was taken.
    """

    what: str
    began: float

    def require_time_left(self) -> None:
        """Ask before doing what nobody else may do at the same time.

        Raises:
            CommitConflictError: those who wait may soon take this turn for a dead one's.
        """
        if (gone := time.monotonic() - self.began) > _USABLE_SECONDS:
            raise CommitConflictError(
                "it took too long to change what only one may change at a time",
                where=self.what,
                found=f"{gone:.0f} s",
                expected=f"at most {_USABLE_SECONDS:.0f} s",
                remedy="run again, when the store and the tracker answer faster",
            )


@contextmanager
def turn(store: ObjectStore, prefix: str, *, what: str) -> Iterator[Turn]:
    """Wait for a turn, and end it however the `with` ends.

    Args:
        store: where turns are taken.
        prefix: names the right; nothing else lies below it.
        what: the right, as people read it.

    Raises:
        StorageError: the store failed.
    """
    holder = uuid.uuid4().hex.encode()
    number, began = _taken(store, prefix, holder)
    try:
        yield Turn(what, began)
    finally:
        _end(store, _key(prefix, number, _ENDED), holder)


def _taken(store: ObjectStore, prefix: str, holder: bytes) -> tuple[int, float]:
    """Return the number of one's turn, and when it began at the latest."""
    waited_for, since = 0, time.monotonic()
    while True:
        newest, ended = _newest(store, prefix)
        if newest != waited_for:
            waited_for, since = newest, time.monotonic()
        if ended or time.monotonic() - since > PATIENCE_SECONDS:
            began = time.monotonic()
            if _takes(store, prefix, newest + 1, holder):
                return newest + 1, began
        else:
            time.sleep(_LOOK_SECONDS)


def _takes(store: ObjectStore, prefix: str, number: int, holder: bytes) -> bool:
    """Try to take a turn; the numbers before it are cleared away, as the newest says all."""
    key = _key(prefix, number, _TAKEN)
    if not store.put_if_absent(key, holder) and not _is_mine(store, key, holder):
        return False
    listed = [item.key for item in store.list_objects(prefix)]
    if max(map(_number, listed)) > number:  # this number was taken and cleared away long ago
        store.delete(key)
        return False
    for old in listed:
        if _number(old) < number:
            store.delete(old)
    return True


def _end(store: ObjectStore, key: str, holder: bytes) -> None:
    try:
        store.put_if_absent(key, holder)
    except StorageError as error:
        # what the turn was for is done and must not be told as failed; those who wait lose their patience instead
        _log.warning("the turn %s was not ended, the next begins after %.0f s: %s", key, PATIENCE_SECONDS, error)


def _is_mine(store: ObjectStore, key: str, holder: bytes) -> bool:
    # the store's client repeats requests by itself: what it found there may be its own
    try:
        return store.get_bytes(key) == holder
    except ArtifactNotFoundError:
        return False


def _newest(store: ObjectStore, prefix: str) -> tuple[int, bool]:
    """Return the newest turn's number, 0 before the first, and whether it has ended."""
    listed = [item.key for item in store.list_objects(prefix)]
    newest = max(map(_number, listed), default=0)
    return newest, not newest or _key(prefix, newest, _ENDED) in listed


def _key(prefix: str, number: int, state: str) -> str:
    return f"{prefix}{number:08d}{state}"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].partition(".")[0])
