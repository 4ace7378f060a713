"""Admission of requests: a bounded number at once, bodies of bounded size and time, predictions in one thread.

Predictions hold Python's lock, so that more threads would only make each wait longer; further cores are further
processes. What has come while the thread was busy is handed to it together. What is beyond a bound is refused at once
and not queued.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request

from resources.settings import Settings
from serving.batching import Job, responses_to
from serving.refusals import RequestError, overloaded, too_large
from serving.responses import PredictionResponse

_DISCARDED = 2
"""Declared bodies up to so many times the bound are read before they are refused, and larger ones not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests.

    Attributes:
        bytes: largest body, compressed or not.
        rows: most rows.
        seconds: for the body to arrive, and again for the prediction.
        concurrency: requests at once.
    """

    bytes: int = 10_000_000
    rows: int = 10_000
    seconds: float = 10.0
    concurrency: int = 32

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the bounds that the deployment sets."""
        return cls(
            bytes=int(settings.serve_max_body_mb * 1e6),
            rows=settings.serve_max_rows,
            seconds=settings.serve_seconds,
            concurrency=settings.serve_concurrency,
        )


class Admission:
    """Admits requests of one process; used in one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.in_use = 0
        """Slots in use, of requests and of predictions that outlast theirs."""
        self._busy = 0
        self._lock = threading.Lock()
        self._waiting: list[tuple[Job, Future[PredictionResponse]]] = []
        self._predicting = ThreadPoolExecutor(1, thread_name_prefix="predict")

    @property
    def is_busy(self) -> bool:
        """Whether predictions wait or are made."""
        return self._busy > 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Take a slot for the length of a request.

        Raises:
            RequestError: all are in use.
        """
        if self.in_use >= self.limits.concurrency:
            raise overloaded("too many requests at once")
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1

    async def body_of(self, request: Request) -> bytes:
        """Read a request's body.

        Raises:
            RequestError: it is too large, or takes too long.
            ClientDisconnect: the client is gone.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and (length := int(declared[:20])) > self.limits.bytes:
            if length <= _DISCARDED * self.limits.bytes:
                await self._discard(request)
            raise too_large(self.limits.bytes)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > self.limits.bytes:
                        raise too_large(self.limits.bytes)
                    parts.append(part)
        except TimeoutError as error:
            raise RequestError(
                "the body takes too long to arrive",
                status=HTTPStatus.REQUEST_TIMEOUT,
                where="body",
                found=f"{size:,} bytes in {self.limits.seconds:g} s",
                remedy="send fewer rows in a request",
            ) from error
        return b"".join(parts)

    async def _discard(self, request: Request) -> None:
        """Read a body without keeping it: a client that still sends while the connection is closed sees no answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.seconds):
                async for _ in request.stream():
                    pass

    async def answer(self, job: Job) -> PredictionResponse:
        """Predict when those before it are done.

        Raises:
            RequestError: it takes too long; what has begun keeps a slot until it ends.
            AssayError: of the rows.
        """
        future: Future[PredictionResponse] = Future()
        with self._lock:
            self._waiting.append((job, future))
            self._busy += 1
        self._predicting.submit(self._work)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.limits.seconds)
        except TimeoutError as error:
            self._let_end(future)
            raise overloaded(f"the prediction takes longer than {self.limits.seconds:g} s") from error

    def _work(self) -> None:
        """Answer all that waits; those that have given up are left out."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        try:
            self._answer(waiting)
        finally:
            with self._lock:
                self._busy -= len(waiting)

    def _answer(self, waiting: "list[tuple[Job, Future[PredictionResponse]]]") -> None:
        begun = [(job, future) for job, future in waiting if future.set_running_or_notify_cancel()]
        for index, outcome in responses_to([job for job, _ in begun]):
            future = begun[index][1]
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def close(self) -> None:
        """Take no further work."""
        self._predicting.shutdown(wait=False, cancel_futures=True)

    def _let_end(self, future: "Future[PredictionResponse]") -> None:
        if future.done():
            return
        self.in_use += 1
        loop = asyncio.get_running_loop()

        def leave() -> None:
            self.in_use -= 1

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(leave))
