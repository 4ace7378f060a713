"""The commit log of each asset and partition, the objects that a commit names, and removal of those that none names.

Publishing is one conditional put of a small record: before it nothing is visible, after it everything is. A writer that
loses the race for a number takes the next one.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import IO

from pydantic import ValidationError

from assay.errors import CommitConflictError, DigestMismatchError, StorageError, StoreUnavailableError
from resources.store.commit_record import (
    Commit,
    CommittedObject,
    commit_key,
    commits_prefix,
    described,
    is_data,
    records_prefix_of,
)
from resources.store.interface import ObjectStore, hashed
from resources.store.numbered_records import fetched_record, is_record, newest_number, put_record

_ATTEMPTS = 50


class CommitLog:
    """Appends and reads commit records in an object store.

    Attributes:
        below: the log whose rows are read where this one has no commit; it is never appended to.
    """

    def __init__(self, store: ObjectStore, below: "CommitLog | None" = None) -> None:
        self._store = store
        self.below = below

    def append(
        self, draft: Callable[[int], Commit], asset: tuple[str, ...], partition: str | None, *, repeated: bool = True
    ) -> Commit:
        """Publish a commit under the next free number.

        The draft makes the commit for a number; its `attempt_id` names the writer's attempt. Where the attempt may have
        published before (`repeated`), every record is read, not only the newest: others may have published since.

        Returns:
            The published commit; the earlier one if this attempt has published already.

        Raises:
            CommitConflictError: others took every number that was tried.
            StorageError: the store failed; the commit is not there, or the store does not know. The same attempt may
                be repeated: it publishes once.
        """
        for _ in range(_ATTEMPTS):
            newest = self.newest_number(asset, partition)
            commit = draft(newest + 1)
            oldest = 1 if repeated else max(newest, 1)
            mine = self._published_by(commit.attempt_id, asset, partition, range(newest, oldest - 1, -1))
            if mine is not None:
                return mine
            key = commit_key(asset, partition, commit.number)
            if put_record(self._store, key, commit.model_dump_json(indent=1).encode()):
                return commit
            repeated = False  # the records up to here were read
        raise CommitConflictError(
            "other writers published first in every attempt",
            where="/".join(asset) + (f", partition {partition}" if partition else ""),
            found=f"{_ATTEMPTS} lost races",
            remedy="run again when fewer runs write the same partition",
        )

    def newest(self, asset: tuple[str, ...], partition: str | None) -> Commit | None:
        """Return the newest commit; without commits, the newest rows or refusal of the log below, or None."""
        if number := self.newest_number(asset, partition):
            return self.read(asset, partition, number)
        shared = self.below.newest(asset, partition) if self.below else None
        return shared if shared and (shared.fingerprint or shared.status == "rejected") else None

    def newest_number(self, asset: tuple[str, ...], partition: str | None) -> int:
        """Return the newest commit's number, 0 without commits; one listing, no reading."""
        return newest_number(self._store, commits_prefix(asset, partition))

    def history(self, asset: tuple[str, ...], partition: str | None) -> list[Commit]:
        """Return all commits, oldest first."""
        newest = self.newest_number(asset, partition)
        return [self.read(asset, partition, number) for number in range(1, newest + 1)]

    def read(self, asset: tuple[str, ...], partition: str | None, number: int) -> Commit:
        """Return one commit.

        Raises:
            ArtifactNotFoundError: there is no such number.
            StorageError: the record is damaged.
        """
        return read_record(self._store, commit_key(asset, partition, number))

    def _published_by(
        self, attempt: str, asset: tuple[str, ...], partition: str | None, numbers: Iterable[int]
    ) -> Commit | None:
        records = (self.read(asset, partition, number) for number in numbers)
        return next((record for record in records if record.attempt_id == attempt), None)


