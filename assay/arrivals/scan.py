"""One scan of a source: finds new and rewritten objects at a cost that does not grow with the source.

A scan reads the keys after the last one seen, and the next page of a pass over the whole source, so that overwrites and
keys that sort earlier are found once per pass. A small source is read whole in every scan. Nothing counts as seen until
the returned state is stored: a scan that is repeated from the same state requests the same runs under the same keys.
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
    """One page of a listing."""

    @property
    def objects(self) -> Sequence[ListedObject]:
        """Its objects, by key."""

    @property
    def last(self) -> str | None:
        """Its last key; None at the end of the listing."""


class Listing(Protocol):
    """A source, page by page."""

    def page(self, after: str | None, limit: int) -> ListedPage:
        """Return the page after a key, of about `limit` keys."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds of one scan.

    Attributes:
        requests: most runs to request.
        page: keys of one page of the listing.
        ledger_page: most keys of one page of the ledger.
        small: pages of a source that is read whole in every scan.
        first_scan: pages per scan of a first pass that requests no run.
    """

    requests: int = 50
    page: int = 1000
    ledger_page: int = 1000
    small: int = 4
    first_scan: int = 10


@dataclass(frozen=True, slots=True)
class Arrival:
    """Objects that one run should read.

    Attributes:
        run_key: identifies the objects in these versions, so that the run is requested once.
        partition_key: the partition they make; None without partitions.
        uri: the object; None where the run reads the whole source.
        version: of the object.
    """

    run_key: str
    partition_key: str | None
    uri: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to scan, and how.

    Attributes:
        dataset: whose source it is.
        skip_existing: whether objects found by the first pass make no runs.
        has_partition: whether a partition exists yet, so that its run can start.
        limits: of one scan.
    """

    dataset: DatasetSpec
    skip_existing: bool = False
    has_partition: Callable[[str], bool] = lambda _: True
    limits: ScanLimits = ScanLimits()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Result of a scan.

    Attributes:
        state: for the next scan; `replaced` names texts to remove once it is stored.
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
        """Summary for users."""
        if not self.state.scanned:
            text = f"first scan: {self.objects:,} objects so far, {len(self.arrivals)} runs requested"
        elif self.arrivals:
            text = f"{len(self.arrivals)} of {self.objects:,} objects are new"
        else:
            text = f"nothing new among {self.objects:,} objects of {self.state.source}"
        if self.waiting:
            text += f"; {len(self.waiting)} wait for their partition, e.g. {self.waiting[0]}"
        return text


def scan_source(state: SensorState, listing: Listing, texts: StoredTexts, options: ScanOptions) -> ScanResult:
    """Find new and rewritten objects.

    Args:
        state: as the last scan returned it.
        listing: the source.
        texts: storage of the ledger.
        options: what to scan, and how.

    Raises:
        SourceError: the source cannot be listed, or reports no versions.
        StorageError: the ledger cannot be read or written.
    """
    ledger = Ledger(texts, state.index, page_keys=options.limits.ledger_page)
    before = ledger.names()
    recorder = _Recorder(options, silent=options.skip_existing and not state.scanned)
    position, ended = _read_pages(state, ledger, listing, recorder)
    gathered = digest_of(state.gathered, recorder.gathered) if recorder.gathered else state.gathered
    arrivals = list(recorder.arrivals)
    if gathered and (state.scanned or ended):
        arrivals.append(Arrival(str(RunKey(gathered)), None))
        gathered = ""
    changes = {
        "index": ledger.stored(),
        "replaced": tuple(sorted((before | ledger.written) - ledger.names())),
        "position": position,
        "scanned": state.scanned or ended,
        "gathered": gathered,
        "scans": state.scans + 1,
    }
    return ScanResult(state.model_copy(update=changes), tuple(arrivals), len(ledger), tuple(recorder.waiting))


@dataclass(slots=True)
class _Recorder:
    """Decides which new objects the ledger records now, and collects the runs they need."""

    options: ScanOptions
    silent: bool
    most: int = 0
    full: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    gathered: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @property
    def run_per_object(self) -> bool:
        """Whether each object needs a run of its own."""
        return not self.silent and self.options.dataset.partitions.by != "none"

    def __call__(self, item: ListedObject) -> bool:
        if not item.version:
            raise SourceError(
                "the source reports no versions, so new data cannot be detected",
                where=item.uri,
                expected="an ETag or a modification date",
                remedy="use automation.schedule instead of new_data",
            )
        if self.silent:
            return True
        if not self.run_per_object:
            self.gathered[item.uri] = item.version
            return True
        return self._requested(item)

    def _requested(self, item: ListedObject) -> bool:
        partition_key = partition_key_of(item.uri, self.options.dataset)
        if not self.options.has_partition(partition_key):
            self.waiting.append(item.uri)
            return False
        if self.most <= len(self.arrivals):
            self.full = True
            return False
        key = RunKey(f"{item.uri}@{item.version}")
        self.arrivals.append(Arrival(str(key), partition_key, item.uri, item.version))
        return True


def _read_pages(state: SensorState, ledger: Ledger, listing: Listing, recorder: _Recorder) -> tuple[str | None, bool]:
    """Read the next pages of the pass over the whole source, then the page after the ledger's last key.

    Returns:
        Where the next scan continues, and whether the end was reached with everything before it recorded.
    """
    limits = recorder.options.limits
    if not (state.scanned or recorder.run_per_object):
        return _reconcile(ledger, listing, recorder, state.position, limits.first_scan)
    small = len(ledger) <= limits.small * limits.page
    recorder.most = limits.requests if small else limits.requests // 2
    position, ended = _reconcile(ledger, listing, recorder, state.position, limits.small if small else 1)
    recorder.most, recorder.full = limits.requests, False
    if ended or recorder.most == len(recorder.arrivals):
        return position, ended
    return position, _reconcile(ledger, listing, recorder, ledger.end, 1)[1]


def _reconcile(
    ledger: Ledger, listing: Listing, recorder: _Recorder, after: str | None, pages: int
) -> tuple[str | None, bool]:
    for _ in range(pages):
        page = listing.page(after, recorder.options.limits.page)
        ledger.reconcile(page.objects, recorder, after=after, last=page.last)
        if recorder.full:
            return after, False  # the next scan reads the rest of this page
        if page.last is None:
            return None, True
        after = page.last
    return after, False
