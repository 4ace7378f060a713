"""What the store has of a pipeline, as rows of a list."""

import datetime as dt
from dataclasses import dataclass

from resources.report_pages import (
    DRIFT_PAGES,
    GATE_SERIES,
    MODEL_REPORT,
    VERSION,
    newest_pages,
    newest_reports,
    page_of,
)
from resources.report_site import CARD_PAGE, ReportSite
from resources.store.commit_record import Commit
from resources.store.interface import ObjectStore

MOST = 50
"""Of each series."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One stored page.

    Attributes:
        url: on this site.
        card: address of the model card; empty without one.
        partition: key; empty without partitions.
        verdict: in words.
        state: `passed`, `warned` or `rejected`.
        version: in the registry; empty where the model is not registered.
        family: of the model; empty for a page of the gate.
        of: the asset whose rows the gate judged.
        made: when it was published.
    """

    url: str
    partition: str
    verdict: str
    state: str
    made: dt.datetime
    card: str = ""
    version: str = ""
    family: str = ""
    of: str = ""


def reports_of(store: ObjectStore, pipeline: str, site: ReportSite, most: int = MOST) -> list[Listed]:
    """Return the newest reports of a pipeline's models; of one evaluation the newest, which has the decision."""
    return [_report(commit, site) for commit in newest_reports(newest_pages(store, pipeline, MODEL_REPORT, most))]


def _report(commit: Commit, site: ReportSite) -> Listed:
    facts = {name: str(value) for name, value in commit.properties.items()}
    has_card = any(item.name == CARD_PAGE for item in commit.objects)
    return Listed(
        url=site.page(commit, page_of(commit)),
        partition=commit.partition or "",
        verdict=facts.get("verdict", ""),
        state=facts.get("state", "warned"),
        made=commit.created_at,
        card=site.page(commit, CARD_PAGE) if has_card else "",
        version=facts.get(VERSION, ""),
        family=facts.get("family", ""),
    )


def drift_pages_of(store: ObjectStore, pipeline: str, site: ReportSite, most: int = MOST) -> list[Listed]:
    """Return the newest pages of windows, newest first."""
    return [
        Listed(
            url=site.page(commit, page_of(commit)),
            partition=commit.partition or "",
            verdict=str(commit.properties.get("verdict", "")),
            state=str(commit.properties.get("state", "warned")),
            made=commit.created_at,
        )
        for commit in newest_pages(store, pipeline, DRIFT_PAGES, most)
    ]


def gate_pages_of(store: ObjectStore, pipeline: str, site: ReportSite, most: int = MOST) -> list[Listed]:
    """Return the newest pages of the gate, newest first; a version of data has one where it is a refusal."""
    found = [each for series in GATE_SERIES for each in newest_pages(store, pipeline, series, most)]
    newest = sorted(found, key=lambda commit: commit.created_at, reverse=True)[:most]
    return [
        Listed(
            url=site.page(commit, page_of(commit)),
            partition=commit.partition or "",
            verdict="Rejected" if commit.status == "rejected" else "Passed",
            state="rejected" if commit.status == "rejected" else "passed",
            made=commit.created_at,
            of="raw rows" if commit.asset[-1].startswith("raw_") else "rows for training",
        )
        for commit in newest
    ]
