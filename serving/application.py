"""The application: paths, keys, and every failure as an answer."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.errors import AssayError
from serving.admission import Admission, Limits
from serving.arms import Arms
from serving.batching import Job
from serving.champion_follower import ChampionFollower
from serving.documents import model_page, openapi_of
from serving.keys import HEADER, Keys
from serving.log_writer import LogWriter
from serving.logged_answers import LoggedRows
from serving.metrics import CONTENT_TYPE, Metrics
from serving.page import docs_page
from serving.recording import Recording
from serving.refusals import RequestError, described, status_of
from serving.request_bodies import Body
from serving.shadow import Shadow

_LOG = logging.getLogger("assay.serving")
REQUEST_ID = "x-request-id"
VERSION, ARM, LOGGED = "X-Model-Version", "X-Model-Arm", "X-Prediction-Log"
POLICY = "content-security-policy"
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_GONE = 499
"""What proxies log where the client left before the answer."""


def application(
    follower: ChampionFollower,
    limits: Limits,
    keys: Keys,
    metrics: Metrics | None = None,
    title: str = "Assay",
    writer: LogWriter[LoggedRows] | None = None,
) -> ASGIApp:
    """Return the application of one process.

    Args:
        follower: knows the version that answers; it begins to follow when the server starts.
        limits: of requests.
        keys: that requests show.
        metrics: of this process.
        title: for the documentation.
        writer: of the prediction log; None where nothing is logged.
    """
    counted, admission = metrics or Metrics(), Admission(limits)
    recording = recording_of(follower, admission, counted, writer)
    app = FastAPI(
        title=title, description="Predictions of the current champion.",
        lifespan=_lifespan(follower, admission, recording), docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    app.state.recording = recording
    _add_failures(app, counted)
    _add_probes(app, follower)
    _add_paths(app, follower, admission, recording, counted, keys)
    return Observed(app, counted)


def _lifespan(follower: ChampionFollower, admission: Admission, recording: Recording) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # before the first request, which another process may answer meanwhile
        await asyncio.to_thread(follower.evaluate)
        follower.start()
        recording.start()
        try:
            yield
        finally:
            follower.stop()
            admission.close()
            await asyncio.to_thread(recording.close)

    return lifespan


def recording_of(
    follower: ChampionFollower, admission: Admission, metrics: Metrics, writer: LogWriter[LoggedRows] | None
) -> Recording:
    """Return what records answers: the log, and the shadow where the challenger predicts in it."""
    if not follower.has_shadow:
        return Recording(metrics, writer)
    shadow = Shadow(writer.offer if writer is not None else lambda _: None, lambda: not admission.is_busy, metrics)
    return Recording(metrics, writer, shadow)


def _add_paths(
    app: FastAPI, follower: ChampionFollower, admission: Admission, recording: Recording, metrics: Metrics, keys: Keys
) -> None:
    """Add what requires a key."""

    async def known(request: Request) -> None:
        keys.require(request.headers.get(HEADER), request.headers.get("authorization"))

    async def job_of(request: Request, arms: Arms) -> Job:
        data, headers, limits = await admission.body_of(request), request.headers, admission.limits
        body = Body(data, headers.get("content-type", ""), headers.get("content-encoding", ""), request.url.query)
        return Job(arms, body, request.scope[REQUEST_ID], limits.rows, limits.bytes)

    @app.post("/predict", dependencies=[Depends(known)])
    async def predict(request: Request) -> Response:
        """Predict rows: records or columns in JSON, or an Arrow stream."""
        began, arms = time.perf_counter(), follower.arms()
        async with admission.slot():
            with metrics.in_progress.track_inprogress():
                job = await job_of(request, arms)
                answer = await admission.answer(job)
                logged = await recording.record(job, answer, began)
        headers = {VERSION: answer.version, ARM: answer.arm, LOGGED: logged}
        return Response(answer.data, media_type=answer.content_type, headers=headers)

    @app.get("/model", dependencies=[Depends(known)])
    async def model() -> dict[str, Any]:
        """Describe the model that answers: version, rows as JSON Schema, card."""
        return model_page(follower.arms()) | challenger_facts(follower)

    @app.get("/metrics", dependencies=[Depends(known)])
    def page_of_metrics() -> Response:
        """Give metrics in the format of Prometheus."""
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    @app.get("/openapi.json", dependencies=[Depends(known)], include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return openapi_of(app, follower.arms() if follower.current else None)


def _add_probes(app: FastAPI, follower: ChampionFollower) -> None:
    """Add what load balancers and browsers ask without a key; it says nothing of the model but its version."""

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        text, policy = docs_page()
        return HTMLResponse(text, headers={POLICY: policy})

    @app.get("/ready")
    async def ready() -> Response:
        """Say whether predictions are answered."""
        version, problem = follower.current, follower.problem
        facts = {
            "ready": version is not None,
            "version": version.entry.version if version else None,
            "warning": version.warning if version else "",
            "problem": problem.headline if problem else "",
            **challenger_facts(follower),
        }
        status = HTTPStatus.OK if version else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(facts, status)


def challenger_facts(follower: ChampionFollower) -> dict[str, Any]:
    """Return what is known of the challenger; nothing where none is wanted."""
    known = follower.challenger
    if known is None:
        return {}
    found = follower.challenging
    problem = known.problem.headline if known.problem else ""
    version = found.entry.version if found else None
    return {"challenger": {"version": version, "state": known.state, "problem": problem}}


def _add_failures(app: FastAPI, metrics: Metrics) -> None:
    """Make an answer of every failure, with the same fields."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, AssayError)  # noqa: S101 - registered for it alone
        metrics.refusals.labels(error.code).inc()
        headers = (
            {"Retry-After": str(error.retry_after)} if isinstance(error, RequestError) and error.retry_after else {}
        )
        if status_of(error) in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
            headers["Connection"] = "close"
        return JSONResponse(described(error, request.scope[REQUEST_ID]), status_of(error), headers)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        return await refused(request, RequestError(error.detail, status=error.status_code))

    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=_GONE)

    async def defect(request: Request, error: Exception) -> Response:
        _LOG.error("request %s failed unexpectedly: %s", request.scope[REQUEST_ID], type(error).__name__)
        wrong = RequestError("a defect of the endpoint; its log has the request's id", status=500)
        return JSONResponse(described(wrong, request.scope[REQUEST_ID]), wrong.status)

    app.add_exception_handler(AssayError, refused)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Exception, defect)


class Observed:
    """Gives each request an id, counts and times it, and adds headers for browsers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """PredictionResponse a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), HTTPStatus.INTERNAL_SERVER_ERROR.value
        scope[REQUEST_ID] = _request_id(scope)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_headers(message["headers"], scope[REQUEST_ID])
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            path = scope["path"] if scope["path"] in _PATHS else "other"
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began)


_PATHS = frozenset({"/predict", "/model", "/metrics", "/health", "/ready", "/openapi.json", "/docs"})
_FOR_BROWSERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (POLICY.encode(), b"default-src 'none'; frame-ancestors 'none'"),
]


def _with_headers(given: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    known = {name for name, _ in given}
    return [
        *given,
        (REQUEST_ID.encode(), request_id.encode()),
        *(each for each in _FOR_BROWSERS if each[0] not in known),
    ]


def _request_id(scope: Scope) -> str:
    """Return the id that the client gave, where it is plain, or a new one."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID.encode()), b"")
    text: str = given.decode("latin-1")
    return text if _PLAIN_ID.fullmatch(text) else uuid.uuid4().hex
