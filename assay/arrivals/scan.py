"""One look at a source: what is new or rewritten since the last one, at a cost that does not grow with the source.

A look goes through what sorts after the last key seen, and through the next stretch of the whole source, so that an
overwrite and a key that sorts before the last one are seen once the stretches have come round. A small source is gone
through at every look. Nothing is seen for good before the state that a look returns is stored: whoever looks again from
the same state asks for the same runs by the same keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assay.arrivals.ledger import Ledger, ListedObject, StoredTexts
from assay.arrivals.names import RunKey, partition_key_of
from assay.arrivals.state import SensorState
from assay.errors import SourceError
from assay.specs.base import digest_of
from assay.specs.dataset import DatasetSpec


class ListedPage(Protocol):
    """A stretch of a listing."""

    @property
    def objects(self) -> Sequence[ListedObject]:
        """All objects of the stretch, by key."""

    @property
    def last(self) -> str | None:
        """The stretch's last key; None where the listing ends."""


class Listing(Protocol):
    """A source, stretch by stretch."""

    def page(self, after: str | None, limit: int) -> ListedPage:
        """Return the stretch after a key, of about so many keys."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one look may do.

    Attributes:
        requests: most runs to ask for.
        stretch: keys of one stretch of a listing.
        page: most keys of one page of the ledger.
        whole: stretches of a source that counts as small.
        first_scan: stretches per look of a first scan that asks for no run.
    """

    requests: int = 50
    stretch: int = 1000
    page: int = 1000
    whole: int = 4
    first_scan: int = 10


@dataclass(frozen=True, slots=True)
class Arrival:
    """Objects that one run should read.

    Attributes:
        run_key: names these objects in these versions, so that a run is requested once.
        partition_key: the partition they make; None without partitions.
        uri: the object; None where the run reads the whole source.
        version: of the object.
    """

    run_key: str
    partition_key: str | None
    uri: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a look follows.

    Attributes:
        dataset: whose source it is.
        skip_existing: whether what the first scan finds makes no runs.
        has_partition: whether a run of this partition can be started now.
        limits: what it may do.
    """

    dataset: DatasetSpec
    skip_existing: bool = False
    has_partition: Callable[[str], bool] = lambda _: True
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Look:
    """What a look came to.

    Attributes:
        state: for the next look; `replaced` names texts that may be removed once it is stored.
        arrivals: runs to request.
        objects: how many were seen so far.
        waiting: objects whose partition does not exist yet.
    """

    state: SensorState
    arrivals: tuple[Arrival, ...]
    objects: int
    waiting: tuple[str, ...]

    @property
    def message(self) -> str:
        """What was seen, for people."""
        if self.state.scanned:
            told = f"{len(self.arrivals)} of {self.objects:,} objects are new" if self.arrivals else ""
            told = told or f"nothing new among {self.objects:,} objects of {self.state.source}"
        else:
            told = f"first scan: {self.objects:,} objects so far, {len(self.arrivals)} runs requested"
        if self.waiting:
            told += f"; {len(self.waiting)} wait for their partition, e.g. {self.waiting[0]}"
        return told


def look(state: SensorState, listing: Listing, texts: StoredTexts, rules: Circumstances) -> Look:
    """Find what is new or rewritten.

    Args:
        state: what the last look returned.
        listing: the source.
        texts: where the ledger is kept.
        rules: what to follow.

    Raises:
        SourceError: the source cannot be listed, or does not tell versions.
        StorageError: the ledger cannot be read or written.
    """
    ledger = Ledger(texts, state.index, page_keys=rules.limits.page)
    before = ledger.names()
    taking = _Taking(rules, silent=rules.skip_existing and not state.scanned)
    position, ended = _go_round(state, ledger, listing, taking)
    gathered = digest_of(state.gathered, taking.gathered) if taking.gathered else state.gathered
    arrivals = list(taking.arrivals)
    if gathered and (state.scanned or ended):
        arrivals.append(Arrival(str(RunKey(gathered)), None))
        gathered = ""
    changes = {
        "index": ledger.stored(),
        "replaced": tuple(sorted((before | ledger.written) - ledger.names())),
        "position": position,
        "scanned": state.scanned or ended,
        "gathered": gathered,
        "looks": state.looks + 1,
    }
    return Look(state.model_copy(update=changes), tuple(arrivals), len(ledger), tuple(taking.waiting))


@dataclass(slots=True)
class _Taking:
    """Decides which objects are recorded now, and collects what they ask for."""

    rules: Circumstances
    silent: bool
    room: int = 0
    cut: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    gathered: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @property
    def one_by_one(self) -> bool:
        """Whether each object asks for a run of its own."""
        return not self.silent and self.rules.dataset.partitions.by != "none"

    def __call__(self, item: ListedObject) -> bool:
        if not item.version:
            raise SourceError(
                "the source does not tell versions, so that new data cannot be told",
                where=item.uri,
                expected="an ETag or a date of the file",
                remedy="use automation.schedule in place of new_data",
            )
        if self.silent:
            return True
        if not self.one_by_one:
            self.gathered[item.uri] = item.version
            return True
        return self._requested(item)

    def _requested(self, item: ListedObject) -> bool:
        partition_key = partition_key_of(item.uri, self.rules.dataset)
        if not self.rules.has_partition(partition_key):
            self.waiting.append(item.uri)
            return False
        if self.room <= len(self.arrivals):
            self.cut = True
            return False
        key = RunKey(f"{item.uri}@{item.version}")
        self.arrivals.append(Arrival(str(key), partition_key, item.uri, item.version))
        return True


def _go_round(state: SensorState, ledger: Ledger, listing: Listing, taking: _Taking) -> tuple[str | None, bool]:
    """Go through the next stretches of the whole source, then through what sorts after the ledger's last key.

    Returns:
        Where to go on at the next look, and whether the end was reached with all before it recorded.
    """
    limits = taking.rules.limits
    if not (state.scanned or taking.one_by_one):
        return _go_through(ledger, listing, taking, state.position, limits.first_scan)
    small = len(ledger) <= limits.whole * limits.stretch
    taking.room = limits.requests if small else limits.requests // 2
    position, ended = _go_through(ledger, listing, taking, state.position, limits.whole if small else 1)
    taking.room, taking.cut = limits.requests, False
    if ended or taking.room == len(taking.arrivals):
        return position, ended
    return position, _go_through(ledger, listing, taking, ledger.end, 1)[1]


def _go_through(
    ledger: Ledger, listing: Listing, taking: _Taking, after: str | None, stretches: int
) -> tuple[str | None, bool]:
    for _ in range(stretches):
        page = listing.page(after, taking.rules.limits.stretch)
        ledger.reconcile(page.objects, taking, after=after, last=page.last)
        if taking.cut:
            return after, False  # the rest of this stretch is for the next look
        if page.last is None:
            return None, True
        after = page.last
    return after, False
