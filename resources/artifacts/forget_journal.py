"""The journal of what was forgotten: numbered records in the artifact store, without what identifies the person.

A request is known by a digest of its expression, slow to compute and salted for each store. It shows whether a request
was carried out to who has its expression; who may read the store and guesses it can find it by trying.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable
from typing import Literal

from resources.store.commit_record import Record
from resources.store.interface import ObjectStore
from resources.store.numbered_records import intact_record, newest_number, put_record, record_key

_ROOT = "@forgotten/"
_SALT = "@forgotten/salt"
_ITERATIONS = 100_000


class LearnedModel(Record):
    """A stored model that has learned from rows that were forgotten."""

    model: str
    """Asset, partition and version."""
    registered: tuple[str, ...] = ()
    """Registered name and version of each journal entry with these files."""
    is_champion: bool = False
    """Whether it was a current champion at the time."""
    shows_rows: bool = False
    """Whether its input example holds one of the rows."""


class ForgetEntry(Record):
    """One entry: a request began to be carried out, or was."""

    format_version: Literal[1] = 1
    number: int = 0
    event: Literal["started", "finished"]
    request: str
    """Digest of expression and pipeline."""
    pipeline: str | None
    """Whose data; None for those of all pipelines."""
    columns: tuple[str, ...]
    """Columns that the expression names."""
    rows: dict[str, int] = {}
    """Rows that were found, by asset, partition and version."""
    removed: tuple[str, ...] = ()
    """What was removed as a whole: reports, tables without the columns, copies of refused files."""
    models: tuple[LearnedModel, ...] = ()
    runs: tuple[str, ...] = ()
    """Dagster runs that published the rows; their events may show some."""
    by: str = ""
    created_at: dt.datetime


class ForgetJournal:
    """Appends and reads entries.

    Attributes:
        store: the artifact store.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def digest(self, where: str, pipeline: str | None) -> str:
        """Return the digest by which a request is known in this store."""
        self.store.put_if_absent(_SALT, secrets.token_bytes(16))
        salt, text = self.store.get_bytes(_SALT), f"{pipeline or ''}\0{where.strip()}"
        return hashlib.pbkdf2_hmac("sha256", text.encode(), salt, _ITERATIONS).hex()

    def entries(self) -> list[ForgetEntry]:
        """Return all entries, oldest first.

        Raises:
            StorageError: the store failed, or an entry is damaged.
        """
        keys = [record_key(_ROOT, number) for number in range(1, newest_number(self.store, _ROOT) + 1)]
        what = "an entry of the journal of what was forgotten"
        remedy = "restore the object from a backup"
        return [intact_record(self.store, key, ForgetEntry, what=what, remedy=remedy) for key in keys]

    def append(self, entry: ForgetEntry) -> ForgetEntry:
        """Append an entry; its number is assigned here."""
        while True:
            number = newest_number(self.store, _ROOT) + 1
            entry = entry.model_copy(update={"number": number})
            if put_record(self.store, record_key(_ROOT, number), entry.model_dump_json(indent=1).encode()):
                return entry


def unfinished(entries: Iterable[ForgetEntry], request: str) -> list[ForgetEntry]:
    """Return the entries of a request since it was finished last; they say what a killed command has done."""
    mine: list[ForgetEntry] = []
    for entry in entries:
        if entry.request == request:
            mine = [] if entry.event == "finished" else [*mine, entry]
    return mine
