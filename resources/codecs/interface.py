"""What every codec offers.

Does not belong here: any format.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import JsonValue

from assay.tables.fingerprint import TableFingerprint
from assay.validation.receipt import GateReceipt
from resources.commits.record import Commit


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as files.

    Attributes:
        files: the files, by their name in the artifact.
        data_version: content digest of the value.
        fingerprint: of a table.
        receipt: of a validated table.
        properties: facts for the commit record.
    """

    files: Mapping[str, Path]
    data_version: str
    fingerprint: TableFingerprint | None = None
    receipt: GateReceipt | None = None
    properties: Mapping[str, JsonValue] = field(default_factory=dict)


class ArtifactReader(Protocol):
    """Access to the objects of one commit."""

    @property
    def commit(self) -> Commit:
        """The commit."""

    def verified_bytes(self, name: str) -> bytes:
        """Return an object whose SHA-256 was checked."""

    def open(self, name: str) -> IO[bytes]:
        """Return a seekable reader that fetches only what is read; unverified."""

    @property
    def place(self) -> str:
        """Asset, partition and version, for messages."""


class Codec(ABC):
    """Writes values of one kind to files, and reads them back."""

    name: str

    @abstractmethod
    def takes(self, kind: type[Any]) -> bool:
        """Whether values of this type are written and read here."""

    @abstractmethod
    def encode(self, value: Any, folder: Path) -> Encoded:
        """Write a value to files below a folder."""

    @abstractmethod
    def decode(self, reader: ArtifactReader, kind: type[Any], columns: Sequence[str] | None) -> Any:
        """Read a value back, verified.

        Args:
            reader: the commit's objects.
            kind: the type asked for.
            columns: of a table, the columns to read; all unless given.

        Raises:
            DigestMismatchError: what is stored is not what was published.
        """
