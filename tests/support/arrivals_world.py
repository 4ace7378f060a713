"""A source and a store in memory that count requests and fail on demand."""

from bisect import bisect_right
from dataclasses import dataclass, field


class KilledError(Exception):
    """The process ends here."""


@dataclass(frozen=True)
class Item:
    uri: str
    version: str


@dataclass(frozen=True)
class ListedPage:
    objects: list
    last: str | None
    set_aside: dict = field(default_factory=dict)


@dataclass
class Source:
    """Objects by key; `noise` are keys that are listed but do not match."""

    objects: dict = field(default_factory=dict)
    noise: frozenset = frozenset()
    contents: dict = field(default_factory=dict)
    pages: int = 0
    described: int = 0
    sorted_keys: tuple = (None, [])

    def page(self, after, limit):
        self.pages += 1
        keys = self.keys()
        first = bisect_right(keys, after) if after is not None else 0
        page = keys[first : first + limit]
        items = [Item(key, self.objects[key]) for key in page if key in self.objects]
        self.described += len(items)
        return ListedPage(items, page[-1] if len(keys) > first + limit else None)

    def name_of(self, uri):
        return uri.rsplit("/", 1)[-1]

    def content_of(self, item):
        return self.contents.get(item.uri, "")

    def keys(self):
        """Return all keys in order; sorting them again for every page would take most of a test."""
        state = (len(self.objects), next(reversed(self.objects), None), self.noise)
        if self.sorted_keys[0] != state:
            self.sorted_keys = (state, sorted({*self.objects, *self.noise}))
        return self.sorted_keys[1]


@dataclass
class Texts:
    """Stored texts by name; the process ends at the operation that `fuse` counts down to."""

    kept: dict = field(default_factory=dict)
    made: int = 0
    writes: int = 0
    reads: int = 0
    bytes_read: int = 0
    fuse: int | None = None

    def read(self, name):
        self._burn()
        self.reads += 1
        self.bytes_read += len(self.kept[name])
        return self.kept[name]

    def write(self, text):
        self._burn()
        self.made += 1
        self.writes += 1
        self.kept[f"text-{self.made}"] = text
        self._burn()
        return f"text-{self.made}"

    def remove(self, names):
        for name in names:
            self._burn()
            self.kept.pop(name, None)

    def _burn(self):
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                raise KilledError
