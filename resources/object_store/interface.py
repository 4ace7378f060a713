"""What every object store offers.

Does not belong here: any backend.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store knows of an object.

    Attributes:
        key: its key.
        size: bytes.
        modified: seconds since the epoch.
    """

    key: str
    size: int
    modified: float


class ObjectStore(ABC):
    """Keys are relative, with `/` between components made by `resources.object_store.keys`."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """Store a file's bytes; afterwards all are there, before that none.

        Raises:
            StorageError: they could not be stored.
        """

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key exists; of several racing callers exactly one gets True.

        Raises:
            StorageError: the store did not answer; the bytes may or may not be there.
        """

    @abstractmethod
    def get_bytes(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            ArtifactNotFoundError: there is no such key.
            StorageError: the store did not answer.
        """

    @abstractmethod
    def open(self, key: str) -> IO[bytes]:
        """Return a seekable reader that fetches only what is read; the object may not change under it.

        Raises:
            ArtifactNotFoundError: there is no such key.
            StorageError: the store did not answer.
        """

    @abstractmethod
    def stat(self, key: str) -> ObjectStat | None:
        """Return what is known of a key; None when there is no such key."""

    @abstractmethod
    def list_objects(self, prefix: str) -> Iterator[ObjectStat]:
        """Yield all objects whose key begins with a prefix, by key."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    @abstractmethod
    def uri(self, key: str) -> str:
        """Return where people find a key."""
