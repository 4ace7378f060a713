"""The interface of every object store, and names of assets and partitions as components of keys."""

import hashlib
import re
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from assay.errors import StorageError


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store knows of an object: its size in bytes, its time in seconds since the epoch."""

    key: str
    size: int
    modified: float


class ObjectStore(ABC):
    """Stores bytes under keys. Keys are relative, with `/` between components that `encoded` makes."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """Store a file's bytes; afterwards all are there, before that none.

        Raises:
            StorageError: they could not be stored.
        """

    def put_copy(self, key: str, path: Path) -> None:
        """Copy a user's file as `put_file` does; on disk nobody may read the copy who could not read the file.

        Raises:
            StorageError: the store failed.
        """
        self.put_file(key, path)

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key exists; of several racing callers exactly one gets True.

        Raises:
            StorageError: the store did not answer; the bytes may or may not be there.
        """

    @abstractmethod
    def replace(self, key: str, data: bytes, former: bytes) -> bool:
        """Store bytes in place of the former ones; return False where others are stored now, or none.

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

    def remove_unfinished(self, *, before: float) -> list[str]:  # noqa: ARG002 - a store without such remains
        """Remove what interrupted writes left and no listing shows; returns names for people.

        Args:
            before: seconds since the epoch; younger remains stay, as their write may go on.
        """
        return []

    def clock(self) -> float:
        """Return the time by the clock that dates the objects, or this machine's where it is earlier.

        Of a machine whose clock is ahead, every object of the store would be old.
        """
        key = f"@clock/{uuid.uuid4().hex}"
        self.put_if_absent(key, b"")
        try:
            found = self.stat(key)
        finally:
            self.delete(key)
        return min(time.time(), found.modified) if found else time.time()

    @abstractmethod
    def uri(self, key: str) -> str:
        """Return where people find a key."""


_PLAIN = re.compile(r"[a-z0-9_=-]")
_LONGEST, _READABLE = 255, 180
_CUT = re.compile(r"%[0-9a-f]?$")
_ESCAPED = re.compile(r"%([0-9a-f]{2})")
_WHOLE = re.compile(r"(?:[a-z0-9_=-]|%[0-9a-f]{2})+")


def encoded(name: str) -> str:
    """Return a component that no other name gives, that no file system folds, and that cannot leave its folder.

    Lower-case letters, digits, `_`, `=` and `-` stand for themselves; every other byte of the UTF-8 text
    becomes `%` and two hex digits. The empty name becomes `%`. Of a component beyond the 255 bytes of a file name only
    the beginning stays, followed by `%_` and the SHA-256 of the name; the records below it hold the whole name.
    """
    if not name:
        return "%"
    raw = name.encode("utf-8", "surrogatepass")
    whole = "".join(_encoded_byte(byte) for byte in raw)
    return whole if len(whole) <= _LONGEST else _shortened(whole, raw)


def hashed(key: str) -> str:
    """Return a key whose long components are as `encoded` gives them; version 0.1 stored them whole, on S3."""
    if len(key) <= _LONGEST:
        return key
    return "/".join(
        _shortened(part, _bytes_of(part)) if len(part) > _LONGEST and _WHOLE.fullmatch(part) else part
        for part in key.split("/")
    )


def _shortened(whole: str, raw: bytes) -> str:
    return f"{_CUT.sub('', whole[:_READABLE])}%_{hashlib.sha256(raw).hexdigest()}"


def _bytes_of(component: str) -> bytes:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), component).encode("latin-1")


def decoded(component: str) -> str:
    """Return the name that a component stands for.

    Raises:
        StorageError: no name gives this component.
    """
    if component == "%":
        return ""
    try:
        name = _bytes_of(component).decode("utf-8", "surrogatepass")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise StorageError("a stored name cannot be read", where=component, found=str(error)) from error
    if encoded(name) != component:
        raise StorageError("a stored name cannot be read", where=component, expected=encoded(name))
    return name


def _encoded_byte(byte: int) -> str:
    character = chr(byte)
    return character if _PLAIN.match(character) else f"%{byte:02x}"
