"""Which version of each object was seen: a list of pages by key, of which a scan reads and writes only a few.

Pages and lists are stored under names that are never written twice, so the name of a list identifies one immutable
state of the whole ledger. An interrupted scan leaves that state unchanged.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from pydantic import TypeAdapter

from assay.errors import StorageError
from assay.specs.base import Spec


class ListedObject(Protocol):
    """One object of a listing."""

    @property
    def uri(self) -> str:
        """Its full name."""

    @property
    def version(self) -> str:
        """Changes with its content."""


class StoredTexts(Protocol):
    """Storage of pages."""

    def read(self, name: str) -> str:
        """Return a text."""

    def write(self, text: str) -> str:
        """Store a text and return its new, unique name."""


class PageRef(Spec):
    """One page of the ledger: the keys after the previous page's last one, up to its own."""

    end: str
    """Its last key."""
    count: int
    digest: str
    """SHA-256 of its keys and listed versions."""
    name: str
    """Name of its text."""


class SeenVersion(NamedTuple):
    """What the ledger keeps of one object; stored as one text where all that is known is one version."""

    listed: str
    """Version of the last listing."""
    arrived: str
    """Version under which the object was last requested: of an object that was only touched, an earlier one."""
    content: str = ""
    """Digest of its bytes; empty where unknown."""


Accept: TypeAlias = Callable[[ListedObject, SeenVersion | None], SeenVersion | None]
"""What to record of an object whose version changed, given what was seen of it; None where it is not recorded yet."""
Found = TypeVar("Found", tuple[PageRef, ...], dict[str, SeenVersion])
_REFS = TypeAdapter(tuple[PageRef, ...])
_ENTRIES = TypeAdapter(dict[str, str | tuple[str, str, str]])


