"""Numbered records below a prefix: the compare-and-set on which commits and journals rest.

A record is written once, by a conditional put of the next number. Of several writers racing for a number exactly one
succeeds. Other keys below the prefix are ignored.
"""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from assay.errors import ArtifactNotFoundError, StorageError
from resources.store.interface import ObjectStore

_DIGITS = 8
LAST_NUMBER = 10**_DIGITS - 1
Record = TypeVar("Record", bound=BaseModel)


def record_key(prefix: str, number: int) -> str:
    """Return a record's key; keys sort as numbers do."""
    return f"{prefix}{number:0{_DIGITS}d}.json"


def number_of(key: str) -> int | None:
    """Return the number in a record's key; None for any other key."""
    stem = key.rpartition("/")[2].removesuffix(".json")
    return int(stem) if len(stem) == _DIGITS and stem.isascii() and stem.isdecimal() else None


def is_record(prefix: str, key: str) -> bool:
    """Whether a key is that of a record right below a prefix; markers of consoles and other programs' files are not."""
    number = number_of(key)
    return number is not None and key == record_key(prefix, number)


def newest_number(store: ObjectStore, prefix: str) -> int:
    """Return the newest record's number, 0 without records; one listing, no reading."""
    keys = (item.key for item in store.list_objects(prefix))
    return max((number_of(key) or 0 for key in keys if is_record(prefix, key)), default=0)


def fetched_record(store: ObjectStore, key: str, kind: type[Record]) -> Record:
    """Return a record; bytes that cannot be read are fetched again once, as a bit may have flipped on its way.

    Raises:
        ArtifactNotFoundError: there is no such key.
        pydantic.ValidationError: the stored record is damaged.
    """
    try:
        return kind.model_validate_json(store.get_bytes(key))
    except ValidationError:
        return kind.model_validate_json(store.get_bytes(key))


def intact_record(store: ObjectStore, key: str, kind: type[Record], *, what: str, remedy: str) -> Record:
    """Return a record as `fetched_record` does, or say what is damaged.

    Args:
        store: holds it.
        key: of the record.
        kind: its class.
        what: the record, in the words of the error.
        remedy: what to do about a damaged one.

    Raises:
        ArtifactNotFoundError: there is no such key.
        StorageError: the stored record is damaged, or the store failed.
    """
    try:
        return fetched_record(store, key, kind)
    except ValidationError as error:
        raise StorageError(
            f"{what} is damaged",
            where=store.uri(key),
            found=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
            remedy=remedy,
        ) from error


def put_record(store: ObjectStore, key: str, data: bytes) -> bool:
    """Store a record unless its number is taken.

    A lost acknowledgement and a request that the store's client repeated are recognised by the stored bytes, so that
    bytes of different writers must differ.

    Returns:
        Whether the stored record is this one.

    Raises:
        StorageError: the store failed; the record is not there, or the store does not know.
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
