"""Where trials run: in this process, or in worker processes that can run side by side and be stopped.

A worker is a fresh interpreter, since a fork of a process with OpenMP's threads may hang. It ends with its parent, also
where that is killed.
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.importing import ImportPolicy, confine_imports, import_policy
from assay.learning.estimators.assembly import limited_threads
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.estimators.family import Family
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.fold_schemes import Fold, repeats
from assay.learning.tuning.folds import FoldCache
from assay.learning.tuning.trials import Measurement, Report, TrialRunner
from assay.scratch import scratch_folder
from assay.specs.pipeline import PipelineSpec

_THIRDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class TrialInputs:
    """What trials are measured on; the same for all.

    Attributes:
        rows: the training rows.
        features: columns and roles of their frame.
        folds: how the rows are cut.
        classes: class labels in order; empty for regression.
        spec: the pipeline.
        groups: group or partition key of each row; None where rows stand alone.
    """

    rows: LabelledRows
    features: TableSchema
    folds: Sequence[Fold]
    classes: tuple[Any, ...]
    spec: PipelineSpec
    groups: np.ndarray | None = None

    @property
    def first_folds(self) -> Sequence[Fold]:
        """The folds of the first repeat, which have no row twice."""
        return self.folds[: len(self.folds) // repeats(self.spec)]

    def parts(self) -> np.ndarray:
        """Return the part of each validation row, one fold after the other: its fold, or a third of the only one."""
        sizes = [len(fold.validation) for fold in self.first_folds]
        if len(sizes) == 1:
            sizes = [len(part) for part in np.array_split(np.arange(sizes[0]), _THIRDS)]
        return np.repeat(np.arange(len(sizes)), sizes)

    def runner(self, shared: Path | None = None) -> TrialRunner:
        """Return what measures trials in this process."""
        cache = FoldCache(self.rows, self.features, self.folds, self.spec, shared)
        return TrialRunner(cache, primary_metric(self.spec), self.classes, self.spec)


class Trials(Protocol):
    """Where trials run."""

    @property
    def is_free(self) -> bool:
        """Whether another trial can start now."""

    def start(self, number: int, family: Family, parameters: Mapping[str, Any], report: Report) -> None:
        """Start a trial."""

    def wait(self, until: float) -> list[tuple[int, Measurement]]:
        """Return trials that have ended; none where a moment (of `time.monotonic`) or a report came first."""

    def stop(self, number: int) -> None:
        """Stop a running trial, which has no outcome."""


def worker_count(spec: PipelineSpec) -> int:
    """Return how many trials run side by side."""
    return spec.tuning.workers or spec.training.threads


@contextmanager
def running_trials(inputs: TrialInputs) -> Iterator[Trials]:
    """Give where the trials of a search run: in workers if there are several, or if a bound may stop them."""
    count = worker_count(inputs.spec)
    if count == 1 and inputs.spec.tuning.timeout is None:
        with limited_threads(inputs.spec.training.threads):
            yield _TrialsHere(inputs.runner())
        return
    with scratch_folder("search") as folder:
        trials = _TrialsInWorkers(inputs, count, Path(folder))
        try:
            yield trials
        finally:
            trials.close()


class _TrialsHere:
    """Trials in this process, one after the other."""

    def __init__(self, runner: TrialRunner) -> None:
        self._runner = runner
        self._ended: list[tuple[int, Measurement]] = []

    @property
    def is_free(self) -> bool:
        return not self._ended

    def start(self, number: int, family: Family, parameters: Mapping[str, Any], report: Report) -> None:
        self._ended.append((number, self._runner.measure(family, parameters, report)))

    def wait(self, until: float) -> list[tuple[int, Measurement]]:  # noqa: ARG002 - they have ended
        ended, self._ended = self._ended, []
        return ended

    def stop(self, number: int) -> None:
        """Do nothing: a trial has ended when `start` returns."""


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    process: "subprocess.Popen[bytes]"
    connection: Connection
    lifeline: int
    """Open as long as this process lives."""

    def end(self) -> int:
        """End the process, and return its exit code; negative for a signal."""
        self.process.kill()  # first: without its lifeline it ends by itself, with another code
        self.connection.close()
        os.close(self.lifeline)
        return self.process.wait()


class _TrialsInWorkers:
    """Trials in processes, each with its share of the threads."""

    def __init__(self, inputs: TrialInputs, count: int, folder: Path) -> None:
        threads = max(1, inputs.spec.training.threads // count)
        training = inputs.spec.training.model_copy(update={"threads": threads})
        self._inputs = replace(inputs, spec=inputs.spec.model_copy(update={"training": training}))
        self._count = count
        self._shared = folder if count > 1 else None
        self._idle: list[_Worker] = []
        self._new = [self._started() for _ in range(count)]
        self._running: dict[int, tuple[_Worker, Report]] = {}

    @property
    def is_free(self) -> bool:
        return len(self._running) < self._count

    def start(self, number: int, family: Family, parameters: Mapping[str, Any], report: Report) -> None:
        worker = self._idle.pop() if self._idle else self._introduced(self._new.pop())
        worker.connection.send((family.name, dict(parameters)))
        self._running[number] = (worker, report)

    def wait(self, until: float) -> list[tuple[int, Measurement]]:
        seconds = None if math.isinf(until) else max(0.0, until - time.monotonic())
        ready = wait([worker.connection for worker, _ in self._running.values()], seconds)
        answered = [(number, *pair) for number, pair in self._running.items() if pair[0].connection in ready]
        ended = ((number, self._answer(number, worker, report)) for number, worker, report in answered)
        return [(number, measurement) for number, measurement in ended if measurement is not None]

    def _answer(self, number: int, worker: _Worker, report: Report) -> Measurement | None:
        """Take one message of a worker: a fold's mean, which it waits to hear about, or the end of the trial."""
        try:
            message = worker.connection.recv()
            if not isinstance(message, Measurement):
                worker.connection.send(report(*message))
                return None
        except (EOFError, OSError):
            del self._running[number]
            self._new.append(self._started())
            return Measurement("failed", reason=_words_of_death(worker.end()))
        del self._running[number]
        self._idle.append(worker)
        return message

    def stop(self, number: int) -> None:
        worker, _ = self._running.pop(number)
        worker.end()
        self._new.append(self._started())

    def close(self) -> None:
        for worker in (*self._new, *self._idle, *(worker for worker, _ in self._running.values())):
            worker.end()

    def _started(self) -> _Worker:
        here, there = socket.socketpair()
        lifeline, held = os.pipe()
        try:
            arguments = [str(there.fileno()), str(lifeline), json.dumps(sys.path)]
            process = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-c", _PROGRAM, *arguments],
                pass_fds=[there.fileno(), lifeline],
                stdin=subprocess.DEVNULL,
            )
        finally:
            there.close()
            os.close(lifeline)
        return _Worker(process, Connection(here.detach()), held)

    def _introduced(self, worker: _Worker) -> _Worker:
        """Give a new worker its inputs, and wait until it is ready, so that a trial's time begins with its fit."""
        try:
            worker.connection.send((self._inputs, import_policy(), self._shared))
            worker.connection.recv()
        except (EOFError, OSError) as error:
            raise LearningError(
                "a process for the trials of the search did not start",
                where=f"pipeline {self._inputs.spec.name}, tuning.workers",
                found=_words_of_death(worker.end()),
                remedy="see what it printed; give the machine more memory, or lower tuning.workers",
            ) from error
        return worker


