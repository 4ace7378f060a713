"""The run of a study: trials are proposed, started, recorded, and stopped where the time bound demands it."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from assay.learning.evaluation.metrics import primary_metric
from assay.learning.tuning.blending import Finished
from assay.learning.tuning.candidates import Candidates, may_average
from assay.learning.tuning.journal import JournalEntry, TrialJournal
from assay.learning.tuning.points import Point, Points
from assay.learning.tuning.samplers import new_study
from assay.learning.tuning.time_bound import MOST_OF_ONE, RESERVED, TimeBound
from assay.learning.tuning.trials import Measurement
from assay.learning.tuning.workers import Trials, worker_count
from assay.results.search_result import BestHyperparameters, SearchEnd, TrialRecord

Progress: TypeAlias = Callable[[TrialRecord], None]


class StudyRun:
    """A study, its running trials and their records; what runs is stopped by the bound alone."""

    def __init__(
        self,
        candidates: Candidates,
        trials: Trials,
        bound: TimeBound,
        progress: Progress | None,
        journal: TrialJournal | None = None,
        before: BestHyperparameters | None = None,
    ) -> None:
        self._candidates = candidates
        self._trials = trials
        self._bound = bound
        self._progress = progress
        self._journal = journal
        self._study = new_study(candidates.spec, parallel=worker_count(candidates.spec) > 1)
        self._points = Points(candidates, self._study, before)
        self._running: dict[int, _Running] = {}
        self._records: list[TrialRecord] = []
        self._by_family: dict[str, Finished] = {}
        self._started = 0

    def run(self) -> tuple[tuple[TrialRecord, ...], SearchEnd]:
        """Run trials until the search ends; returns their records by number, and why it ended."""
        while True:
            end = self._start_trials()
            if not self._running:
                return tuple(sorted(self._records, key=lambda record: record.number)), end
            for number, measured in self._trials.wait(min(map(self._end_of, self._running))):
                self._record(number, measured)
            self._stop_overdue()

    def _start_trials(self) -> SearchEnd:
        """Start trials as long as there is room; returns what ends the search once none runs."""
        while self._started < self._candidates.spec.tuning.n_trials:
            if not self._trials.is_free:
                return "n_trials"
            if (self._has_outcome or self._running) and time.monotonic() >= self._end:
                return "timeout"
            point = self._points.propose()
            if point is None:
                return "empty_space" if self._candidates.is_empty else "exhausted"
            number, running = self._begun(point)
            self._trials.start(number, self._candidates.families[point[1]], point[2], running.report)
        return "n_trials"

    def _begun(self, point: Point) -> tuple[int, "_Running"]:
        number, self._started = self._started, self._started + 1
        self._running[number] = _Running(point, time.monotonic(), [])
        return number, self._running[number]

    def repeat(self, entries: Sequence[JournalEntry]) -> bool:
        """Repeat the trials of a journal, before any other; returns whether the study has come to the same points."""
        for entry in entries[: self._candidates.spec.tuning.n_trials]:
            point = self._repeated(entry.record)
            if point is None:
                return False
            number, running = self._begun(point)
            for fold, mean in enumerate(entry.means):
                running.report(fold, mean)
            if entry.record.state == "stopped":
                self._exclude_unmeasured(entry.record.family)
            # trials that ran side by side may have left gaps
            self._finish(number, entry.measured, entry.record.model_copy(update={"number": number}))
        return True

    def _repeated(self, record: TrialRecord) -> Point | None:
        if worker_count(self._candidates.spec) > 1:  # trials ended in another order than they were proposed in
            return self._points.repeat(record.family, record.parameters)
        point = self._points.propose()
        same = point is not None and point[1] == record.family and point[2].items() <= record.parameters.items()
        return point if same else None

    @property
    def _end(self) -> float:
        return self._bound.end(self._refit_seconds)

    @property
    def _refit_seconds(self) -> float:
        """What the final fit of the best trial may take, and of an average, as far as a share of the bound allows."""
        first, *others = [each.measured.refit_seconds for each in self._ranked()] or [0.0]
        bound = self._bound.seconds or math.inf
        return first + (min(sum(others), MOST_OF_ONE * bound) if may_average(self._candidates.spec) else 0.0)

    @property
    def _has_outcome(self) -> bool:
        """Whether a trial has ended with a value, or as too slow: then the time bound holds."""
        return bool(self._by_family) or any(record.state == "too_slow" for record in self._records)

    def _ranked(self) -> list["Finished"]:
        """Return the best complete trial of each family, the best of all first."""
        return sorted(self._by_family.values(), key=lambda each: (-each.rank, each.number))

    def finalists(self) -> list["Finished"]:
        """Return the best trials that can be averaged, as long as there is time for their final fits."""
        left = self._bound.end(0.0) - time.monotonic()
        found: list[Finished] = []
        for each in self._ranked():
            left -= RESERVED * each.measured.refit_seconds
            if each.measured.predicted is not None and (left > 0 or not found):
                found.append(each)
        return found

    def _end_of(self, number: int) -> float:
        """Return when a running trial is stopped; never the first one before any has ended well."""
        if not self._has_outcome and number == min(self._running):
            return math.inf
        return min(self._end, self._bound.end_of_trial(self._running[number].began))

    def _stop_overdue(self) -> None:
        now = time.monotonic()
        for number in [number for number in self._running if self._end_of(number) <= now]:
            self._trials.stop(number)
            running = self._running[number]
            if now < self._end:
                self._exclude_unmeasured(running.point[1])
            self._record(number, Measurement("stopped", reason="longer than tuning.timeout allows"))

    def _exclude_unmeasured(self, family: str) -> None:
        if family not in self._by_family:
            self._points.exclude(family)

    def _record(self, number: int, measured: Measurement) -> None:
        (_, family, parameters), began, means = self._running[number]
        record = TrialRecord(
            number=number,
            state=measured.state,
            family=family,
            parameters={**parameters, **measured.found},
            value=measured.value,
            reason=measured.reason,
            latency_ms=measured.latency_ms,
            seconds=round(time.monotonic() - began, 4),
        )
        if self._journal is not None:
            self._journal.append(JournalEntry(record, measured, tuple(means)))
        self._finish(number, measured, record)
        if self._progress is not None:
            self._progress(record)

    def _finish(self, number: int, measured: Measurement, record: TrialRecord) -> None:
        from optuna.trial import TrialState

        trial = self._running.pop(number).point[0]
        self._records.append(record)
        if measured.state != "complete" or measured.value is None:
            # of failed trials the sampler learns nothing
            is_worse = measured.state in {"pruned", "too_slow"}
            self._study.tell(trial, state=TrialState.PRUNED if is_worse else TrialState.FAIL)
            return
        self._study.tell(trial, measured.value)
        rank = primary_metric(self._candidates.spec).sign * measured.value
        if record.family not in self._by_family or rank > self._by_family[record.family].rank:
            self._by_family[record.family] = Finished(rank, number, record.family, record.parameters, measured)


class _Running(NamedTuple):
    """A trial that runs: its point, when it began, and the means after its folds."""

    point: Point
    began: float
    means: list[float]

    def report(self, fold: int, mean: float) -> bool:
        """Tell the study the mean after a fold; returns whether to give the trial up."""
        self.means.append(mean)
        self.point[0].report(mean, step=fold + 1)  # rungs count folds from 1
        return self.point[0].should_prune()