class Ledger:
    """Versions by key. Changes become visible when `stored` has returned and its name was passed on.

    Attributes:
        damaged: names of the texts that could not be read; their objects count as unseen.
        written: names of texts written since the ledger was opened; some may belong to no state.
    """

    def __init__(self, texts: StoredTexts, index: str | None, *, page_keys: int) -> None:
        """Open the state that `stored` named, None for an empty ledger, with at most so many keys in a page."""
        self._texts, self._index, self._page_keys = texts, index, page_keys
        self.damaged: list[str] = []
        self._refs = self._read_refs()
        self._before, self.written = self._refs, set[str]()

    def __len__(self) -> int:
        return sum(ref.count for ref in self._refs)

    @property
    def end(self) -> str | None:
        """The last key; None for an empty ledger."""
        return self._refs[-1].end if self._refs else None

    def version_of(self, uri: str) -> str | None:
        """Return the version seen of one object; None when it was not seen or was deleted."""
        ref = next((ref for ref in self._refs if uri <= ref.end), None)
        seen = self._entries(ref).get(uri) if ref else None
        return seen.arrived if seen else None

    def reconcile(
        self, objects: Sequence[ListedObject], accept: Accept, *, after: str | None, last: str | None
    ) -> None:
        """Update a range of keys to a listing; deleted objects are removed.

        Args:
            objects: all objects of the range, by key.
            accept: decides what is recorded of each new or rewritten object.
            after: the range begins after this key; None for the first.
            last: the range ends with this key; None for the last.
        """
        refs: list[PageRef] = []
        start, rest = None, list(objects)
        for ref in self._refs:
            mine = [item for item in rest if item.uri <= ref.end] if rest and rest[0].uri <= ref.end else []
            rest = rest[len(mine) :]
            touched = (after is None or ref.end > after) and (last is None or start is None or start < last)
            whole = (after is None or (start is not None and after <= start)) and (last is None or ref.end <= last)
            if not touched or (whole and _digest(_text({item.uri: item.version for item in mine})) == ref.digest):
                refs.append(ref)
            else:
                refs += self._changed(ref, mine, accept, lambda key: _within(key, after, last))
            start = ref.end
        self._refs = tuple(refs)
        self._append({item.uri: seen for item in rest if (seen := accept(item, None))})

    def stored(self) -> str | None:
        """Store the list of pages where it changed, and return its name; None for an empty ledger."""
        if self._refs != self._before:
            self._before = self._refs
            self._index = self._write(_REFS.dump_json(self._refs).decode()) if self._refs else None
        return self._index

    def names(self) -> set[str]:
        """Return the names of all texts of this state, once stored."""
        return {ref.name for ref in self._refs} | ({self._index} if self._index else set())

    def _changed(
        self, ref: PageRef, mine: Sequence[ListedObject], accept: Accept, inside: Callable[[str], bool]
    ) -> list[PageRef]:
        before = self._entries(ref)
        present = {item.uri for item in mine}
        entries = {key: version for key, version in before.items() if key in present or not inside(key)}
        changed = [item for item in mine if item.uri not in entries or entries[item.uri].listed != item.version]
        entries |= {item.uri: seen for item in changed if (seen := accept(item, entries.get(item.uri)))}
        if entries == before and ref.name not in self.damaged:
            return [ref]
        pieces = -(-len(entries) // self._page_keys)
        return self._pages(entries, -(-len(entries) // max(pieces, 1)))

    def _append(self, entries: dict[str, SeenVersion]) -> None:
        if not entries:
            return
        kept = self._refs
        last = kept[-1] if kept and kept[-1].count < self._page_keys else None
        # a damaged page is kept: it is read again when one of its objects changes
        if last is not None and (before := self._entries(last)):
            kept, entries = kept[:-1], before | entries
        self._refs = (*kept, *self._pages(entries, self._page_keys))

    def _pages(self, entries: Mapping[str, SeenVersion], size: int) -> list[PageRef]:
        keys = sorted(entries)
        parts = [keys[first : first + size] for first in range(0, len(keys), max(size, 1))]
        return [self._page({key: entries[key] for key in part}) for part in parts]

    def _page(self, entries: Mapping[str, SeenVersion]) -> PageRef:
        stored = {key: seen.listed if seen == (seen.listed, seen.listed, "") else seen for key, seen in entries.items()}
        return PageRef(
            end=max(entries), count=len(entries), digest=_digest(_listed(entries)), name=self._write(_text(stored))
        )

    def _read_refs(self) -> tuple[PageRef, ...]:
        """Return the pages of the state; none where its list is damaged, so that the ledger starts over."""
        if self._index is None:
            return ()
        try:
            return _require(_REFS.validate_json(self._read(self._index)))
        except ValueError:
            self.damaged.append(self._index)
            self._index = None
            return ()

    def _entries(self, ref: PageRef) -> dict[str, SeenVersion]:
        """Return a page; nothing where it is damaged, so that its objects are new again."""
        try:
            stored = _ENTRIES.validate_json(self._read(ref.name))
            pairs = {key: (each, each) if isinstance(each, str) else each for key, each in stored.items()}
            found = {key: SeenVersion(*each) for key, each in pairs.items()}
            return _require(found, is_whole=_digest(_listed(found)) == ref.digest)
        except ValueError:
            if ref.name not in self.damaged:
                self.damaged.append(ref.name)
            return {}

    def _read(self, name: str) -> str:
        """Return a text.

        Raises:
            ValueError: it is missing or no text, and a repetition would not help.
        """
        try:
            return self._texts.read(name)
        except StorageError as error:
            if error.transient:
                raise
            raise ValueError(name) from error

    def _write(self, text: str) -> str:
        name = self._texts.write(text)
        self.written.add(name)
        return name


def _require(found: Found, *, is_whole: bool = True) -> Found:
    if not found or not is_whole:  # neither a list nor a page is ever stored empty
        msg = "not what was stored"
        raise ValueError(msg)
    return found


def _listed(entries: Mapping[str, SeenVersion]) -> str:
    return _text({key: seen.listed for key, seen in entries.items()})


def _within(key: str, after: str | None, last: str | None) -> bool:
    return (after is None or key > after) and (last is None or key <= last)


def _text(entries: Mapping[str, object]) -> str:
    return json.dumps(entries, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
