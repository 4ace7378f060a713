"""Observers of runs: the events of a run's steps, sent to the tools that a deployment switches on.

The executor's events are read in the process of the run, which has those of all its steps, wherever they are executed.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import dagster as dg

from assay.credentials import redacted
from assay.errors import AssayError
from assay.specs.overrides import space_of_run
from ml_assets.assets.metadata import READ_FROM
from ml_assets.assets.trained_model import MLFLOW_RUN
from ml_assets.dagster_executors import executor_watched
from ml_assets.dagster_internals import error_of, run_tags_of
from ml_assets.notifications.sensor import run_page
from ml_assets.pipeline.experiments import is_experiment
from ml_assets.step_errors import error_chain, root_error
from resources.object_store import parameters_of
from resources.observers.delivery import Delivery
from resources.observers.interface import EndedRun, EndedStep, MadeAsset, ObservedRun, StartedStep, StepOutcome
from resources.observers.opening import observers_of
from resources.settings import Settings

Reads: TypeAlias = Mapping[str, tuple[str, ...]]
"""Names of the assets that each step depends on, by the step's key."""
_Reported: TypeAlias = dg.AssetMaterialization | dg.AssetObservation
_Event = dg.DagsterEventType
_STARTS = {_Event.STEP_START, _Event.STEP_RESTARTED}
_ENDS: Mapping[_Event, StepOutcome] = {
    _Event.STEP_SUCCESS: "succeeded",
    _Event.STEP_FAILURE: "failed",
    _Event.STEP_UP_FOR_RETRY: "retried",
}
_ROWS, _COLUMNS, _VERSION = "dagster/row_count", "dagster/column_schema", "data version"


def observed_executor(
    definition: dg.ExecutorDefinition, settings: Settings, reads: Callable[[], Reads]
) -> dg.ExecutorDefinition:
    """Return an executor of the same name whose runs the deployment's observers follow; the same without any.

    Args:
        definition: of the executor.
        settings: of the deployment.
        reads: asked for when a run begins.

    Raises:
        SettingError: the packages of an observer are not installed.
    """
    kinds = observers_of(settings)
    if not kinds:
        return definition

    def watch(
        _instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        log: dg.DagsterLogManager,
        events: Iterator[dg.DagsterEvent],
    ) -> Iterator[dg.DagsterEvent]:
        steps = Steps(_observed_run(run, settings), reads(), [Delivery(kind, settings, log) for kind in kinds])
        try:
            for event in events:
                steps.note(event)
                yield event
        finally:
            steps.end()

    return executor_watched(definition, watch)


def _observed_run(run: dg.DagsterRun, settings: Settings) -> ObservedRun:
    tags = run_tags_of(run)
    ends = tags.partition_range or ((tags.partition,) if tags.partition else ())
    return ObservedRun(
        run_id=run.run_id,
        job=run.job_name,
        page=run_page(settings.ui_address, run.run_id),
        partition=" to ".join(dict.fromkeys(ends)),
        space=_space(run, settings),
        started=time.time(),
    )


def _space(run: dg.DagsterRun, settings: Settings) -> str:
    try:
        return space_of_run(settings.space, parameters_of(run.run_config)).name
    except AssayError:  # the steps say so
        return ""


def reads_of(pipelines: Sequence[dg.Definitions]) -> Reads:
    """Return what the steps of assets depend on."""
    assets = (each for one in pipelines for each in one.assets or () if isinstance(each, dg.AssetsDefinition))
    return {each.op.name: _names(each) for each in assets if each.is_executable}


def _names(assets: dg.AssetsDefinition) -> tuple[str, ...]:
    found = {upstream for key in assets.keys for upstream in assets.asset_deps[key]} - set(assets.keys)
    return tuple(sorted(key.to_user_string() for key in found))


