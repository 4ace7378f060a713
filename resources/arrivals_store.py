"""Storage of the new-data sensors in the artifact store: pages of the ledger, dead letters, orders to redrive them.

Everything is below `<pipeline>/@arrivals/`, and nothing is overwritten.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable

import dagster as dg
from pydantic import ValidationError

from assay.arrivals.failures import DeadLetter, DeadLetterNames
from assay.arrivals.names import parse_run_key
from assay.errors import ArtifactNotFoundError, StorageError
from resources.object_store import ObjectStoreResource
from resources.store.interface import ObjectStore, encoded

_ORDER = ".order"
_LETTER = ".letter"


class ArrivalsStore(dg.ConfigurableResource[None]):
    """Opens the storage of a pipeline's sensor."""

    object_store: dg.ResourceDependency[ObjectStoreResource]

    def of(self, watched: str) -> "ArrivalsFolder":
        """Return the ledger and dead letters of a pipeline's source, or of `<pipeline>.<table>`, which it joins."""
        pipeline, dot, table = watched.partition(".")
        return ArrivalsFolder(self.object_store.open(), f"{encoded(pipeline)}/@arrivals{dot}{table}")


class ArrivalsFolder:
    """One pipeline's ledger and dead letters."""

    def __init__(self, store: ObjectStore, folder: str, new_name: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._store, self._folder, self._new_name = store, folder, new_name

    def read(self, name: str) -> str:
        """Return a text of the ledger.

        Raises:
            StorageError: it was removed, or the store does not answer.
        """
        try:
            return self._store.get_bytes(self._key(name)).decode()
        except ArtifactNotFoundError as error:
            raise StorageError(
                "the ledger that the sensor's cursor refers to is missing",
                where=self._store.uri(self._key(name)),
                remedy="reset the sensor's cursor: the source is scanned again, and completed runs are not repeated",
            ) from error

    def write(self, text: str) -> str:
        """Store a text of the ledger under a new, unique name."""
        name = self._new_name()
        if not self._store.put_if_absent(self._key(name), text.encode()):
            raise StorageError("the name of the ledger's text exists already", where=self._store.uri(self._key(name)))
        return name

    def remove(self, names: Iterable[str]) -> None:
        """Remove texts of the ledger; missing ones are no error."""
        for name in names:
            self._store.delete(self._key(name))

    def sweep(self, kept: set[str], *, older_than_seconds: float) -> int:
        """Remove the texts that interrupted scans left, and return their number.

        Args:
            kept: names of the texts of the stored state.
            older_than_seconds: younger texts stay, because the state that refers to them may not be stored yet.
        """
        limit = self._store.clock() - older_than_seconds
        old = [item.key for item in self._store.list_objects(self._key("")) if item.modified < limit]
        left = [key for key in old if key.rsplit("/", 1)[-1] not in kept]
        for key in left:
            self._store.delete(key)
        return len(left)

    def keep_dead_letter(self, letter: DeadLetter) -> None:
        """Store a dead letter; idempotent."""
        self._store.put_if_absent(f"{self._dead}{name_of(letter)}{_LETTER}", letter.model_dump_json(indent=1).encode())

    def dead_letters(self) -> DeadLetterNames:
        """List the dead letters."""
        found = [item.key.removeprefix(self._dead) for item in self._store.list_objects(self._dead)]
        names = [key.removesuffix(_LETTER) for key in found if key.endswith(_LETTER)]
        orders = {key.removesuffix(_ORDER) for key in found if key.endswith(_ORDER)}
        return DeadLetterNames(tuple(names), tuple(name for name in names if name in orders))

    def dead_letter(self, name: str) -> DeadLetter:
        """Return a dead letter.

        Raises:
            ArtifactNotFoundError: there is no such dead letter.
            StorageError: it is damaged.
        """
        key = f"{self._dead}{name}{_LETTER}"
        try:
            return DeadLetter.model_validate_json(self._store.get_bytes(key))
        except ValidationError as error:
            raise StorageError(
                "a dead letter cannot be read", where=self._store.uri(key), remedy="remove it, and rewrite its object"
            ) from error

    def order_redrive(self, name: str) -> None:
        """Order the redrive of a dead letter at the sensor's next evaluation."""
        self._store.put_if_absent(f"{self._dead}{name}{_ORDER}", b"")

    def remove_dead_letters(self, names: Iterable[str]) -> None:
        """Remove redriven dead letters and their orders."""
        for name in names:
            self._store.delete(f"{self._dead}{name}{_LETTER}")
            self._store.delete(f"{self._dead}{name}{_ORDER}")

    @property
    def _dead(self) -> str:
        return f"{self._folder}/dead/"

    def _key(self, name: str) -> str:
        return f"{self._folder}/ledger/{name}"


def name_of(letter: DeadLetter) -> str:
    """Return a dead letter's name: one for each arrival and redrive."""
    key = parse_run_key(letter.run_key)
    return f"{hashlib.sha256(key.arrival.encode()).hexdigest()[:32]}-{key.redrive}"
