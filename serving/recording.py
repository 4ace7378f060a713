"""What follows from an answered request: rows of the log, a prediction in the shadow, counts."""

import asyncio
import datetime as dt
import time
from concurrent.futures import Future

from serving.batching import Job
from serving.log_writer import LogWriter
from serving.logged_answers import LoggedRows
from serving.metrics import Metrics
from serving.responses import PredictionResponse
from serving.shadow import Shadow

_ACKNOWLEDGED_SECONDS = 2.0
"""How long an answer waits for the disk, at most."""


class Recording:
    """Records the answers of one process.

    Args:
        metrics: of the process.
        writer: of the prediction log; None where nothing is logged.
        shadow: of the challenger; None without a challenger, or where it answers requests itself.
    """

    def __init__(
        self, metrics: Metrics, writer: LogWriter[LoggedRows] | None = None, shadow: Shadow | None = None
    ) -> None:
        self._metrics, self._writer, self._shadow = metrics, writer, shadow

    def start(self) -> None:
        """Begin to write and to predict."""
        if self._writer is not None:
            self._writer.start()
        if self._shadow is not None:
            self._shadow.start()

    def close(self) -> None:
        """Predict no more, and store what is left."""
        if self._shadow is not None:
            self._shadow.stop()
        if self._writer is not None:
            self._writer.close()

    async def record(self, job: Job, answer: PredictionResponse, began: float) -> str:
        """Record an answer before it is sent.

        Args:
            job: the request.
            answer: its predictions.
            began: when it came, by `time.perf_counter`.

        Returns:
            How surely it is logged: `durable` on this machine's disk, `buffered` in memory, `dropped`, or `off`.
        """
        self._count(answer)
        if self._shadow is not None and job.arms.challenger is not None:
            self._shadow.offer(job, answer, job.arms.challenger)
        if self._writer is None:
            return "off"
        latency, now = (time.perf_counter() - began) * 1000, dt.datetime.now(dt.UTC)
        offered = [
            self._writer.offer(LoggedRows(job.request_id, now, part, answer.division, latency)) for part in answer.parts
        ]
        if None in offered:
            return "dropped"
        if not self._writer.durable:
            return "buffered"
        return "durable" if await _all_on_disk([each for each in offered if each is not None]) else "buffered"

    def _count(self, answer: PredictionResponse) -> None:
        for part, version, arm in zip(answer.parts, answer.versions, answer.arms, strict=False):
            self._metrics.rows.labels(version).observe(len(part.numbers))
            self._metrics.arm_rows.labels(arm, version).inc(len(part.numbers))
        if answer.division.experiment:
            self._metrics.without_key.inc(answer.division.without_key)
        if answer.fell_back:
            self._metrics.fallbacks.inc(answer.fell_back)


async def _all_on_disk(offered: "list[Future[bool]]") -> bool:
    try:
        async with asyncio.timeout(_ACKNOWLEDGED_SECONDS):
            on_disk = [await asyncio.wrap_future(each) for each in offered]
    except TimeoutError:
        return False
    return all(on_disk)
