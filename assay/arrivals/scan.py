"""One scan of a source: finds new and rewritten objects at a cost that does not grow with the source.

A scan reads the keys after the last one seen, and the next page of a pass over the whole source, so that overwrites and
keys that sort earlier are found once per pass. A small source is read whole in every scan. Nothing counts as seen until
the returned state is stored: a scan that is repeated from the same state requests the same runs under the same keys.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from pydantic import TypeAdapter

from assay.arrivals.ledger import Ledger, ListedObject, SeenVersion, StoredTexts
from assay.arrivals.names import RunKey, partition_key_of
from assay.arrivals.state import SensorState
from assay.counting import counted
from assay.errors import SourceError, StorageError
from assay.specs.base import digest_of
from assay.specs.dataset import DatasetSpec

_MOST_SHOWN = 3
_Unsettled: TypeAlias = tuple[str, int, str | None]
"""Version of an object that may still be written, for how many scans it has stayed, and after which key its page is."""
_UNSETTLED = TypeAdapter(dict[str, _Unsettled])


class ListedPage(Protocol):
    """One page of a listing."""

    @property
    def objects(self) -> Sequence[ListedObject]:
        """Its objects, by key."""

    @property
    def last(self) -> str | None:
        """Its last key; None at the end of the listing."""

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Reasons by name of what cannot be an object."""


class Listing(Protocol):
    """A source, page by page."""

    def page(self, after: str | None, limit: int) -> ListedPage:
        """Return the page after a key, of about `limit` keys."""

    def name_of(self, uri: str) -> str:
        """Return an object's name below the source's folder."""

    def content_of(self, item: ListedObject) -> str:
        """Return the digest of an object's bytes; empty where it is not cheap."""


@dataclass(frozen=True, slots=True)
class ScanLimits:
    """Bounds of one scan.

    Attributes:
        requests: most runs to request.
        page: keys of one page of the listing.
        ledger_page: most keys of one page of the ledger.
        small: pages of a source that is read whole in every scan.
        first_scan: pages per scan of a first pass that requests no run.
        digest_seconds: time for digests of contents; the rest follows in the next scan.
    """

    requests: int = 50
    page: int = 1000
    ledger_page: int = 1000
    small: int = 4
    first_scan: int = 10
    digest_seconds: float = 20.0


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
        rejection_of: why a key can never be a partition; empty where it can.
        unchanged_scans: for how many scans an object must stay as it is; 0 where objects appear whole.
        limits: of one scan.
    """

    dataset: DatasetSpec
    skip_existing: bool = False
    has_partition: Callable[[str], bool] = lambda _: True
    rejection_of: Callable[[str], str] = lambda _: ""
    unchanged_scans: int = 0
    limits: ScanLimits = ScanLimits()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Result of a scan.

    Attributes:
        state: for the next scan; `replaced` names texts to remove once it is stored.
        arrivals: runs to request.
        objects: how many were seen so far.
        waiting: objects whose partition does not exist yet.
        unsettled: objects that may still be written.
        set_aside: reasons by name of what cannot arrive, and of what the ledger has lost.
    """

    state: SensorState
    arrivals: tuple[Arrival, ...]
    objects: int
    waiting: tuple[str, ...]
    unsettled: tuple[str, ...] = ()
    set_aside: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Summary for users."""
        if not self.state.scanned:
            seen, runs = counted(self.objects, "object"), counted(len(self.arrivals), "run")
            text = f"first scan: {seen} so far, {runs} requested"
        elif self.arrivals:
            text = f"{len(self.arrivals):,} of {counted(self.objects, 'object')} new"
        else:
            text = f"nothing new among {counted(self.objects, 'object')} of {self.state.source}"
        if self.waiting:
            waits = counted(len(self.waiting), "waits for its partition", "wait for their partitions")
            text += f"; {waits}, e.g. {_shown(self.waiting[0])}"
        if self.unsettled:
            waits = counted(len(self.unsettled), "waits until it stays unchanged", "wait until they stay unchanged")
            text += f"; {waits}, e.g. {_shown(self.unsettled[0])}"
        if self.set_aside:
            shown = [f"{_shown(name)}: {reason}" for name, reason in list(self.set_aside.items())[:_MOST_SHOWN]]
            text += f"; {len(self.set_aside)} set aside, e.g. {'; '.join(shown)}"
        return text


def _shown(name: str) -> str:
    """Return a name with escapes for marks that a terminal or log obeys, such as line feeds."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in name)


def scan_source(state: SensorState, listing: Listing, texts: StoredTexts, options: ScanOptions) -> ScanResult:
    """Find new and rewritten objects.

    Raises:
        SourceError: the source cannot be listed, or reports no versions.
        StorageError: the ledger cannot be read or written.
    """
    ledger = Ledger(texts, state.index, page_keys=options.limits.ledger_page)
    before = ledger.names()
    silent = options.skip_existing and not state.scanned
    recorder = _Recorder(options, listing, silent=silent, before=_unsettled_before(state, texts))
    position, ended = _read_pages(state, ledger, listing, recorder)
    _read_again(ledger, listing, recorder)
    gathered = digest_of(state.gathered, recorder.gathered) if recorder.gathered else state.gathered
    arrivals = list(recorder.arrivals)
    if gathered and (state.scanned or ended) and not recorder.unsettled:
        arrivals.append(Arrival(str(RunKey(gathered)), None))
        gathered = ""
    changes: dict[str, Any] = {
        "index": ledger.stored(),
        "replaced": (*sorted((before | ledger.written) - ledger.names()), *filter(None, [state.unsettled])),
        "position": position,
        "scanned": state.scanned or ended,
        "gathered": gathered,
        "scans": state.scans + 1,
        "unsettled": texts.write(json.dumps(recorder.unsettled)) if recorder.unsettled else None,
    }
    lost = dict.fromkeys(ledger.damaged, "a text of the ledger cannot be read; its objects count as new")
    return ScanResult(
        state.model_copy(update=changes),
        tuple(arrivals),
        len(ledger),
        tuple(recorder.waiting),
        tuple(recorder.unsettled),
        {**recorder.set_aside, **lost},
    )


