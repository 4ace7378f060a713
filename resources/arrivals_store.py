"""What the new-data sensors keep in the artifact store: pages of the ledger, dead letters, orders to start them over.

All lies below `<pipeline>/@arrivals/`. Nothing is ever overwritten. Does not belong here: what is kept, and when it
may be removed (`assay.arrivals`).
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable

import dagster as dg

from assay.arrivals.failures import DeadLetter, DeadLetterNames
from assay.arrivals.names import parse_run_key
from assay.errors import ArtifactNotFoundError, StorageError
from resources.object_store import ObjectStoreResource
from resources.store.interface import ObjectStore, encoded

_ORDER = ".order"
_LETTER = ".letter"


class ArrivalsStore(dg.ConfigurableResource[None]):
    """Opens what is kept for one pipeline's sensor."""

    object_store: dg.ResourceDependency[ObjectStoreResource]

    def of(self, pipeline: str) -> "ArrivalsFolder":
        """Return what is kept for a pipeline.

        Args:
            pipeline: its name.
        """
        return ArrivalsFolder(self.object_store.open(), f"{encoded(pipeline)}/@arrivals")


class ArrivalsFolder:
    """One pipeline's ledger and dead letters."""

    def __init__(self, store: ObjectStore, folder: str, new_name: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._store, self._folder, self._new_name = store, folder, new_name

    def read(self, name: str) -> str:
        """Return a text of the ledger.

        Raises:
            StorageError: it is not there any more, or the store does not answer.
        """
        try:
            return self._store.get_bytes(self._key(name)).decode()
        except ArtifactNotFoundError as error:
            raise StorageError(
                "the ledger of arrivals that the sensor's cursor names is gone",
                where=self._store.uri(self._key(name)),
                remedy="reset the sensor's cursor: everything is looked at again, and what has run is not run again",
            ) from error

    def write(self, text: str) -> str:
        """Store a text of the ledger under a name that no other has."""
        name = self._new_name()
        if not self._store.put_if_absent(self._key(name), text.encode()):
            raise StorageError("a name of the ledger is taken", where=self._store.uri(self._key(name)))
        return name

    def remove(self, names: Iterable[str]) -> None:
        """Remove texts of the ledger; those that are gone are no error."""
        for name in names:
            self._store.delete(self._key(name))

    def sweep(self, kept: set[str], *, older_than_seconds: float) -> int:
        """Remove what looks that were broken off have left, and return how many texts that were.

        Args:
            kept: names of the texts of the stored state.
            older_than_seconds: younger texts stay: the state that names them may be on its way.
        """
        limit = time.time() - older_than_seconds
        old = [item.key for item in self._store.list_objects(self._key("")) if item.modified < limit]
        left = [key for key in old if key.rsplit("/", 1)[-1] not in kept]
        for key in left:
            self._store.delete(key)
        return len(left)

    def keep_dead_letter(self, letter: DeadLetter) -> None:
        """Keep a dead letter; the same one again changes nothing."""
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
            ArtifactNotFoundError: there is none of that name.
        """
        return DeadLetter.model_validate_json(self._store.get_bytes(f"{self._dead}{name}{_LETTER}"))

    def order_redrive(self, name: str) -> None:
        """Order a dead letter to be started over; the sensor does so at its next look."""
        self._store.put_if_absent(f"{self._dead}{name}{_ORDER}", b"")

    def remove_dead_letters(self, names: Iterable[str]) -> None:
        """Remove dead letters that were started over, and the orders to do so."""
        for name in names:
            self._store.delete(f"{self._dead}{name}{_LETTER}")
            self._store.delete(f"{self._dead}{name}{_ORDER}")

    @property
    def _dead(self) -> str:
        return f"{self._folder}/dead/"

    def _key(self, name: str) -> str:
        return f"{self._folder}/ledger/{name}"


def name_of(letter: DeadLetter) -> str:
    """Return a dead letter's name: one for each arrival, and each time that it was started over."""
    key = parse_run_key(letter.run_key)
    return f"{hashlib.sha256(key.arrival.encode()).hexdigest()[:32]}-{key.redrive}"
