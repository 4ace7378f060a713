"""The end of a run of the command line: a table of what was made, and of a failed run its typed error, last.

Made from what the run's commits hold. Printed when the process ends, after Dagster's own last lines.
"""

import atexit
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dagster as dg

from assay.counting import counted
from assay.errors import EmptySelectionError
from assay.markdown import plain
from assay.shell.summary import (
    Fact,
    Summary,
)
from assay.shell.terminal import show
from assay.specs.overrides import space_of_run
from ml_assets.command_terminal import terminal_kept
from ml_assets.console_lines import shorten_console
from ml_assets.dagster_executors import executor_watched
from ml_assets.dagster_internals import (
    StoredError,
    error_of,
    failed_check,
    is_run_of_command_line,
    passed_check,
    pipelines_of,
    seconds_of,
    selection_without_assets,
    starter_of,
    touched_asset,
)
from ml_assets.run_values import RunValues, run_address, summary_of
from ml_assets.step_errors import error_chain, error_text, is_interrupt, root_error
from resources.artifacts.store import ArtifactStore
from resources.object_store import parameters_of
from resources.settings import Settings, let_console_finish
from resources.stores import object_store_of, s3_of

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

    @property
    def interrupted(self) -> bool:
        """Whether a step was interrupted."""
        return any(is_interrupt(error) for _, error in self.failures)

    def note(self, event: dg.DagsterEvent) -> None:
        """Take one event into account."""
        touched, error, check = touched_asset(event), error_of(event), failed_check(event)
        if touched is not None and len(touched[0].path) > 1:
            pipeline, name = touched[0].path[0], touched[0].path[-1]
            self.assets.setdefault((pipeline, touched[1]), set()).add(name)
        if check is not None:
            found = f"{check.check_name}: {plain(check.description or 'failed')}"
            self.checks.setdefault(event.step_key or "", []).append(found)
        if error is not None and event.is_step_failure:
            self.failures.append((event.step_key or "", error))


def summarised_executor(definition: dg.ExecutorDefinition, settings: Settings) -> dg.ExecutorDefinition:
    """Return an executor of the same name that tags the run, and prints in a command of the shell what it has made."""

    def watch(
        instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        log: dg.DagsterLogManager,
        events: Iterator[dg.DagsterEvent],
    ) -> Iterator[dg.DagsterEvent]:
        _tag(instance, run)
        if not is_run_of_command_line():
            yield from events
            return
        let_console_finish()
        observed, progress = Observed(), Progress()
        with terminal_kept():
            shorten_console(log)
            _require_assets(run, instance)
            try:
                for event in events:
                    observed.note(event)
                    progress.note(event)
                    yield event
            finally:
                atexit.register(_print, _tables(run, observed, settings), failure_text(observed))

    return executor_watched(definition, watch)


def _require_assets(run: dg.DagsterRun, instance: dg.DagsterInstance) -> None:
    """Refuse a command whose selection no asset matches: Dagster would run all assets.

    The run is removed when the process ends, since it is recorded as a run of every asset, each of which then counts
    as failed.

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
    if instance.is_persistent:
        atexit.register(_removal(run.run_id, instance))
    atexit.register(_print, [], str(error))
    raise error


def _removal(run_id: str, instance: dg.DagsterInstance) -> Callable[[], None]:
    stored = instance.get_ref()

    def remove() -> None:
        with dg.DagsterInstance.from_ref(stored) as opened:
            opened.delete_run(run_id)

    return remove


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
        kind, text = event.event_type, plain(event.message or "")
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
        if is_interrupt(error):
            texts.append(f"{step.replace('__', '/')} was interrupted")
            continue
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
    """Return the assets that a run touched, without partitions; of a run that touched none, the steps that failed."""
    touched = {f"{of[0]}/{name}" for of, names in observed.assets.items() for name in names}
    return ", ".join(sorted(touched or {step.replace("__", "/") for step, _ in observed.failures}))
