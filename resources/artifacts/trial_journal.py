"""The journal of a search in the artifact store: an object for each trial, in the order in which they ended."""

from assay.learning.tuning.journal import JournalEntry, decoded, encoded
from resources.store.commit_record import series_prefix
from resources.store.interface import ObjectStore


class StoredTrialJournal:
    """Keeps the trials of one search of an asset's partition.

    Args:
        store: the artifact store's objects.
        asset: key of the asset that publishes the search's result.
        partition: of the asset; None without partitions.
        basis: digest of all that the search is made of; trials of another basis are not read.
    """

    def __init__(self, store: ObjectStore, asset: tuple[str, ...], partition: str | None, basis: str) -> None:
        self._store = store
        self._every = f"{series_prefix(asset, partition)}trials/"
        self._own = f"{self._every}{basis}/"
        self._kept = 0

    def entries(self) -> list[JournalEntry]:
        """Return the trials that ended, in that order."""
        found = [decoded(self._store.get_bytes(each.key)) for each in self._store.list_objects(self._own)]
        self._kept = len(found)
        return found

    def append(self, entry: JournalEntry) -> None:
        """Keep a trial; one that another run of the same search has kept stays."""
        self._store.put_if_absent(f"{self._own}{self._kept:06d}.arrow", encoded(entry))
        self._kept += 1

    def clear(self) -> None:
        """Forget the trials of every search of the partition: it has a result, or one begins anew."""
        for each in list(self._store.list_objects(self._every)):
            self._store.delete(each.key)
        self._kept = 0
