"""What a champion journal says as a whole: the champion at any time, where a roll-back goes, what waits."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assay.promotion.champion import ChampionEntry


@dataclass(frozen=True, slots=True)
class ChampionHistory:
    """The entries of one journal, oldest first, and what follows from them.

    Attributes:
        entries: all of them.
        line: versions that were champion, oldest first, without those that a roll-back went past; the current champion
            is the last one.
        taken_back: by the digest of its files, the entry that took a model back or rejected it. Such a model is not
            promoted again unless a person asks.
        waiting: by version, the entry that asks for a person's approval.
    """

    entries: tuple[ChampionEntry, ...]
    line: tuple[str, ...]
    taken_back: Mapping[str, ChampionEntry]
    waiting: Mapping[str, ChampionEntry]

    @classmethod
    def of(cls, entries: Iterable[ChampionEntry]) -> "ChampionHistory":
        """Return the history of a journal's entries, oldest first."""
        fold = _Fold()
        for entry in entries:
            fold.add(entry)
        return cls(
            tuple(fold.entries), tuple(fold.line), MappingProxyType(fold.taken_back), MappingProxyType(fold.waiting)
        )

    @property
    def champion(self) -> ChampionEntry | None:
        """The entry that names the current champion; None without one."""
        return self._champion_of(self.entries)

    def champion_at(self, moment: dt.datetime) -> ChampionEntry | None:
        """Return the entry that named the champion at a time; None where there was none."""
        return self._champion_of([entry for entry in self.entries if entry.created_at <= moment])

    @property
    def former(self) -> str | None:
        """The version that a roll-back without a version goes to, or None."""
        earlier = self.line[:-1] if self.champion else self.line
        return earlier[-1] if earlier else None

    def later_than(self, version: str) -> tuple[str, ...]:
        """Return the champions that a roll-back to a version takes back; the current one if it never was champion."""
        if version in self.line:
            return self.line[self.line.index(version) + 1 :]
        return (self.champion.version,) if self.champion else ()

    def entry_of(self, version: str) -> ChampionEntry | None:
        """Return the newest entry about a version, or None."""
        return next((entry for entry in reversed(self.entries) if entry.version == version), None)

    def version_of(self, digest: str) -> str | None:
        """Return the newest version of a model, by the digest of its files."""
        return next((entry.version for entry in reversed(self.entries) if entry.digest == digest), None)

    def took_back(self, digest: str) -> ChampionEntry | None:
        """Return the entry by which a model is not to be promoted again; None where it may be."""
        return self.taken_back.get(digest)

    @staticmethod
    def _champion_of(entries: Iterable[ChampionEntry]) -> ChampionEntry | None:
        newest = next((entry for entry in reversed(tuple(entries)) if entry.changes_champion), None)
        return newest if newest and newest.names_champion else None


class _Fold:
    """Goes through a journal's entries once."""

    def __init__(self) -> None:
        self.entries: list[ChampionEntry] = []
        self.line: list[str] = []
        self.taken_back: dict[str, ChampionEntry] = {}
        self.waiting: dict[str, ChampionEntry] = {}
        self._digests: dict[str, str] = {}

    def add(self, entry: ChampionEntry) -> None:
        self.entries.append(entry)
        self._digests[entry.version] = entry.digest or self._digests.get(entry.version, "")
        if entry.event == "awaiting_approval":
            self.waiting[entry.version] = entry
        else:
            self.waiting.pop(entry.version, None)
        for version in self._taken_back_by(entry):
            if digest := self._digests.get(version):
                self.taken_back[digest] = entry
        if entry.names_champion:
            self._crown(entry)

    def _taken_back_by(self, entry: ChampionEntry) -> tuple[str, ...]:
        if entry.taken_back is not None:
            return entry.taken_back
        # earlier entries do not say it
        return (entry.replaced,) if entry.event == "rolled_back" and entry.replaced else ()

    def _crown(self, entry: ChampionEntry) -> None:
        version = entry.version
        if entry.event == "rolled_back" and version in self.line:
            self.line = self.line[: self.line.index(version) + 1]
        else:
            self.line = [*(each for each in self.line if each != version), version]
        self.taken_back.pop(entry.digest or self._digests.get(version, ""), None)
