"""A challenger that predicts in the shadow: off the requests' path, bounded, and only while no request waits.

Whatever happens to it, callers notice nothing: what it cannot keep up with is dropped and counted.
"""

import datetime as dt
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from serving.arms import Division, alone
from serving.batching import Job, Outcome, responses_to
from serving.logged_answers import LoggedRows
from serving.responses import AnsweredRows, PredictionResponse
from serving.versions import ServedVersion

_LOG = logging.getLogger("assay.serving")
_WAITING = 64
"""Most requests that wait; further ones are dropped."""
_TOGETHER = 8
"""Most requests that are predicted at once, so that one that arrives meanwhile waits no longer."""
_PAUSE = 0.001
_NICENESS = 10


class Counted(Protocol):
    """Counts rows of the shadow."""

    def shadowed(self, outcome: str, rows: int) -> None:
        """Count rows: `predicted`, `dropped` or `failed`."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job
    division: Division
    challenger: ServedVersion

    @property
    def rows(self) -> int:
        """Rows that are the challenger's."""
        return int(self.division.challenged.sum())

    @property
    def job_of_challenger(self) -> Job:
        """The request as the challenger alone answers it."""
        job = self.job
        return Job(alone(self.challenger), job.body, job.request_id, job.max_rows, job.max_bytes)


class Shadow:
    """Predicts requests again, with the challenger, in one thread.

    Args:
        predicted: takes the rows to log.
        idle: whether no request waits for its own prediction.
        counted: counts rows.
    """

    def __init__(self, predicted: Callable[[LoggedRows], object], idle: Callable[[], bool], counted: Counted) -> None:
        self._predicted, self._idle, self._counted = predicted, idle, counted
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin to predict."""
        self._thread.start()

    def stop(self) -> None:
        """Predict no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def offer(self, job: Job, answer: PredictionResponse, challenger: ServedVersion) -> None:
        """Queue a request that was answered, without waiting; dropped where too many wait."""
        offered = _Waiting(job, answer.division, challenger)
        if not offered.rows:
            return
        with self._changed:
            if len(self._waiting) >= _WAITING:
                self._counted.shadowed("dropped", offered.rows)
                return
            self._waiting.append(offered)
            self._changed.notify_all()

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # of this thread alone, on Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
            while not self._idle() and not self._stopping:
                time.sleep(_PAUSE)
            with self._changed:
                taken = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
            self._predict(taken)

    def _predict(self, taken: list[_Waiting]) -> None:
        uncounted = dict(enumerate(taken))
        try:
            for index, outcome in responses_to([each.job_of_challenger for each in taken]):
                self._counted.shadowed(self._log(taken[index], outcome), uncounted.pop(index).rows)
        except Exception as error:  # noqa: BLE001 - the shadow goes on
            _LOG.error("a defect of the shadow", exc_info=error)
            self._counted.shadowed("failed", sum(each.rows for each in uncounted.values()))

    def _log(self, each: _Waiting, outcome: Outcome) -> str:
        """Log a prediction; return what is counted."""
        if isinstance(outcome, Exception) or not outcome.parts:
            return "failed"
        part = _of_rows(outcome.parts[0], each.division)
        self._predicted(LoggedRows(each.job.request_id, dt.datetime.now(dt.UTC), part, each.division, shadow=True))
        return "predicted"


def _of_rows(part: AnsweredRows, division: Division) -> AnsweredRows:
    """Return the rows that belong to the challenger."""
    mask = division.challenged
    source = part.source.filter(pa.array(mask))
    return AnsweredRows(
        part.version, challenged=True, numbers=np.flatnonzero(mask), source=source, found=part.found.take(mask)
    )
