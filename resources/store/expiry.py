"""Versions whose files were removed on purpose: by the retention policy, or because they held rows to be forgotten.

The commit record stays, so that numbers have no gaps and the history can be read. A marker beside it says why the files
are gone. It is written before a file goes, so that a reader who misses one finds the reason. Files that another version
names too stay. A removal that was stopped half-way is finished by the next one.

Where only some rows of a table had to go, the rows that stay are published as the remainder of the version: a series of
commits of its own, whose newest one stands for the version.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from pydantic import JsonValue

from assay.errors import ArtifactExpiredError, ArtifactNotFoundError
from resources.store.commit_log import CommitLog, read_record, restore
from resources.store.commit_record import Commit, Record, described, series_prefix
from resources.store.interface import ObjectStore, hashed
from resources.store.numbered_records import intact_record, is_record, number_of, record_key

Identity: TypeAlias = tuple[tuple[str, ...], str | None, int]
"""Asset, partition and number of a commit."""
_DAY = 86400.0
_CLAIM_SECONDS = 3600.0
_REMAINDER = "@remainder"


class Expiry(Record):
    """Why a version has no files any more."""

    reason: str
    expired_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """Which versions stay: those younger than `days`, and the newest `versions` of each asset and partition.

    A version goes if neither keeps it; where one is None, the other decides alone. The newest always stays.
    """

    days: float | None = None
    versions: int | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether nothing ever goes."""
        return self.days is None and self.versions is None

    def lets_go(self, position: int, created: float, now: float) -> bool:
        """Return whether a version goes.

        Args:
            position: 0 for the newest, 1 for the one before it.
            created: seconds since the epoch.
            now: the same.
        """
        is_young = self.days is not None and now - created < self.days * _DAY
        return not self.keeps_all and position >= max(self.versions or 0, 1) and not is_young


def expiry_of(store: ObjectStore, commit: Commit) -> Expiry | None:
    """Return why a version has no files any more; None where it was not removed on purpose."""
    if commit.number not in expired_numbers(store, commit):  # by listing: each space has markers of its own
        return None
    key, remedy = record_key(_expired(commit), commit.number), "restore the object from a backup"
    return intact_record(store, key, Expiry, what="the record of a removed version", remedy=remedy)


def expired_numbers(store: ObjectStore, commit: Commit) -> set[int]:
    """Return which versions of a commit's asset and partition were removed on purpose; one listing."""
    return _numbers_below(store, _expired(commit))


def require_files(store: ObjectStore, commit: Commit) -> None:
    """Refuse a version whose files were removed on purpose.

    Raises:
        ArtifactExpiredError: says why and when.
    """
    expiry = expiry_of(store, commit)
    if expiry is not None:
        raise ArtifactExpiredError(
            "the files of this version were removed",
            where=described(commit),
            found=f"{expiry.reason}, on {expiry.expired_at:%Y-%m-%d}",
            remedy="use a newer version, or materialise the asset again",
        )


def expire(store: ObjectStore, commits: Sequence[Commit], reason: str) -> list[str]:
    """Remove the files of some versions of one asset's partition; return their keys.

    Raises:
        StorageError: the store failed; called again, or by `sweep`, it goes on.
    """
    marker = Expiry(reason=reason, expired_at=dt.datetime.now(dt.UTC)).model_dump_json(indent=1).encode()
    for commit in commits:
        store.put_if_absent(record_key(_expired(commit), commit.number), marker)
    return sweep(store, commits[0]) if commits else []


def sweep(store: ObjectStore, commit: Commit) -> list[str]:
    """Remove what only removed versions of a commit's asset and partition name; return the keys.

    Raises:
        StorageError: the store failed; called again, it goes on.
    """
    removed = leftovers(store, commit)
    for key in removed:
        store.delete(key)
    return removed


def leftovers(store: ObjectStore, commit: Commit) -> list[str]:
    """Return the objects that only removed versions of a commit's asset and partition name."""
    gone = expired_numbers(store, commit)
    if not gone:
        return []
    # claims are read before the history: a restore gives its claim up after its commit is in the history
    gone -= _claimed(store, commit)
    history = CommitLog(store).history(commit.asset, commit.partition)
    named: dict[bool, set[str]] = {True: set(), False: set()}
    for each in history:
        named[each.number in gone].update(hashed(item.key) for item in each.objects)
    present = {item.key for item in store.list_objects(f"{series_prefix(commit.asset, commit.partition)}data/")}
    return sorted((named[True] - named[False]) & present)


