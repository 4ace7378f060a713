"""The end of a run of the command line: a table of what was made, and of a failed run its typed error, last.

Made from what the run's commits hold. Printed when the process ends, after Dagster's own last lines.
"""

import atexit
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import dagster as dg

from assay.counting import counted
from assay.errors import EmptySelectionError
from assay.markdown import one_line
from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from assay.results.search_result import BestHyperparameters
from assay.shell.summary import (
    Fact,
    Summary,
    decision_facts,
    gate_facts,
    metric_rows,
    missing_facts,
    rows_note,
    search_facts,
)
from assay.shell.terminal import show
from assay.specs.overrides import space_of_run
from ml_assets.dagster_internals import (
    StoredError,
    error_of,
    executor_watched,
    failed_check,
    is_run_of_command_line,
    passed_check,
    pipelines_of,
    seconds_of,
    selection_without_assets,
    starter_of,
    touched_asset,
)
from ml_assets.step_errors import error_chain, error_text, root_error
from resources.artifacts.codecs import mlflow_run_of
from resources.artifacts.store import ArtifactStore
from resources.mlflow.pages import run_page, version_page
from resources.object_store import parameters_of
from resources.settings import Settings
from resources.store.commit_log import CommitReader
from resources.store.commit_record import Commit
from resources.stores import object_store_of, s3_of

Value = TypeVar("Value")
_MOST_TABLES = 3
STARTED_BY = "started_by"
"""Tag of a run: what started it."""
_MOST_CHECKS = 6
_LONGEST = 500


@dataclass
class Observed:
    """What the events of a run say.

    Attributes:
        assets: names of the assets of each pipeline's partition.
        failures: step and error.
        checks: failed checks of each step that block, in words.
    """

    assets: dict[tuple[str, str | None], set[str]] = field(default_factory=dict)
    failures: list[tuple[str, StoredError]] = field(default_factory=list)
    checks: dict[str, list[str]] = field(default_factory=dict)

    def note(self, event: dg.DagsterEvent) -> None:
        """Take one event into account."""
        touched, error, check = touched_asset(event), error_of(event), failed_check(event)
        if touched is not None and len(touched[0].path) > 1:
            pipeline, name = touched[0].path[0], touched[0].path[-1]
            self.assets.setdefault((pipeline, touched[1]), set()).add(name)
        if check is not None:
            found = f"{check.check_name}: {one_line(check.description or 'failed')}"
            self.checks.setdefault(event.step_key or "", []).append(found)
        if error is not None and event.is_step_failure:
            self.failures.append((event.step_key or "", error))


def summarised_executor(definition: dg.ExecutorDefinition, settings: Settings) -> dg.ExecutorDefinition:
    """Return an executor of the same name that tags the run, and prints in a command of the shell what it has made."""

    def watch(
        instance: dg.DagsterInstance, run: dg.DagsterRun, events: Iterator[dg.DagsterEvent]
    ) -> Iterator[dg.DagsterEvent]:
        _tag(instance, run)
        if not is_run_of_command_line():
            yield from events
            return
        _require_assets(run)
        observed, progress = Observed(), Progress()
        try:
            for event in events:
                observed.note(event)
                progress.note(event)
                yield event
        finally:
            atexit.register(_print, _tables(run, observed, settings), failure_text(observed))

    return executor_watched(definition, watch)


def _require_assets(run: dg.DagsterRun) -> None:
    """Refuse a command whose selection no asset matches: Dagster would run all assets.

    Raises:
        EmptySelectionError: also printed when the process ends.
    """
    if (selection := selection_without_assets(run)) is None:
        return
    error = EmptySelectionError(
        "no asset matches the selection; nothing was run",
        where=f"--select or --assets {selection}",
        found="a selection of 0 assets",
        expected="at least 1 asset",
        remedy="list the assets by: dg list defs",
    )
    atexit.register(_print, [], str(error))
    raise error


