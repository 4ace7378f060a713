"""The events of a run for observers, and the interface of an observer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from resources.settings import Settings

StepOutcome: TypeAlias = Literal["succeeded", "failed", "retried", "aborted"]
"""`retried`: this attempt failed, and Dagster makes another one; `aborted`: the run ended before the step."""


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A run of Dagster.

    Attributes:
        run_id: Dagster's.
        job: its job.
        page: its address in Dagster's user interface.
        partition: key, or the first and the last key of a range; empty without partitions.
        space: name of the space of its results; empty in production.
        started: seconds since the epoch.
    """

    run_id: str
    job: str
    page: str
    partition: str
    space: str
    started: float


@dataclass(frozen=True, slots=True)
class StartedStep:
    """One attempt of a step.

    Attributes:
        run: of the step.
        name: of its asset, such as `bank/raw_dataset`; of the op where it makes no asset.
        pipeline: first part of the name of an asset; empty where it makes none.
        attempt: 1 for the first.
        started: seconds since the epoch.
        reads: names of the assets that it depends on.
    """

    run: ObservedRun
    name: str
    pipeline: str
    attempt: int
    started: float
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MadeAsset:
    """What a step published of one asset.

    Attributes:
        name: of the asset.
        partitions: those that it made; empty for an asset without partitions.
        rows: in all partitions; None where it has no rows.
        version: identity of the value; empty where several partitions were made.
        columns: name and type.
        sources: addresses that the rows were read from, without credentials.
    """

    name: str
    partitions: tuple[str, ...] = ()
    rows: int | None = None
    version: str = ""
    columns: Mapping[str, str] | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedStep:
    """How an attempt ended.

    Attributes:
        step: the attempt.
        outcome: how.
        ended: seconds since the epoch.
        error: code of the typed error, or the class of another one; empty without an error.
        message: what people may read of it: sentence, location and remedy, no values of the data.
        made: the assets that it published.
        mlflow_runs: ids of the MLflow runs that it logged to.
    """

    step: StartedStep
    outcome: StepOutcome
    ended: float
    error: str = ""
    message: str = ""
    made: tuple[MadeAsset, ...] = ()
    mlflow_runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How a run ended; `failed` where a step failed or the run was ended."""

    run: ObservedRun
    failed: bool
    ended: float


class RunObserver(Protocol):
    """Reports one run to one tool. After its first exception it gets no further events of the run, which goes on."""

    def step_started(self, step: StartedStep) -> None:
        """Take note of an attempt that begins."""

    def step_ended(self, ended: EndedStep) -> None:
        """Take note of its end."""

    def run_ended(self, ended: EndedRun) -> None:
        """Take note of the end of the run; nothing follows."""


@dataclass(frozen=True, slots=True)
class ObserverKind:
    """The declaration of an observer.

    Attributes:
        name: of the tool.
        setting: the variable that switches it on.
        extra: the optional packages that it needs.
        module: one of their modules.
        wanted: whether the deployment switches it on.
        open: returns the observer of a run; called in the thread of its deliveries, so that it may import and connect.
    """

    name: str
    setting: str
    extra: str
    module: str
    wanted: Callable[[Settings], bool]
    open: Callable[[Settings], RunObserver]
