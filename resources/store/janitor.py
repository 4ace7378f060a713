"""Removal of data objects that no commit names."""

import datetime as dt
import time

from resources.store.commit_log import CommitLog, read_record
from resources.store.commit_record import Commit, is_data, records_prefix_of
from resources.store.interface import ObjectStore


def collect_garbage(store: ObjectStore, *, older_than_seconds: float, prefix: str = "") -> list[str]:
    """Delete data objects left behind by attempts that never committed.

    Args:
        store: the artifact store's objects.
        older_than_seconds: younger objects stay: their commit may be on its way.
        prefix: of the keys to scan; all unless given.

    Returns:
        The deleted keys.

    Raises:
        StorageError: a commit record is damaged; then nothing is deleted.
    """
    limit = time.time() - older_than_seconds
    old = [item.key for item in store.list_objects(prefix) if is_data(item.key) and item.modified < limit]
    # records are read after the objects were listed, so that a commit made meanwhile counts
    series = sorted({records_prefix_of(key) for key in old})
    records = (read_record(store, item.key) for start in series for item in store.list_objects(start))
    named = {item.key for commit in records for item in commit.objects}
    garbage = [key for key in old if key not in named]
    for key in garbage:
        store.delete(key)
    return garbage


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