def _tag(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Say in a run's tags whose run it is and what started it; what is said already stays."""
    found = {"pipeline": ", ".join(pipelines_of(run)), STARTED_BY: starter_of(run)}
    missing = {name: text for name, text in found.items() if text and name not in run.tags}
    if missing:
        instance.add_run_tags(run.run_id, missing)


@dataclass
class Progress:
    """Lines on standard error while a run goes on: steps as they start and end, checks with what they found."""

    passed: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note(self, event: dg.DagsterEvent) -> None:
        """Print what one event says."""
        step = event.step_key or ""
        for line in self._lines(event, step, step.replace("__", "/")):
            sys.stderr.write(f"{line}\n")

    def _lines(self, event: dg.DagsterEvent, step: str, shown: str) -> Iterator[str]:
        kind, text = event.event_type, one_line(event.message or "")
        if kind is dg.DagsterEventType.STEP_START:
            yield f"{shown} started"
        if (name := passed_check(event)) is not None:
            self.passed.setdefault(step, []).append((name, text))
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            yield text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        if kind is dg.DagsterEventType.STEP_SUCCESS:
            passed = self.passed.pop(step, [])
            yield from (text for _, text in passed) if len(passed) <= _MOST_CHECKS else [_counted(shown, passed)]
            yield f"{shown} done in {seconds_of(event):.1f} s"


def _counted(step: str, passed: list[tuple[str, str]]) -> str:
    return f"{counted(len(passed), 'check')} of {step} passed: {', '.join(dict.fromkeys(name for name, _ in passed))}"


def _print(tables: list[Summary], failure: str) -> None:
    show(tables)
    sys.stderr.write(f"\n{failure or 'run succeeded'}\n")
    sys.stderr.flush()


def failure_text(observed: Observed) -> str:
    """Return of each failed step its typed error, or else the error with the checks that failed; empty without one."""
    texts = []
    for step, error in observed.failures:
        typed = (root := root_error(error_chain(error))) is not None and root.is_typed
        checks = [] if typed else [f"  {each}" for each in observed.checks.get(step, [])]
        texts.append("\n".join([f"{step.replace('__', '/')} failed", error_text(error).strip(), *checks]))
    return "\n\n".join(texts)


def _tables(run: dg.DagsterRun, observed: Observed, settings: Settings) -> list[Summary]:
    """Return tables of the newest partitions, the run's address alone where there is nothing to show.

    What a failing store does not give is named in place of the tables.
    """
    left = len(observed.assets) - _MOST_TABLES
    earlier = [Summary(f"{left} earlier partitions are not shown")] if left > 0 else []
    try:
        space = space_of_run(settings.space, parameters_of(run.run_config))
        artifacts = ArtifactStore(object_store_of(settings, s3_of(settings)).over(space))
        newest = list(observed.assets.items())[-_MOST_TABLES:]
        made = [RunValues(artifacts, run.run_id, *of, names) for of, names in newest]
        tables = [table for each in made if (table := summary_of(each, settings, space.name)).facts]
    except Exception as error:  # noqa: BLE001 - said in place of the tables; the run itself is over, and its end stands
        return [Summary("what the run made cannot be shown", (Fact("error", str(error)),))]
    alone = Summary(_subject(observed) or run.job_name, addresses=(run_address(run.run_id, settings),))
    return [*earlier, *tables] if tables else [alone]


def _subject(observed: Observed) -> str:
    """Return the assets that a run touched, without their partitions."""
    return ", ".join(sorted({f"{of[0]}/{name}" for of, names in observed.assets.items() for name in names}))


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
        commit = self.artifacts.log.newest((self.pipeline, asset), self.partition) if asset in self.assets else None
        return commit if commit is not None and self.run_id in {None, commit.run_id} else None

    def value(self, asset: str, kind: type[Value]) -> Value | None:
        """Return the value that the run published; None where it published none."""
        commit = self._published(asset)
        return self.artifacts.read(commit, kind) if commit is not None else None

    def mlflow_run(self) -> str:
        """Return the MLflow run of the model that the run published; empty where it has none. Loads no model."""
        commit = self._published("trained_model")
        return mlflow_run_of(CommitReader(self.artifacts.store, commit)) if commit is not None else ""

    def _published(self, asset: str) -> Commit | None:
        commit = self.commit(asset)
        return commit if commit is not None and commit.status == "published" else None

    def gate_facts(self) -> Iterator[Fact]:
        """Yield what the gate decided in this run, of the source's rows where these were refused."""
        for asset in ("raw_dataset", "validated_dataset"):
            commit = self.commit(asset)
            if commit is not None and commit.receipt is not None:
                yield from gate_facts(commit.receipt)

    def rows(self) -> Iterator[Fact]:
        """Yield the number of rows of the tables that the run published."""
        for asset in ("raw_dataset", "feature_set", "batch_predictions"):
            commit = self.commit(asset)
            if commit is not None and commit.fingerprint is not None:
                yield Fact(asset.replace("_", " "), f"{commit.fingerprint.rows:,} rows")


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
        addresses=tuple(addresses(made, record, settings)),
    )


def run_address(run_id: str, settings: Settings) -> Fact:
    """Return the address of a run's page."""
    return Fact("run", f"{settings.ui_url.rstrip('/')}/runs/{run_id}")


def addresses(made: RunValues, record: ChampionRecord | None, settings: Settings) -> Iterator[Fact]:
    """Yield pages of Dagster: the run, and the evaluation; and of MLflow: the run, and the registered champion."""
    dagster = settings.ui_url.rstrip("/")
    if made.run_id is not None:
        yield run_address(made.run_id, settings)
    if made.commit("evaluation_report") is not None:
        query = f"?partition={quote(made.partition, safe='')}" if made.partition else ""
        yield Fact("evaluation", f"{dagster}/assets/{made.pipeline}/evaluation_report{query}")
    if tracked := made.mlflow_run():
        yield Fact("MLflow run", run_page(settings.tracking_uri, tracked))
    if record is not None and record.version is not None:
        yield Fact("champion's page", version_page(settings.tracking_uri, record.registered_name, record.version))