@dataclass
class Steps:
    """The steps of one run, followed by its events.

    Attributes:
        run: the run.
        reads: what the steps depend on.
        deliveries: to the observers.
    """

    run: ObservedRun
    reads: Reads
    deliveries: Sequence[Delivery]
    _open: dict[str, StartedStep] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _reported: dict[str, list[_Reported]] = field(default_factory=lambda: defaultdict(list))
    _failed: bool = False

    def note(self, event: dg.DagsterEvent) -> None:
        """Take one event into account."""
        key, kind = event.step_key, event.event_type
        if key is None:
            return
        if kind in _STARTS:
            self._start(key)
        elif kind is _Event.ASSET_MATERIALIZATION:
            self._reported[key].append(event.step_materialization_data.materialization)
        elif kind is _Event.ASSET_OBSERVATION:
            self._reported[key].append(event.asset_observation_data.asset_observation)
        elif kind in _ENDS:
            self._end(key, _ENDS[kind], event)

    def end(self) -> None:
        """Report the end of the run; its open steps were aborted."""
        for key in list(self._open):
            self._end(key, "aborted")
        ended = EndedRun(self.run, self._failed, time.time())
        for each in self.deliveries:
            each.send(lambda observer: observer.run_ended(ended))
        for each in self.deliveries:
            each.close()

    def _start(self, key: str) -> None:
        self._attempts[key] += 1
        # a step's key joins the parts of its asset's key by two underscores
        pipeline = key.partition("__")[0] if "__" in key else ""
        step = StartedStep(
            self.run, key.replace("__", "/"), pipeline, self._attempts[key], time.time(), self.reads.get(key, ())
        )
        self._open[key] = step
        for each in self.deliveries:
            each.send(lambda observer: observer.step_started(step))

    def _end(self, key: str, outcome: StepOutcome, event: dg.DagsterEvent | None = None) -> None:
        step = self._open.pop(key, None)
        if step is None:
            return
        self._failed = self._failed or outcome in {"failed", "aborted"}
        error, message = _error(event)
        events = self._reported.pop(key, [])
        made = [each for each in events if isinstance(each, dg.AssetMaterialization) or is_experiment(each)]
        ended = EndedStep(step, outcome, time.time(), error, message, tuple(_made(made)), _mlflow_runs(events))
        for each in self.deliveries:
            each.send(lambda observer: observer.step_ended(ended))


def _error(event: dg.DagsterEvent | None) -> tuple[str, str]:
    """Return the code of an event's error, and what of it may be shown, as in notifications."""
    error = root_error(error_chain(error_of(event))) if event is not None else None
    if error is None:
        return "", ""
    return error.code, "; ".join(filter(None, (redacted(error.what), redacted(error.where), redacted(error.remedy))))


def _mlflow_runs(events: Sequence[_Reported]) -> tuple[str, ...]:
    """Return the MLflow runs that a training, or the evaluation of its model, names."""
    found = (each.metadata.get(MLFLOW_RUN) for each in events)
    return tuple(dict.fromkeys(str(value.value) for value in found if value is not None))


def _made(events: Sequence[_Reported]) -> Iterator[MadeAsset]:
    """Yield what a step published, each asset once."""
    by_asset: dict[str, list[_Reported]] = defaultdict(list)
    for each in events:
        by_asset[each.asset_key.to_user_string()].append(each)
    for name, of in by_asset.items():
        values: list[Mapping[str, Any]] = [
            {key: getattr(value, "value", None) for key, value in each.metadata.items()} for each in of
        ]
        rows = [each[_ROWS] for each in values if _ROWS in each]
        columns = next((each[_COLUMNS] for each in values if _COLUMNS in each), None)
        yield MadeAsset(
            name,
            partitions=tuple(each.partition for each in of if each.partition),
            rows=sum(rows) if rows else None,
            version=str(values[0].get(_VERSION, "")) if len(of) == 1 else "",
            columns={column.name: column.type for column in columns.columns} if columns is not None else None,
            sources=tuple(dict.fromkeys(line for each in values for line in each.get(READ_FROM, "").splitlines())),
        )
