"""Which decisions were made on the holdouts of a registered model, in the artifact store.

The journal holds what changed a champion. A challenger that did not replace it has used the holdout as well, and every
further use makes a chance finding likelier. So each comparison leaves one record, by the challenger's digest: the same
challenger compared again, by a retry or after another promotion, counts once.
"""

from assay.promotion.minimum_effect import HoldoutUse
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import intact_record

_ROOT = "@holdout_uses"


class HoldoutUses:
    """Adds and reads the uses of one registered model's holdouts."""

    def __init__(self, store: ObjectStore, registered_name: str) -> None:
        self._store = store
        self._prefix = f"{_ROOT}/{encoded(registered_name)}/"

    def add(self, use: HoldoutUse, challenger: str) -> None:
        """Record that a challenger, by the digest of its files, was compared on a holdout; once.

        Raises:
            StorageError: the store failed.
        """
        key = f"{self._uses_of(use.holdout)}{encoded(challenger)}.json"
        self._store.put_if_absent(key, use.model_dump_json().encode())

    def of_others(self, holdout: str, challenger: str) -> list[HoldoutUse]:
        """Return the uses of a holdout by all other challengers.

        Raises:
            StorageError: the store failed, or a record is damaged.
        """
        uses = self._uses_of(holdout)
        keys = sorted(item.key for item in self._store.list_objects(uses) if item.key.endswith(".json"))
        return [self._read(key) for key in keys if key != f"{uses}{encoded(challenger)}.json"]

    def _uses_of(self, holdout: str) -> str:
        return f"{self._prefix}{encoded(holdout)}/"

    def _read(self, key: str) -> HoldoutUse:
        return intact_record(
            self._store,
            key,
            HoldoutUse,
            what="a record of a holdout's use",
            remedy="restore the object from a backup, or remove it: its decision is then not counted",
        )
