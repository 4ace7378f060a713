"""Numbered records below a prefix: the compare-and-set on which commits and journals rest.

A record is written once, by a conditional put of the next number. Of several writers racing for a number exactly one
succeeds. Other keys below the prefix are ignored.
"""

from assay.errors import ArtifactNotFoundError, StorageError
from resources.store.interface import ObjectStore

_DIGITS = 8


def record_key(prefix: str, number: int) -> str:
    """Return a record's key; keys sort as numbers do."""
    return f"{prefix}{number:0{_DIGITS}d}.json"


def number_of(key: str) -> int | None:
    """Return the number in a record's key; None for any other key."""
    stem = key.rpartition("/")[2].removesuffix(".json")
    return int(stem) if len(stem) == _DIGITS and stem.isdecimal() else None


def newest_number(store: ObjectStore, prefix: str) -> int:
    """Return the newest record's number, 0 if there is none; one listing, no reading."""
    return max((number for item in store.list_objects(prefix) if (number := number_of(item.key))), default=0)


def put_record(store: ObjectStore, key: str, data: bytes) -> bool:
    """Store a record unless its number is taken.

    A lost acknowledgement and a request that the store's client repeated are recognised by the stored bytes, so that
    bytes of different writers must differ.

    Args:
        store: where.
        key: of the record.
        data: the record.

    Returns:
        Whether the stored record is this one.

    Raises:
        StorageError: the store failed; the record is not there, or the store cannot tell.
    """
    try:
        return store.put_if_absent(key, data) or _holds(store, key, data)
    except StorageError:
        if _holds(store, key, data):
            return True
        raise


def _holds(store: ObjectStore, key: str, data: bytes) -> bool:
    try:
        return store.get_bytes(key) == data
    except ArtifactNotFoundError:
        return False
