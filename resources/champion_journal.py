"""The champion journal of a registered model, in the artifact store: which version is champion, and how it became so.

Entries are appended and never changed. The newest one is the current champion; aliases of the registry follow it.
"""

from pydantic import ValidationError

from assay.errors import ChampionChangedError, StorageError
from assay.promotion.champion import ChampionEntry
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import fetched_record, newest_number, put_record, record_key

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

    def newest(self) -> ChampionEntry | None:
        """Return the newest entry; None before the first.

        Raises:
            StorageError: the store failed, or the entry is damaged.
        """
        number = newest_number(self._store, self._prefix)
        return self._read(number) if number else None

    def current(self) -> ChampionEntry | None:
        """Return the newest entry if it names a champion; None before the first, and after a withdrawal."""
        newest = self.newest()
        return newest if newest and newest.names_champion else None

    def append(self, entry: ChampionEntry, *, expected: ChampionEntry | None) -> ChampionEntry:
        """Append an entry if the newest one is the expected one: compare-and-set.

        Args:
            entry: its number is assigned here.
            expected: the newest entry on which this one was decided; None if there was no champion.

        Returns:
            The entry as stored.

        Raises:
            ChampionChangedError: another entry was appended meanwhile; nothing was stored.
            StorageError: the store failed; the entry is not there, or the store does not know.
        """
        before = expected or self._withdrawal()
        number = before.number + 1 if before else 1
        entry = entry.model_copy(update={"number": number})
        key = record_key(self._prefix, number)
        if not put_record(self._store, key, entry.model_dump_json(indent=1).encode()):
            raise self._changed(expected, self.current())
        return entry

    def require_current(self, expected: ChampionEntry | None) -> None:
        """Refuse to go on with a decision on a champion that is not the current one any more.

        Raises:
            ChampionChangedError: another entry was appended meanwhile.
        """
        current = self.current()
        if (current.number if current else 0) != (expected.number if expected else 0):
            raise self._changed(expected, current)

    def history(self) -> list[ChampionEntry]:
        """Return all entries, oldest first."""
        newest = newest_number(self._store, self._prefix)
        return [self._read(number) for number in range(1, newest + 1)]

    def _withdrawal(self) -> ChampionEntry | None:
        newest = self.newest()
        return None if newest is None or newest.names_champion else newest

    def _changed(self, expected: ChampionEntry | None, current: ChampionEntry | None) -> ChampionChangedError:
        return ChampionChangedError(
            "the champion has changed since the decision was made",
            where=f"registered model {self.registered_name}",
            found=f"version {current.version}" if current else "no champion",
            expected=f"version {expected.version}" if expected else "no champion yet",
            remedy="run again to compare the model with the current champion",
        )

    def _read(self, number: int) -> ChampionEntry:
        key = record_key(self._prefix, number)
        try:
            return fetched_record(self._store, key, ChampionEntry)
        except ValidationError as error:
            raise StorageError(
                "an entry of the champion journal is damaged",
                where=self._store.uri(key),
                found=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
                remedy="restore the object from a backup, or remove it and the entries after it",
            ) from error
