"""The application: an index, one list for each pipeline, and the stored pages themselves; nothing is ever written.

What a request names becomes a key of the store by the store's own encoding alone, and of a version only the files that
`PAGES` lists are given. Every answer has a policy by which a browser runs no script and loads nothing from elsewhere.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from assay.errors import ArtifactNotFoundError, AssayError
from assay.gate.profile_page.columns import readable
from assay.html_pages import rendered
from assay.reporting.history_page import to_html
from resources.report_pages import PAGES, SERIES, page_of, report_of_version
from resources.report_site import CARD_PAGE, ReportSite
from resources.store.commit_log import CommitLog, CommitReader
from resources.store.interface import ObjectStore
from resources.store.numbered_records import LAST_NUMBER
from serving.show.cards import drawn
from serving.show.history import history_of
from serving.show.listing import drift_pages_of, gate_pages_of, reports_of

_LOG = logging.getLogger("assay.serving")
_LONGEST = 1_000
"""Of a name in a request."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_READ = ["GET", "HEAD"]


def application(
    store_of: Callable[[str], ObjectStore], pipelines: Sequence[str], space: str = "", hosts: Sequence[str] = ("*",)
) -> ASGIApp:
    """Return the application.

    Args:
        store_of: opens the store of a space by its name.
        pipelines: that the index lists.
        space: that is shown unless a request names one.
        hosts: names by which requests may ask, so that no page of another site reads this one by its own name.
    """
    app = FastAPI(title="Reports", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    _add_headers(app)
    _add_failures(app)
    _add_lists(app, store_of, pipelines, space)
    _add_histories(app, store_of, pipelines, space)
    _add_pages(app, store_of, space)
    return app


def _add_lists(app: FastAPI, store_of: Callable[[str], ObjectStore], pipelines: Sequence[str], default: str) -> None:
    @app.api_route("/", methods=_READ)
    def index(space: str = default) -> Response:
        store, site = store_of(_known(space)), ReportSite("", space)
        rows = [
            (
                name,
                _address(name, space),
                site.history(name),
                reports_of(store, name, site, 1),
                drift_pages_of(store, name, site, 1),
                gate_pages_of(store, name, site, 1),
            )
            for name in pipelines
        ]
        return _page("index.html.j2", title="Reports", rows=rows, space=space)

    @app.api_route("/favicon.ico", methods=_READ)
    def icon() -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @app.api_route("/{pipeline}", methods=_READ)
    def pipeline_page(pipeline: str, space: str = default) -> Response:
        store, site = store_of(_known(space)), ReportSite("", space)
        reports = reports_of(store, _known(pipeline), site)
        gate = gate_pages_of(store, pipeline, site)
        if not (reports or gate or pipeline in pipelines):
            raise HTTPException(HTTPStatus.NOT_FOUND, "nothing is stored of a pipeline of this name")
        home = f"/?{urlencode({'space': space})}" if space else "/"
        drift = drift_pages_of(store, pipeline, site)
        given = {"reports": reports, "gate": gate, "drift": drift, "history": site.history(pipeline)}
        return _page("pipeline.html.j2", title=pipeline, home=home, space=space, **given)


def _add_histories(
    app: FastAPI, store_of: Callable[[str], ObjectStore], pipelines: Sequence[str], default: str
) -> None:
    @app.api_route("/{pipeline}/history", methods=_READ)
    def history(pipeline: str, space: str = default) -> Response:
        store, site = store_of(_known(space)), ReportSite("", space)
        found = history_of(store, _known(pipeline), site, _address(pipeline, space))
        if not (found.entries or found.models or found.windows or pipeline in pipelines):
            raise HTTPException(HTTPStatus.NOT_FOUND, "nothing is stored of a pipeline of this name")
        return HTMLResponse(to_html(found))


def _add_pages(app: FastAPI, store_of: Callable[[str], ObjectStore], default: str) -> None:
    @app.api_route("/{pipeline}/versions/{version}", methods=_READ)
    def report_of(pipeline: str, version: str, space: str = default) -> Response:
        commit = report_of_version(store_of(_known(space)), _known(pipeline), version)
        if commit is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no report of this version")
        return RedirectResponse(ReportSite("", space).page(commit, page_of(commit)), HTTPStatus.SEE_OTHER)

    @app.api_route("/{pipeline}/{series}/{number}/{name}", methods=_READ)
    def stored(
        request: Request,
        pipeline: str,
        series: str,
        number: str,
        name: str,
        partition: str | None = None,
        space: str = default,
    ) -> Response:
        is_number = number.isascii() and number.isdecimal() and 0 < int(number[:_LONGEST]) <= LAST_NUMBER
        if series not in SERIES or name not in PAGES or not is_number:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such page")
        store, asset = store_of(_known(space)), (_known(pipeline), series)
        commit = CommitLog(store).read(asset, None if partition is None else _known(partition), int(number))
        if name not in {item.name for item in commit.objects}:
            raise HTTPException(HTTPStatus.NOT_FOUND, "this version has no such page")
        text = CommitReader(store, commit).verified_bytes(name)
        if name == CARD_PAGE and "text/html" in request.headers.get("accept", ""):
            return _page("card.html.j2", title=f"Model card of {pipeline}", card=drawn(text.decode()))
        return Response(text, media_type=f"{PAGES[name]}; charset=utf-8")


def _known(name: str) -> str:
    """Return a name that can be part of a key."""
    if len(name) > _LONGEST:
        raise HTTPException(HTTPStatus.NOT_FOUND, "the name is too long")
    return name


def _address(pipeline: str, space: str) -> str:
    return f"/{quote(pipeline, safe='')}" + (f"?{urlencode({'space': space})}" if space else "")


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def with_headers(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await call(request)
        answer.headers.update(HEADERS)
        return answer


def _add_failures(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        return _message(error.status_code, str(error.detail))

    @app.exception_handler(ArtifactNotFoundError)
    def missing(_: Request, _error: ArtifactNotFoundError) -> Response:
        return _message(HTTPStatus.NOT_FOUND, "it is not stored: it never was, or its files were removed")

    @app.exception_handler(AssayError)
    def failed(_: Request, error: AssayError) -> Response:
        _LOG.error("a page cannot be shown: %s", error)
        return _message(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.what}; the log of assay show says more")


def _message(status: int, text: str) -> Response:
    page = _page("message.html.j2", title=HTTPStatus(status).phrase, text=text)
    page.status_code = int(status)
    return page


def _page(template: str, **values: Any) -> Response:
    return HTMLResponse(rendered("serving.show", template, {"readable": readable}, css=_css(), **values))


@cache
def _css() -> str:
    """Return the style of the reports, which these lists share."""
    return (files("assay.reporting") / "templates" / "report.css").read_text(encoding="utf-8")
