"""Reading the objects that a commit names.

Does not belong here: what the bytes mean (`resources.codecs`).
"""

import hashlib
from typing import IO

from assay.errors import DigestMismatchError, StorageError
from resources.commits.record import Commit, CommittedObject, place_of
from resources.object_store.interface import ObjectStore


class CommitReader:
    """The objects of one commit."""

    def __init__(self, store: ObjectStore, commit: Commit) -> None:
        self._store = store
        self.commit = commit

    @property
    def place(self) -> str:
        """Asset, partition and version, for messages."""
        return place_of(self.commit)

    def verified_bytes(self, name: str) -> bytes:
        """Return an object whose SHA-256 was checked.

        Raises:
            DigestMismatchError: the bytes are not those that were published.
            StorageError: the commit names no such object, or the store has lost it.
        """
        item = self._item(name)
        data = self._store.get_bytes(item.key)
        found = hashlib.sha256(data).hexdigest()
        if found != item.sha256:
            raise DigestMismatchError(
                "a stored object is not the one that was published",
                where=f"{self.place}, {self._store.uri(item.key)}",
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
        raise StorageError("the commit does not name an object that it should", where=self.place, expected=name)