def restore_files(store: ObjectStore, commit: Commit, *, attempt_id: str) -> Commit:
    """Make an earlier version the newest; its files cannot be removed meanwhile.

    Raises:
        ArtifactExpiredError: they were removed before.
        StorageError: the store failed.
    """
    with _claim(store, commit):
        require_files(store, commit)
        return restore(CommitLog(store), commit.asset, commit.partition, commit.number, attempt_id=attempt_id)


@contextmanager
def _claim(store: ObjectStore, commit: Commit) -> Iterator[None]:
    """Keep a version's files for an hour at most.

    Who removes writes a marker, then reads claims; who restores writes a claim, then reads markers. So at least one of
    the two sees the other.
    """
    key = record_key(_claims(commit), commit.number)
    store.delete(key)  # the age of an earlier claim would count
    store.put_if_absent(key, b"")
    try:
        yield
    finally:
        store.delete(key)


def _claimed(store: ObjectStore, commit: Commit) -> set[int]:
    claims = list(store.list_objects(_claims(commit)))
    limit = store.clock() - _CLAIM_SECONDS if claims else 0.0
    return {number_of(item.key) or 0 for item in claims if item.modified >= limit}


def remainder_of(commit: Commit) -> tuple[str, ...]:
    """Return the asset under which the remainder of a version is published."""
    return (*commit.asset, _REMAINDER, str(commit.number))


def forgotten_facts(commit: Commit, rows: int, request: str) -> dict[str, JsonValue]:
    """Return what the records of a version's remainder and successor say of it."""
    return {"forgotten": {"version": commit.number, "of": commit.data_version, "rows": rows, "request": request}}


def is_remainder_of(remainder: Commit, commit: Commit) -> bool:
    """Whether a commit is the remainder of a version: versions of two spaces may have one number."""
    return _forgotten_of(remainder).get("of") == commit.data_version


def is_successor_of(successor: Commit, number: int) -> bool:
    """Whether a commit is the version without rows that followed another one."""
    return _forgotten_of(successor).get("version") == number


def _forgotten_of(commit: Commit) -> dict[str, JsonValue]:
    facts = commit.properties.get("forgotten")
    return facts if isinstance(facts, dict) else {}


def version_of(remainder: Commit) -> Identity | None:
    """Return asset, partition and number of the version that a remainder belongs to; None for any other commit."""
    asset = remainder.asset
    return (asset[:-2], remainder.partition, int(asset[-1])) if asset[-2:-1] == (_REMAINDER,) else None


def with_lineage(log: CommitLog, commits: Collection[Commit]) -> set[Identity]:
    """Return asset, partition and number of some versions, and of all versions that they were made of."""
    found: set[Identity] = set()
    waiting = list(commits)
    while waiting:
        commit = waiting.pop()
        if identity(commit) not in found:
            found.add(identity(commit))
            waiting += _read_by(log, commit)
    return found


def _read_by(log: CommitLog, commit: Commit) -> Iterator[Commit]:
    """Yield the versions that a version was made of; what an experiment has read of production is not in its log."""
    for read in inputs_of(commit):
        with suppress(ArtifactNotFoundError):
            yield log.read(*read)


def identity(commit: Commit) -> Identity:
    """Return what tells a commit from all others."""
    return commit.asset, commit.partition, commit.number


def inputs_of(commit: Commit) -> list[Identity]:
    """Return asset, partition and number of the versions that a version was made of."""
    parts = [(*name.partition("@"), version.partition(":")[0]) for name, version in commit.inputs.items()]
    return [(tuple(path.split("/")), partition if at else None, int(number)) for path, at, partition, number in parts]


def histories(store: ObjectStore) -> Iterator[list[Commit]]:
    """Yield the versions of every asset's partition in a store, oldest first.

    Raises:
        StorageError: a record is damaged.
    """
    found: dict[str, str] = {}
    for item in store.list_objects(""):
        prefix = item.key.rpartition("/")[0] + "/"
        # keys of spaces, journals and the like begin by @
        if prefix.endswith("/commits/") and is_record(prefix, item.key) and not item.key.startswith("@"):
            found[prefix] = item.key
    log = CommitLog(store)
    for key in found.values():
        newest = read_record(store, key)
        yield log.history(newest.asset, newest.partition)


def _numbers_below(store: ObjectStore, prefix: str) -> set[int]:
    return {number_of(item.key) or 0 for item in store.list_objects(prefix)}


def _expired(commit: Commit) -> str:
    return f"{series_prefix(commit.asset, commit.partition)}expired/"


def _claims(commit: Commit) -> str:
    return f"{series_prefix(commit.asset, commit.partition)}restored/"
