"""Pages for people beside stored versions, as `assay show` finds them."""

from collections.abc import Iterator

from resources.report_site import CARD_PAGE, DRIFT_PAGE, GATE_PAGE, REPORT_PAGE
from resources.store.commit_log import read_record
from resources.store.commit_record import Commit
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import is_record

MODEL_REPORT = "model_report"
"""Series of the reports of a pipeline's models."""
PAGES = {REPORT_PAGE: "text/html", CARD_PAGE: "text/plain", GATE_PAGE: "text/html", DRIFT_PAGE: "text/html"}
"""The files that are served, with their types; a card is Markdown and shown as its text."""
VERSION = "version"
"""Property of a report's commit: the version of its model in the registry; empty where it is not registered."""
DRIFT_PAGES = "drift_page"
"""Series of the pages of a pipeline's windows."""
GATE_SERIES = ("validated_dataset", "validation_report", "raw_dataset", "raw_validation_report")
"""The series that have pages of the gate; those of data hold them for refusals."""
SERIES = (MODEL_REPORT, DRIFT_PAGES, *GATE_SERIES)
"""The series that have pages."""
_MOST_REPORTS = 2_000


def newest_pages(store: ObjectStore, pipeline: str, series: str, most: int) -> list[Commit]:
    """Return the newest versions of a series that have a page, newest first.

    Args:
        store: of one space.
        pipeline: its name.
        series: one of `SERIES`.
        most: how many records are read.

    Raises:
        StorageError: the store failed, or a record is damaged.
    """
    records = sorted(_records(store, f"{encoded(pipeline)}/{encoded(series)}/"), reverse=True)
    commits = [read_record(store, key) for _, key in records[:most]]
    return [each for each in commits if page_of(each)]


def _records(store: ObjectStore, prefix: str) -> Iterator[tuple[float, str]]:
    """Yield time and key of every commit record below a prefix."""
    for item in store.list_objects(prefix):
        folder = item.key.rpartition("/")[0]
        if folder.endswith("/commits") and is_record(f"{folder}/", item.key):
            yield item.modified, item.key


def page_of(commit: Commit) -> str:
    """Return the file name of a version's HTML page; empty where it has none."""
    return next((item.name for item in commit.objects if PAGES.get(item.name) == "text/html"), "")


def report_of_version(store: ObjectStore, pipeline: str, version: str) -> Commit | None:
    """Return the newest report of a registered version; None where there is none.

    Raises:
        StorageError: the store failed, or a record is damaged.
    """
    reports = newest_pages(store, pipeline, MODEL_REPORT, _MOST_REPORTS)
    return next((each for each in reports if each.properties.get(VERSION) == version), None)
