"""Removal of data objects that no commit names."""

import datetime as dt
import time
import uuid
from itertools import groupby

from assay.errors import StorageError, StoreUnavailableError
from resources.store.commit_log import CommitLog, read_record
from resources.store.commit_record import Commit, is_data, records_prefix_of
from resources.store.interface import ObjectStore, hashed
from resources.store.numbered_records import is_record


def collect_garbage(store: ObjectStore, *, older_than_seconds: float, prefix: str = "") -> list[str]:
    """Delete data objects left behind by attempts that never committed, and what interrupted writes left.

    Args:
        store: the artifact store's objects.
        older_than_seconds: younger objects stay: their commit may be on its way. Their age is by the store's clock.
        prefix: of the keys to scan; all unless given.

    Returns:
        The deleted keys.

    Raises:
        StorageError: a commit record is damaged; then nothing of its asset and partition is deleted.
    """
    limit = store_time(store) - older_than_seconds
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


def store_time(store: ObjectStore) -> float:
    """Return the time by the clock that dates the store's objects, or this machine's where it is earlier.

    Of a machine whose clock is ahead, every object of the store would be old.
    """
    key = f"@clock/{uuid.uuid4().hex}"
    store.put_if_absent(key, b"")
    try:
        found = store.stat(key)
    finally:
        store.delete(key)
    return min(time.time(), found.modified) if found else time.time()


def _named_by_records(store: ObjectStore, prefix: str) -> set[str]:
    keys = [item.key for item in store.list_objects(prefix)]
    return {hashed(item.key) for key in keys if is_record(prefix, key) for item in read_record(store, key).objects}


def restore(log: CommitLog, asset: tuple[str, ...], partition: str | None, number: int, *, attempt_id: str) -> Commit:
    """Make an earlier version the newest, by a new commit that names its objects.

    Args:
        log: the commit log.
        asset: asset key's components.
        partition: partition key.
        number: the version to restore.
        attempt_id: names this restoration, so that repeating it changes nothing.
    """
    earlier = log.read(asset, partition, number)
    changes = {
        "attempt_id": attempt_id,
        "created_at": dt.datetime.now(dt.UTC),
        "properties": earlier.properties | {"restored_from": number},
    }
    restored = earlier.model_copy(update=changes)
    return log.append(lambda new: restored.model_copy(update={"number": new}), asset, partition)
