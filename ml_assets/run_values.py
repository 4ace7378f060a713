"""What one run, or the newest ones, made of a pipeline's partition: its stored values, as a table with addresses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from assay.counting import counted
from assay.gate.report import GateReport
from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.shell.summary import (
    Fact,
    Summary,
    decision_facts,
    failure_facts,
    gate_facts,
    metric_rows,
    missing_facts,
    rows_note,
    search_facts,
)
from resources.artifacts.codecs import annotations_of
from resources.artifacts.store import ArtifactStore
from resources.mlflow.pages import run_page, version_page
from resources.report_pages import MODEL_REPORT
from resources.report_site import GATE_PAGE, REPORT_PAGE, ReportSite
from resources.settings import Settings
from resources.store.commit_log import CommitReader
from resources.store.commit_record import Commit

Value = TypeVar("Value")
_JUDGED = ("raw_dataset", "validated_dataset")


@dataclass(frozen=True, slots=True)
class RunValues:
    """What one run has published of one partition of a pipeline.

    Attributes:
        artifacts: of the run's space.
        run_id: Dagster's id; None for the newest of any run.
        pipeline: its name.
        partition: its key; None without partitions.
        assets: the assets that the run has made or judged.
    """

    artifacts: ArtifactStore
    run_id: str | None
    pipeline: str
    partition: str | None
    assets: set[str]

    def commit(self, asset: str) -> Commit | None:
        """Return the newest commit of an asset; None where the run made none."""
        return self.commit_beside(asset) if asset in self.assets else None

    def commit_beside(self, series: str) -> Commit | None:
        """Return the newest version of what is stored beside the assets; None where the run made none."""
        commit = self.artifacts.log.newest((self.pipeline, series), self.partition)
        return commit if commit is not None and self.run_id in {None, commit.run_id} else None

    def value(self, asset: str, kind: type[Value]) -> Value | None:
        """Return the value that the run published; None where it published none."""
        commit = self._published(asset)
        return self.artifacts.read(commit, kind) if commit is not None else None

    def annotations(self) -> dict[str, str]:
        """Return the annotations of the model that the run published; none without one. Loads no model."""
        commit = self._published("trained_model")
        return annotations_of(CommitReader(self.artifacts.store, commit)) if commit is not None else {}

    def _published(self, asset: str) -> Commit | None:
        commit = self.commit(asset)
        return commit if commit is not None and commit.status == "published" else None

    def gate_facts(self) -> Iterator[Fact]:
        """Yield what the gate decided in this run, of the source's rows where these were refused, and why."""
        for asset in _JUDGED:
            commit = self.commit(asset)
            if commit is None or commit.receipt is None:
                continue
            yield from gate_facts(commit.receipt)
            if commit.status == "rejected":
                yield from failure_facts(self.artifacts.read(commit, GateReport))

    def gate_page(self) -> Commit | None:
        """Return the commit with the page of the gate's verdict in this run: the refusal, or the report of a pass."""
        refused = next((each for name in _JUDGED if (each := self.commit(name)) and each.status == "rejected"), None)
        judged = refused is None and "validated_dataset" in self.assets
        return self.commit_beside("validation_report") if judged else refused

    def rows(self) -> Iterator[Fact]:
        """Yield the number of rows of the tables that the run published."""
        for asset in ("raw_dataset", "feature_set", "batch_predictions"):
            commit = self.commit(asset)
            if commit is not None and commit.fingerprint is not None:
                yield Fact(asset.replace("_", " "), counted(commit.fingerprint.rows, "row"))


def summary_of(made: RunValues, settings: Settings, space: str) -> Summary:
    """Return the table of what a run has made of one partition."""
    best = made.value("best_hyperparameters", BestHyperparameters)
    report = made.value("evaluation_report", EvaluationReport)
    record = made.value("champion_model", ChampionRecord)
    outside = record.against_production if record is not None else None
    decision = outside or (record.decision if record is not None else None)
    facts = [*made.rows(), *made.gate_facts()]
    facts += search_facts(best) if best is not None else ()
    facts += missing_facts(report) if report is not None else ()
    facts += decision_facts(record) if record is not None else ()
    title = " ".join(filter(None, (made.pipeline, made.partition, f"(space {space})" if space else "")))
    return Summary(
        title,
        facts=tuple(facts),
        metrics=metric_rows(report, decision) if report is not None else (),
        champion="production" if outside is not None else "champion",
        rows_note=rows_note(report, decision) if report is not None else "",
        addresses=(*addresses(made, record, settings), *pages(made, ReportSite(settings.reports_address, space))),
    )


def run_address(run_id: str, settings: Settings) -> Fact:
    """Return the address of a run's page."""
    return Fact("run", f"{settings.ui_address}/runs/{run_id}")


def addresses(made: RunValues, record: ChampionRecord | None, settings: Settings) -> Iterator[Fact]:
    """Yield pages of Dagster: the run, and the evaluation; and of MLflow: the run, and the registered champion."""
    dagster = settings.ui_address
    if made.run_id is not None:
        yield run_address(made.run_id, settings)
    if made.commit("evaluation_report") is not None:
        query = f"?partition={quote(made.partition, safe='')}" if made.partition else ""
        yield Fact("evaluation", f"{dagster}/assets/{made.pipeline}/evaluation_report{query}")
    if "mlflow_run_id" in (tracked := made.annotations()):
        yield Fact("MLflow run", run_page(settings.mlflow_address, tracked))
    if record is not None and record.version is not None:
        yield Fact("champion's page", version_page(settings.mlflow_address, record.registered_name, record.version))


def pages(made: RunValues, site: ReportSite) -> Iterator[Fact]:
    """Yield the addresses of the pages that `assay show` serves: the model's report, and the gate's page."""
    if "evaluation_report" in made.assets and (report := made.commit_beside(MODEL_REPORT)) is not None:
        yield Fact("report", site.page(report, REPORT_PAGE))
    if (judged := made.gate_page()) is not None:
        yield Fact("gate's page", site.page(judged, GATE_PAGE))
