"""The run of a study: trials are proposed, started, recorded, and stopped where the time bound demands it."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from assay.learning.evaluation.metrics import primary_metric
from assay.learning.tuning.blending import Finished, blends
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.points import Point, Points
from assay.learning.tuning.time_bound import MOST_OF_ONE, RESERVED, TimeBound
from assay.learning.tuning.trials import Measurement, Report
from assay.learning.tuning.workers import Trials, worker_count
from assay.results.search_result import TrialRecord

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

Progress: TypeAlias = Callable[[TrialRecord], None]
SearchEnd: TypeAlias = Literal["disabled", "empty_space", "exhausted", "n_trials", "timeout"]
_RANDOM_TRIALS = 5


class StudyRun:
    """A study, its running trials and their records; what runs is stopped by the bound alone."""

    def __init__(self, candidates: Candidates, trials: Trials, bound: TimeBound, progress: Progress | None) -> None:
        self._candidates = candidates
        self._trials = trials
        self._bound = bound
        self._progress = progress
        self._study = _new_study(candidates)
        self._points = Points(candidates, self._study)
        self._running: dict[int, tuple[Point, float]] = {}
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
            if (self._by_family or self._running) and time.monotonic() >= self._end:
                return "timeout"
            point = self._points.propose()
            if point is None:
                return "empty_space" if self._candidates.is_empty else "exhausted"
            number, self._started = self._started, self._started + 1
            self._running[number] = (point, time.monotonic())
            trial, family, parameters = point
            self._trials.start(number, self._candidates.families[family], parameters, _reporting_to(trial))
        return "n_trials"

    @property
    def _end(self) -> float:
        return self._bound.end(self._refit_seconds)

    @property
    def _refit_seconds(self) -> float:
        """What the final fit of the best trial may take, and of an average, as far as a share of the bound allows."""
        first, *others = [each.measured.refit_seconds for each in self._ranked()] or [0.0]
        bound = self._bound.seconds or math.inf
        return first + (min(sum(others), MOST_OF_ONE * bound) if blends(self._candidates.spec) else 0.0)

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
        if not self._by_family and number == min(self._running):
            return math.inf
        return min(self._end, self._bound.end_of_trial(self._running[number][1]))

    def _stop_overdue(self) -> None:
        now = time.monotonic()
        for number in [number for number in self._running if self._end_of(number) <= now]:
            self._trials.stop(number)
            family, began = self._running[number][0][1], self._running[number][1]
            if now < self._end and not self._was_measured(family):
                self._points.exclude(family)
            self._record(number, Measurement("stopped", reason=f"stopped by tuning.timeout after {now - began:.1f} s"))

    def _was_measured(self, family: str) -> bool:
        return family in self._by_family

    def _record(self, number: int, measured: Measurement) -> None:
        from optuna.trial import TrialState

        (trial, family, parameters), began = self._running.pop(number)
        if measured.state == "complete" and measured.value is not None:
            self._study.tell(trial, measured.value)
            rank = primary_metric(self._candidates.spec).sign * measured.value
            if family not in self._by_family or rank > self._by_family[family].rank:
                self._by_family[family] = Finished(rank, number, family, {**parameters, **measured.found}, measured)
        else:
            self._study.tell(trial, state=TrialState.PRUNED if measured.state == "pruned" else TrialState.FAIL)
        record = TrialRecord(
            number=number,
            state=measured.state,
            family=family,
            parameters={**parameters, **measured.found},
            value=measured.value,
            reason=measured.reason,
            seconds=round(time.monotonic() - began, 4),
        )
        self._records.append(record)
        if self._progress is not None:
            self._progress(record)


def _reporting_to(trial: "Trial") -> Report:
    def report(fold: int, mean: float) -> bool:
        trial.report(mean, step=fold)
        return trial.should_prune()

    return report


def _new_study(candidates: Candidates) -> "Study":
    import optuna

    first, seed = max(_RANDOM_TRIALS, len(candidates.families)), candidates.spec.training.seed
    return optuna.create_study(
        direction="maximize" if primary_metric(candidates.spec).greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=first, constant_liar=worker_count(candidates.spec) > 1
        ),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=first),
    )
