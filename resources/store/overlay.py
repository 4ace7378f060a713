"""A store over another one: what it lacks is read from below, and everything is written, listed and removed above.

Data objects are immutable and their keys unique, so that a commit of either store finds its objects. Commits and
journals are found by listing: each store has its own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

from assay.errors import ArtifactNotFoundError
from resources.store.interface import ObjectStat, ObjectStore

Value = TypeVar("Value")


class OverlayStore(ObjectStore):
    """Reads by key from the store below what the store above lacks.

    Attributes:
        below: never written.
    """

    def __init__(self, above: ObjectStore, below: ObjectStore) -> None:
        self._above = above
        self.below = below

    def put_file(self, key: str, path: Path) -> None:
        """Store a file's bytes above."""
        self._above.put_file(key, path)

    def put_copy(self, key: str, path: Path) -> None:
        """Copy a user's file above."""
        self._above.put_copy(key, path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store bytes above unless the key exists there."""
        return self._above.put_if_absent(key, data)

    def replace(self, key: str, data: bytes, former: bytes) -> bool:
        """Store bytes above in place of the former ones there."""
        return self._above.replace(key, data, former)

    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes from the first store that has it."""
        return self._first(lambda store: store.get_bytes(key))

    def open(self, key: str) -> IO[bytes]:
        """Return a reader of the object in the first store that has it."""
        return self._first(lambda store: store.open(key))

    def stat(self, key: str) -> ObjectStat | None:
        """Return what the first store that has a key knows of it."""
        return self._above.stat(key) or self.below.stat(key)

    def list_objects(self, prefix: str) -> Iterator[ObjectStat]:
        """Yield the objects above."""
        return self._above.list_objects(prefix)

    def delete(self, key: str) -> None:
        """Remove an object above."""
        self._above.delete(key)

    def remove_unfinished(self, *, before: float) -> list[str]:
        """Remove what interrupted writes left above."""
        return self._above.remove_unfinished(before=before)

    def uri(self, key: str) -> str:
        """Return where people find a key: where it is, or would be written."""
        is_below = self._above.stat(key) is None and self.below.stat(key) is not None
        return (self.below if is_below else self._above).uri(key)

    def _first(self, read: Callable[[ObjectStore], Value]) -> Value:
        try:
            return read(self._above)
        except ArtifactNotFoundError as missing:
            try:
                return read(self.below)
            except ArtifactNotFoundError:
                raise missing from None