def _unsettled_before(state: SensorState, texts: StoredTexts) -> dict[str, _Unsettled]:
    """Return versions of objects that may still be written, and for how many scans each has stayed."""
    if state.unsettled is None:
        return {}
    try:
        return _UNSETTLED.validate_json(texts.read(state.unsettled))
    except (StorageError, ValueError) as error:
        if isinstance(error, StorageError) and error.transient:
            raise
        return {}  # the objects wait one more scan


@dataclass(slots=True)
class _Recorder:
    """Decides which new objects the ledger records now, and collects the runs they need.

    Attributes:
        before: what `unsettled` was after the scan before.
        most: runs that may be requested so far.
        full: whether the rest of the page is left to the next scan.
        pages: after which keys pages were read.
        unsettled: objects that may still be written.
    """

    options: ScanOptions
    listing: Listing
    silent: bool
    before: Mapping[str, _Unsettled]
    most: int = 0
    full: bool = False
    digest_seconds: float = 0.0
    pages: list[str | None] = field(default_factory=list)
    unsettled: dict[str, _Unsettled] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    gathered: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @property
    def run_per_object(self) -> bool:
        """Whether each object needs a run of its own."""
        return not self.silent and self.options.dataset.partitions.by != "none"

    def __call__(self, item: ListedObject, seen: SeenVersion | None) -> SeenVersion | None:
        """Return what to record of a new or changed object; None where a later scan decides."""
        if not item.version:
            raise SourceError(
                "the source reports no versions, so new data cannot be detected",
                where=item.uri,
                expected="an ETag or a modification date",
                remedy="use automation.schedule instead of new_data",
            )
        if seen and item.version.startswith(f"{seen.listed}+"):
            return seen._replace(listed=item.version)  # a version of an earlier release had fewer parts
        if self.silent:
            return SeenVersion(item.version, item.version, self._content_of(item))
        partition_key = self._partition_key(item) if self.run_per_object else ""
        return None if partition_key is None else self._recorded(item, seen, partition_key)

    def _recorded(self, item: ListedObject, seen: SeenVersion | None, partition_key: str) -> SeenVersion | None:
        if not self._is_settled(item):
            return None
        too_many = self.run_per_object and self.most <= len(self.arrivals)
        if too_many or self.digest_seconds > self.options.limits.digest_seconds:
            self.full = True
            return None
        del self.unsettled[item.uri]
        content = self._content_of(item)
        if seen and content and seen.content == content:
            return seen._replace(listed=item.version)  # touched, or written again with the same bytes
        if self.run_per_object:
            key = RunKey(f"{item.uri}@{item.version}")
            self.arrivals.append(Arrival(str(key), partition_key, item.uri, item.version))
        else:
            self.gathered[item.uri] = item.version
        return SeenVersion(item.version, item.version, content)

    def _partition_key(self, item: ListedObject) -> str | None:
        """Return an object's partition; None where it has none, or none yet."""
        try:
            key = partition_key_of(item.uri, self.options.dataset, self.listing.name_of(item.uri))
        except SourceError as error:
            self.set_aside[item.uri] = error.what
            return None
        if reason := self.options.rejection_of(key):
            self.set_aside[item.uri] = reason
        elif self.options.has_partition(key):
            return key
        else:
            self.waiting.append(item.uri)
        return None

    def _is_settled(self, item: ListedObject) -> bool:
        """Whether an object has stayed as it is; it is remembered until it is recorded."""
        version, scans, _ = self.before.get(item.uri, ("", -1, None))
        scans = scans + 1 if version == item.version else 0
        self.unsettled[item.uri] = (item.version, scans, self.pages[-1])
        return scans >= self.options.unchanged_scans

    def _content_of(self, item: ListedObject) -> str:
        if self.digest_seconds > self.options.limits.digest_seconds:
            return ""
        start = time.monotonic()
        content = self.listing.content_of(item)
        self.digest_seconds += time.monotonic() - start
        return content


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


def _read_again(ledger: Ledger, listing: Listing, recorder: _Recorder) -> None:
    """Read the pages whose objects were still written in the scan before, a few in each scan."""
    recorder.most = recorder.options.limits.requests
    left = {uri: entry for uri, entry in recorder.before.items() if entry[2] not in recorder.pages}
    for after in list(dict.fromkeys(entry[2] for entry in left.values()))[: recorder.options.limits.small]:
        _reconcile(ledger, listing, recorder, after, 1)
    recorder.unsettled = {
        uri: entry for uri, entry in left.items() if entry[2] not in recorder.pages
    } | recorder.unsettled


def _reconcile(
    ledger: Ledger, listing: Listing, recorder: _Recorder, after: str | None, pages: int
) -> tuple[str | None, bool]:
    for _ in range(pages):
        page = listing.page(after, recorder.options.limits.page)
        recorder.pages.append(after)
        recorder.set_aside |= page.set_aside
        ledger.reconcile(page.objects, recorder, after=after, last=page.last)
        if recorder.full:
            return after, False  # the next scan reads the rest of this page
        if page.last is None:
            return None, True
        after = page.last
    return after, False
