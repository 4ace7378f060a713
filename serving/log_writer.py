"""The writer of the prediction log: a bounded buffer, this machine's disk if asked for, and objects of the store.

Requests only append to a queue. One thread makes rows of what is queued, and with `mode: durable` flushes them to disk
before it acknowledges them; another puts whole objects into the store and waits longer after each failure. An object
keeps its name however often it is tried, so that nothing is stored twice. Beyond the bound of the buffer rows are
dropped and counted; no request waits for the store.
"""

import datetime as dt
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from assay.errors import AssayError
from assay.serving.prediction_log import joined
from assay.specs.serving import PredictionLogSpec
from resources.prediction_log import LogObject
from serving.spool import SpoolFile, left_behind

_LOG = logging.getLogger("assay.serving")
_TOGETHER_SECONDS = 0.2
"""How long rows are gathered before they are made together, where no answer waits for them."""
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_RECOVERY_SECONDS = 10.0
_MAX_BYTES = 256_000_000


class Loggable(Protocol):
    """What a request leaves to be logged; its rows are made off the request's path."""

    @property
    def time(self) -> dt.datetime:
        """When it was predicted, in UTC."""

    @property
    def count(self) -> int:
        """Number of rows."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory, roughly."""


Made = TypeVar("Made", bound=Loggable)


class Counted(Protocol):
    """Counts what happens to rows of the log."""

    def logged(self, outcome: str, rows: int) -> None:
        """Count rows: `stored`, `dropped` or `failed`."""

    def waiting(self, rows: int) -> None:
        """Show how many rows wait for the store."""


@dataclass
class _Segment:
    """The rows of one object to be: in memory, or in a file of the spool."""

    made: LogObject
    file: SpoolFile | None
    began: float
    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    nbytes: int = 0

    def table(self) -> pa.Table:
        return joined([*self.file.tables()] if self.file is not None else self.tables)