def read_record(store: ObjectStore, key: str) -> Commit:
    """Return the commit under a record's key.

    Raises:
        ArtifactNotFoundError: there is no such key.
        StorageError: the record is damaged, or another commit's.
    """
    try:
        found = fetched_record(store, key, Commit)
    except ValidationError as error:
        raise _damaged(store.uri(key), str(error.errors(include_url=False)[0]["msg"])) from error
    own_key = commit_key(found.asset, found.partition, found.number)
    if own_key != key:
        raise _damaged(store.uri(key), f"the record of {own_key}")
    return found


def _damaged(where: str, found: str) -> StorageError:
    return StorageError(
        "a commit record is damaged",
        where=where,
        found=found,
        remedy="restore the object from a backup, or remove the record and all after it",
    )


class CommitReader:
    """The objects of one commit."""

    def __init__(self, store: ObjectStore, commit: Commit) -> None:
        self._store = store
        self.commit = commit

    @property
    def where(self) -> str:
        """Asset, partition and version, for messages."""
        return described(self.commit)

    def verified_bytes(self, name: str) -> bytes:
        """Return an object whose SHA-256 was checked.

        Raises:
            DigestMismatchError: the bytes differ from the published ones.
            StorageError: the commit names no such object, or the store has lost it.
        """
        item = self._item(name)
        data = self._store.get_bytes(item.key)
        found = hashlib.sha256(data).hexdigest()
        if found != item.sha256:
            raise DigestMismatchError(
                "a stored object differs from the published one",
                where=f"{self.where}, {self._store.uri(item.key)}",
                found=f"{len(data)} bytes, SHA-256 {found[:16]}",
                expected=f"{item.size} bytes, SHA-256 {item.sha256[:16]}",
                remedy="the stored object was changed: materialise the asset again, or restore an earlier version",
            )
        return data

    def open(self, name: str) -> IO[bytes]:
        """Return a seekable reader that fetches only what is read; unverified."""
        return self._store.open(self._item(name).key)

    def _item(self, name: str) -> CommittedObject:
        for item in self.commit.objects:
            if item.name == name:
                return item
        raise StorageError("an object is missing in the commit", where=self.where, expected=name)


def restore(log: CommitLog, asset: tuple[str, ...], partition: str | None, number: int, *, attempt_id: str) -> Commit:
    """Make an earlier version the newest, by a new commit that names its objects; an attempt does so once."""
    earlier = log.read(asset, partition, number)
    changes = {
        "attempt_id": attempt_id,
        "created_at": dt.datetime.now(dt.UTC),
        "properties": earlier.properties | {"restored_from": number},
    }
    restored = earlier.model_copy(update=changes)
    return log.append(lambda new: restored.model_copy(update={"number": new}), asset, partition)


def collect_garbage(store: ObjectStore, *, older_than_seconds: float, prefix: str = "") -> list[str]:
    """Delete data objects left behind by attempts that never committed, and what interrupted writes left.

    Younger objects stay, by the store's clock, as their commit may be on its way.

    Returns:
        The deleted keys.

    Raises:
        StorageError: a commit record is damaged; then nothing of its asset and partition is deleted.
    """
    limit = store.clock() - older_than_seconds
    old = [item.key for item in store.list_objects(prefix) if is_data(item.key) and item.modified < limit]
    deleted = [] if prefix else store.remove_unfinished(before=limit)
    damaged: list[StorageError] = []
    for start, keys in groupby(sorted(old, key=records_prefix_of), key=records_prefix_of):
        try:
            # records are read after the objects were listed, so that a commit made meanwhile counts
            named = _named_by_records(store, start)
        except StoreUnavailableError:
            raise
        except StorageError as error:
            damaged.append(error)
            continue
        for key in [key for key in keys if key not in named]:
            store.delete(key)
            deleted.append(key)
    if damaged:
        raise damaged[0]
    return sorted(deleted)


def _named_by_records(store: ObjectStore, prefix: str) -> set[str]:
    keys = [item.key for item in store.list_objects(prefix)]
    return {hashed(item.key) for key in keys if is_record(prefix, key) for item in read_record(store, key).objects}
