"""Pages for people beside stored versions, as `assay show` finds them."""

from collections.abc import Iterable, Iterator

from resources.report_site import CARD_PAGE, DRIFT_PAGE, GATE_PAGE, REPORT_PAGE
from resources.store.commit_log import read_record
from resources.store.commit_record import Commit, commits_prefix
from resources.store.interface import ObjectStore, encoded
from resources.store.numbered_records import is_record

MODEL_REPORT = "model_report"
"""Series of the reports of a pipeline's models."""
PAGES = {REPORT_PAGE: "text/html", CARD_PAGE: "text/plain", GATE_PAGE: "text/html", DRIFT_PAGE: "text/html"}
"""The files that are served, with their types; a card is Markdown, which the site draws for browsers."""
VERSION = "version"
"""Property of a report's commit: the version of its model in the registry; empty where it is not registered."""
DRIFT_PAGES = "drift_page"
"""Series of the pages of a pipeline's windows."""
GATE_SERIES = ("validated_dataset", "validation_report", "raw_dataset", "raw_validation_report")
"""The series that have pages of the gate; those of data hold them for refusals."""
SERIES = (MODEL_REPORT, DRIFT_PAGES, *GATE_SERIES)
"""The series that have pages."""
EVALUATION = "evaluation"
"""Property of a report's commit: the digest of its evaluation."""
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


def newest_reports(commits: Iterable[Commit]) -> list[Commit]:
    """Return of each evaluation its newest report, which has the decision.

    Args:
        commits: of reports, newest first.
    """
    found: dict[object, Commit] = {}
    for commit in commits:
        found.setdefault((commit.partition, commit.properties.get(EVALUATION)), commit)
    return list(found.values())


def windows_of(store: ObjectStore, pipeline: str, series: str, most: int) -> list[Commit]:
    """Return the newest version of each partition, or all versions without partitions, oldest window first.

    Args:
        store: of one space.
        pipeline: its name.
        series: of one asset.
        most: how many windows, the newest.

    Raises:
        StorageError: the store failed, or a record is damaged.
    """
    folders: dict[str, list[str]] = {}
    for _, key in _records(store, f"{encoded(pipeline)}/{encoded(series)}/"):
        folders.setdefault(key.rpartition("/")[0], []).append(key)
    newest = [read_record(store, max(keys)) for keys in folders.values()]
    whole = [key for each in newest if each.partition is None for key in folders[_folder_of(each)]]
    versions = [read_record(store, key) for key in sorted(whole)[-most:]]
    found = [*versions, *(each for each in newest if each.partition is not None)]
    ordered = sorted((each for each in found if each.status == "published"), key=lambda each: each.partition or "")
    return ordered[-most:]


def _folder_of(commit: Commit) -> str:
    return commits_prefix(commit.asset, commit.partition).rstrip("/")


def page_of(commit: Commit) -> str:
    """Return the file name of a version's HTML page; empty where it has none."""
    return next((item.name for item in commit.objects if PAGES.get(item.name) == "text/html"), "")


def report_of_version(store: ObjectStore, pipeline: str, version: str) -> Commit | None:
    """Return the newest report of a registered version, or None.

    Raises:
        StorageError: the store failed, or a record is damaged.
    """
    reports = newest_pages(store, pipeline, MODEL_REPORT, _MOST_REPORTS)
    return next((each for each in reports if each.properties.get(VERSION) == version), None)
