"""The champion journal of a registered model, in the artifact store: which version is champion, and how it became so.

Entries are appended and never changed. The newest one that changes the champion names the current champion; aliases of
the registry follow it.
"""

from collections.abc import Iterator

from assay.errors import ChampionChangedError
from assay.promotion.champion import ChampionEntry
from assay.promotion.history import ChampionHistory
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import intact_record, newest_number, put_record, record_key

_ROOT = "@champion_journals"


class ChampionJournal:
    """Appends and reads the entries of one registered model."""

    def __init__(self, store: ObjectStore, registered_name: str) -> None:
        self.registered_name = registered_name
        self._store = store
        self._prefix = f"{_ROOT}/{encoded(registered_name)}/"

    @property
    def uri(self) -> str:
        """Where people find the journal."""
        return self._store.uri(self._prefix)

    @property
    def is_empty(self) -> bool:
        """Whether there is no entry yet."""
        return self._newest_number() == 0

    def change(self) -> ChampionEntry | None:
        """Return the newest entry that changes the champion, a withdrawal included; None before the first.

        Raises:
            StorageError: the store failed, or an entry is damaged.
        """
        return self._change_up_to(self._newest_number())

    def current(self) -> ChampionEntry | None:
        """Return the entry that names the current champion; None before the first, and after a withdrawal."""
        return _champion(self.change())

    def append(self, entry: ChampionEntry, *, expected: ChampionEntry | None) -> ChampionEntry:
        """Append an entry if the current champion is the expected one: compare-and-set.

        Args:
            entry: its number is assigned here.
            expected: the entry of the champion on which this one was decided; None if there was no champion.

        Returns:
            The entry as stored.

        Raises:
            ChampionChangedError: the champion changed meanwhile; nothing was stored.
            StorageError: the store failed; the entry is not there, or the store does not know.
        """
        while True:
            newest = self._newest_number()
            self.require(_champion(self._change_up_to(newest)), expected)
            # where another entry took the number, it may have changed the champion
            if stored := self._put(entry, newest + 1):
                return stored

    def append_to(self, history: ChampionHistory, entry: ChampionEntry) -> ChampionEntry | None:
        """Append an entry if nothing was appended since a history was read; None if something was.

        Raises:
            StorageError: as of `append`.
        """
        return self._put(entry, len(history.entries) + 1)

    def require_current(self, expected: ChampionEntry | None) -> None:
        """Refuse to go on with a decision on a champion that is not the current one any more.

        Raises:
            ChampionChangedError: the champion changed meanwhile.
        """
        self.require(self.current(), expected)

    def require(self, current: ChampionEntry | None, expected: ChampionEntry | None) -> None:
        """Refuse to go on with a decision on a champion that is not the one that was found now.

        Raises:
            ChampionChangedError: they differ.
        """
        if (current.number if current else 0) == (expected.number if expected else 0):
            return
        raise ChampionChangedError(
            "the champion has changed since the decision was made",
            where=f"registered model {self.registered_name}",
            found=f"version {current.version}" if current else "no champion",
            expected=f"version {expected.version}" if expected else "no champion yet",
            remedy="run again to compare the model with the current champion",
        )

    def history(self) -> ChampionHistory:
        """Return all entries, and what follows from them."""
        return ChampionHistory.of(self._read(number) for number in range(1, self._newest_number() + 1))

    def _put(self, entry: ChampionEntry, number: int) -> ChampionEntry | None:
        entry = entry.model_copy(update={"number": number})
        data = entry.model_dump_json(indent=1).encode()
        return entry if put_record(self._store, record_key(self._prefix, number), data) else None

    def _newest_number(self) -> int:
        return newest_number(self._store, self._prefix)

    def _change_up_to(self, newest: int) -> ChampionEntry | None:
        entries = (self._read(number) for number in range(newest, 0, -1))
        return next((entry for entry in entries if entry.changes_champion), None)

    def _read(self, number: int) -> ChampionEntry:
        return _entry(self._store, record_key(self._prefix, number))


def journals_in(store: ObjectStore) -> Iterator[ChampionJournal]:
    """Yield the journal of every registered model that has one."""
    prefixes = {item.key.rpartition("/")[0] for item in store.list_objects(f"{_ROOT}/") if item.key.endswith(".json")}
    for prefix in sorted(prefixes):
        first = _entry(store, record_key(f"{prefix}/", 1))
        yield ChampionJournal(store, first.registered_name)


def _entry(store: ObjectStore, key: str) -> ChampionEntry:
    remedy = "restore the object from a backup, or remove it and the entries after it"
    return intact_record(store, key, ChampionEntry, what="an entry of the champion journal", remedy=remedy)


def _champion(change: ChampionEntry | None) -> ChampionEntry | None:
    return change if change and change.names_champion else None
