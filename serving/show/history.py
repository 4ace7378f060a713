"""A pipeline over time, read from the store when it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from assay.monitoring.drift import DriftReport
from assay.monitoring.performance import PerformanceReport
from assay.reporting.history_page import Model, PipelineHistory, WatchedWindow
from assay.reporting.model_report import ModelReport
from assay.specs.base import Spec
from resources.artifacts.store import ArtifactStore
from resources.champion_journal import ChampionJournal
from resources.report_pages import DRIFT_PAGES, MODEL_REPORT, VERSION, newest_pages, newest_reports, page_of, windows_of
from resources.report_site import ReportSite
from resources.store.commit_record import Commit
from resources.store.interface import ObjectStore

MOST_MODELS = 50
MOST_WINDOWS = 60
Value = TypeVar("Value", bound=Spec)


def history_of(store: ObjectStore, pipeline: str, site: ReportSite, home: str) -> PipelineHistory:
    """Return what the store knows of a pipeline over time: at most 50 models and 60 windows of each kind.

    Args:
        store: of one space.
        pipeline: its name.
        site: addresses of the pages.
        home: address of the pipeline's list.

    Raises:
        StorageError: the store failed, or something is damaged.
    """
    artifacts = ArtifactStore(store)
    commits = newest_pages(store, pipeline, MODEL_REPORT, 2 * MOST_MODELS)
    models = [
        Model(each.created_at, artifacts.read(each, ModelReport), site.page(each, page_of(each)))
        for each in reversed(newest_reports(commits)[:MOST_MODELS])
    ]
    name = models[-1].report.registered_name if models else pipeline
    versions = {str(each.properties[VERSION]): each for each in reversed(commits) if each.properties.get(VERSION)}
    return PipelineHistory(
        pipeline=pipeline,
        registered_name=name,
        entries=ChampionJournal(store, name).history().entries,
        models=tuple(models),
        windows=_windows(artifacts, pipeline, site),
        home=home,
        reports={version: site.page(each, page_of(each)) for version, each in versions.items()},
    )


def _windows(artifacts: ArtifactStore, pipeline: str, site: ReportSite) -> tuple[WatchedWindow, ...]:
    """Return the windows: partitions by their keys, or without partitions runs by their time."""
    pages = {
        (each.partition, each.run_id): each for each in windows_of(artifacts.store, pipeline, DRIFT_PAGES, MOST_WINDOWS)
    }

    def drift(window: WatchedWindow, commit: Commit) -> WatchedWindow:
        page = pages.get((commit.partition, commit.run_id))
        url = site.page(page, page_of(page)) if page is not None else ""
        return replace(window, drift=artifacts.read(commit, DriftReport), drift_url=url)

    def performance(window: WatchedWindow, commit: Commit) -> WatchedWindow:
        return replace(window, performance=artifacts.read(commit, PerformanceReport))

    def predicted(window: WatchedWindow, commit: Commit) -> WatchedWindow:
        return replace(window, predicted=_rows(commit))

    def answered(window: WatchedWindow, commit: Commit) -> WatchedWindow:
        return replace(window, answered=_rows(commit))

    kinds: Mapping[str, Callable[[WatchedWindow, Commit], WatchedWindow]] = {
        "performance_report": performance,
        "drift_report": drift,
        "batch_predictions": predicted,
        "prediction_log": answered,
    }
    found: dict[tuple[str | None, str], WatchedWindow] = {}
    order: dict[tuple[str | None, str], str] = {}
    for series, add in kinds.items():
        for commit in windows_of(artifacts.store, pipeline, series, MOST_WINDOWS):
            # without partitions, what one run makes is of one window
            key = (None, commit.run_id) if commit.partition is None else (commit.partition, "")
            name = f"{commit.created_at:%Y-%m-%d %H:%M}" if commit.partition is None else commit.partition
            order.setdefault(key, commit.created_at.isoformat() if commit.partition is None else commit.partition)
            found[key] = add(found.get(key, WatchedWindow(name)), commit)
    return tuple(found[key] for key in sorted(found, key=lambda key: order[key]))


def _rows(commit: Commit) -> int | None:
    return commit.fingerprint.rows if commit.fingerprint is not None else None