class LogWriter(Generic[Made]):
    """Writes what one process predicts.

    Args:
        make: makes rows of the log of what requests leave.
        put: stores the rows of an object; returns whether it was not there before.
        limits: of the buffer and its objects.
        spool: folder of this machine's disk; used with `mode: durable`, and searched for what killed processes left.
        counted: counts rows.
    """

    def __init__(
        self,
        make: Callable[[Sequence[Made]], pa.Table],
        put: Callable[[LogObject, pa.Table], bool],
        limits: PredictionLogSpec,
        spool: Path,
        counted: Counted,
    ) -> None:
        self._make, self._put, self._limits, self._spool, self._counted = make, put, limits, spool, counted
        self._durable = limits.mode == "durable"
        self._process, self._number = uuid.uuid4().hex, 0
        self._changed = threading.Condition()
        self._queue: deque[tuple[Made, Future[bool]]] = deque()
        self._sealed: deque[_Segment] = deque()
        self._segment: _Segment | None = None
        self._rows = self._bytes = 0
        self._stopping, self._deadline = False, float("inf")
        self._dropping = self._failing = False
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for run, name in ((self._gather, "log rows"), (self._store, "log objects"))
        ]

    @property
    def durable(self) -> bool:
        """Whether an acknowledgement says that the rows are on disk."""
        return self._durable

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    def offer(self, made: Made) -> "Future[bool] | None":
        """Queue rows without waiting.

        Returns:
            What will be True once the rows are on disk, and False if they are in memory alone; None where they were
            dropped, as the buffer is full.
        """
        with self._changed:
            full = self._rows + made.count > self._limits.buffer_rows or self._bytes + made.nbytes > _MAX_BYTES
            if full or self._stopping:
                self._drop(made.count)
                return None
            self._dropping = self._dropping and 2 * self._rows > self._limits.buffer_rows
            self._rows += made.count
            self._bytes += made.nbytes
            acknowledged: Future[bool] = Future()
            self._queue.append((made, acknowledged))
            self._changed.notify_all()
        return acknowledged

    def close(self, seconds: float = 10.0) -> None:
        """Store what there is within some seconds; of the rest, what is on disk is stored by another process."""
        with self._changed:
            self._stopping, self._deadline = True, time.monotonic() + seconds
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._changed:
            lost = sum(each.rows for each in self._sealed if each.file is None)
            lost += sum(made.count for made, _ in self._queue)
            if lost:
                self._drop(lost)

    def _drop(self, rows: int) -> None:
        self._counted.logged("dropped", rows)
        if not self._dropping:
            _LOG.warning("rows of the prediction log are dropped and counted: the store does not take them")
        self._dropping = True

    def _gather(self) -> None:
        """Make rows of what is queued, until the writer stops."""
        while True:
            with self._changed:
                if not self._queue and not self._stopping:
                    self._changed.wait(self._seconds_left())
                if self._queue and not self._durable and not self._stopping:
                    self._changed.wait_for(lambda: self._stopping, _TOGETHER_SECONDS)
                taken, stopping = list(self._queue), self._stopping
                self._queue.clear()
            self._take(taken)
            self._counted.waiting(self._rows)
            if stopping or self._is_due():
                self._seal()
            if stopping and not self._queue:
                return

    def _seconds_left(self) -> float | None:
        if self._segment is None:
            return None
        return max(0.0, self._segment.began + self._limits.flush_seconds - time.monotonic())

    def _is_due(self) -> bool:
        segment = self._segment
        return segment is not None and (segment.rows >= self._limits.flush_rows or self._seconds_left() == 0.0)

    def _take(self, taken: list[tuple[Made, "Future[bool]"]]) -> None:
        """Add rows to the object of their hour."""
        by_hour: dict[dt.datetime, list[tuple[Made, Future[bool]]]] = {}
        for made, acknowledged in taken:
            hour = made.time.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
            by_hour.setdefault(hour, []).append((made, acknowledged))
        for hour, several in sorted(by_hour.items(), key=lambda each: each[0]):
            if self._segment is not None and self._segment.made.hour != hour:
                self._seal()
            self._add_of_hour(hour, several)

    def _add_of_hour(self, hour: dt.datetime, several: list[tuple[Made, "Future[bool]"]]) -> None:
        try:
            tables = {0: self._make([made for made, _ in several])}
            parts = [0] * len(several)
        except Exception as error:  # noqa: BLE001 - of some of them: each by itself
            _LOG.error("rows of the prediction log cannot be made", exc_info=error)
            parts = list(range(len(several)))
            tables = {
                number: rows for number, (made, _) in enumerate(several) if (rows := self._made(made)) is not None
            }
        nbytes = sum(made.nbytes for (made, _), part in zip(several, parts, strict=True) if part in tables)
        on_disk = bool(tables) and self._added(hour, joined([*tables.values()]), nbytes)
        for (_, acknowledged), part in zip(several, parts, strict=True):
            acknowledged.set_result(on_disk and part in tables)

    def _made(self, made: Made) -> pa.Table | None:
        try:
            return self._make([made])
        except Exception:  # noqa: BLE001 - a defect costs these rows, is logged before, and counted
            self._forget(made.count, made.nbytes, "failed")
            return None

    def _added(self, hour: dt.datetime, rows: pa.Table, nbytes: int) -> bool:
        """Add rows to the present object; return whether they are on disk."""
        segment = self._segment or self._new_segment(hour)
        if segment.file is not None:
            try:
                segment.file.append(rows)
            except OSError as error:
                _LOG.warning("the spool cannot be written, rows of the log are kept in memory: %s", error)
                self._seal()
                segment = self._new_segment(hour, in_memory=True)
        if segment.file is None:
            segment.tables.append(rows)
        segment.rows += rows.num_rows
        segment.nbytes += nbytes
        return segment.file is not None

    def _new_segment(self, hour: dt.datetime, *, in_memory: bool = False) -> _Segment:
        made, file = LogObject(hour, self._process, self._number), None
        self._number += 1
        if self._durable and not in_memory:
            try:
                file = SpoolFile.create(self._spool, made)
            except OSError as error:
                _LOG.warning("the spool cannot be written, rows of the log are kept in memory: %s", error)
        self._segment = _Segment(made, file, time.monotonic())
        return self._segment

    def _seal(self) -> None:
        with self._changed:
            if self._segment is not None:
                self._sealed.append(self._segment)
                self._segment = None
                self._changed.notify_all()

    def _store(self) -> None:
        """Store what is sealed and what killed processes left, until the writer stops."""
        wait, recovered_at = _FIRST_WAIT, 0.0
        while time.monotonic() < self._deadline:
            if time.monotonic() - recovered_at > _RECOVERY_SECONDS:
                recovered_at = time.monotonic()
                self._recover()
            with self._changed:
                if not self._sealed:
                    if self._stopping and not self._threads[0].is_alive():
                        return
                    self._changed.wait(min(_FIRST_WAIT, _RECOVERY_SECONDS))
                segment = self._sealed[0] if self._sealed else None
            if segment is None:
                continue
            if self._stored(segment):
                wait = _FIRST_WAIT
                continue
            time.sleep(min(wait, _FIRST_WAIT) if self._stopping else wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _stored(self, segment: _Segment) -> bool:
        """Store one object; return False where the store does not take it now."""
        outcome = "stored"
        try:
            self._put(segment.made, segment.table())
        except (AssayError, OSError) as error:
            self._note_failure(error)
            return False
        except Exception as error:  # noqa: BLE001 - another try would fail, too, and those behind it would wait
            _LOG.error("rows of the prediction log cannot be stored: %s", segment.made.name, exc_info=error)
            outcome = "failed"
        if outcome == "stored" and self._failing:
            _LOG.info("the prediction log is stored again")
            self._failing = False
        if segment.file is not None:
            segment.file.remove() if outcome == "stored" else segment.file.set_aside()
        with self._changed:
            self._sealed.popleft()
        self._forget(segment.rows, segment.nbytes, outcome)
        return True

    def _note_failure(self, error: Exception) -> None:
        if not self._failing:
            _LOG.warning("the prediction log cannot be stored, and is tried again: %s", error)
        self._failing = True

    def _recover(self) -> None:
        """Store the files of killed processes of this machine."""
        for file in left_behind(self._spool):
            try:
                rows = joined([*file.tables()])
                if rows.num_rows and self._put(file.made, rows):
                    _LOG.info("%s rows of the prediction log that another process left are stored", rows.num_rows)
                    self._counted.logged("stored", rows.num_rows)
                file.remove()
            except (AssayError, OSError) as error:  # tried again
                self._note_failure(error)
            except Exception as error:  # noqa: BLE001 - kept for people
                _LOG.error("a file of the spool cannot be stored: %s", file.path, exc_info=error)
                file.set_aside()
            finally:
                file.close()

    def _forget(self, rows: int, nbytes: int, outcome: str) -> None:
        self._counted.logged(outcome, rows)
        with self._changed:
            self._rows -= rows
            self._bytes -= nbytes
            self._counted.waiting(self._rows)