def _words_of_death(code: int) -> str:
    if code >= 0:
        return f"the worker process ended with exit code {code}"
    memory = "; the machine may have run out of memory" if code == -signal.SIGKILL else ""
    return f"the worker process was ended by {signal.Signals(-code).name}{memory}"


_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from assay.learning.tuning.workers import serve; serve(int(sys.argv[1]), int(sys.argv[2]))"
)


def serve(descriptor: int, lifeline: int) -> None:
    """Measure the trials that a search asks for, until it ends; the program of a worker.

    Args:
        descriptor: of the socket to the search.
        lifeline: of a pipe that the search's process holds: it ends with that process.
    """
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    connection = Connection(descriptor)
    with suppress(EOFError, OSError):
        _serve(connection, *connection.recv())


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)  # a fit may run for hours yet


def _serve(connection: Connection, inputs: TrialInputs, policy: ImportPolicy | None, shared: Path | None) -> None:
    confine_imports(policy)
    families = {each.name: each for each in candidate_families(inputs.spec)}
    runner = inputs.runner(shared)

    def report(fold: int, mean: float) -> bool:
        connection.send((fold, mean))
        return bool(connection.recv())

    connection.send("ready")
    with limited_threads(inputs.spec.training.threads):
        while True:
            name, parameters = connection.recv()
            connection.send(runner.measure(families[name], parameters, report))
