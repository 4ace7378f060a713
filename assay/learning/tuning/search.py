"""The search: a seeded, bounded study over families and their hyperparameters."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.rehearsal import rehearse, require_rows_kept
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.folds import make_folds
from assay.learning.tuning.points import Point, Points
from assay.learning.tuning.time_bound import TimeBound
from assay.learning.tuning.trials import Measurement, Report
from assay.learning.tuning.workers import TrialInputs, Trials, running_trials, worker_count
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

Progress: TypeAlias = Callable[[TrialRecord], None]
_End: TypeAlias = Literal["disabled", "empty_space", "exhausted", "n_trials", "timeout"]
_RANDOM_TRIALS = 5


def find_best_hyperparameters(
    train: LabelledRows,
    spec: PipelineSpec,
    *,
    features: TableSchema,
    groups: np.ndarray | None,
    classes: tuple[Any, ...],
    progress: Progress | None = None,
) -> BestHyperparameters:
    """Find the candidate and hyperparameters with the best metric on validation folds of the training rows.

    The space is joint: the family is a parameter, and each family has its own. The first trial of each candidate has
    its base hyperparameters, and a value inside where one is outside a written range; cheap families come first. Then a
    tree-structured Parzen estimator proposes (Bergstra et al. 2011), and trials that are below the median after a fold
    are pruned. No point is tried twice; where a space has no more points, the search ends. Boosters stop early on the
    validation rows, where the pipeline leaves the number of rounds open.
    Preprocessing is fitted on each fold's training rows only. Without a timeout and with one worker, the same rows,
    spec and library versions give the same result, except for the trials' seconds.

    Args:
        train: the training rows.
        spec: the pipeline.
        features: columns and roles of the frame.
        groups: group or partition key of each row, for split by group or time.
        classes: class labels in order; empty for regression.
        progress: called with the record of each trial as it ends.

    Returns:
        The best trial's family and parameters, and the record of all trials. Without tuning, or with one candidate and
        nothing to vary, the first candidate's base values.

    Raises:
        LearningError: a hyperparameter or search range is refused, or all trials failed.
        UnknownModelError: a candidate cannot be used.
        UnknownMetricError: the primary metric is not known.
        UntrustedModelError: a candidate's model could not be stored.
        DataContractError: the rows cannot be cut into folds.
        FeatureStepError: outliers drop more of the rows than they may.
    """
    bound = TimeBound(spec.tuning.timeout)
    candidates = Candidates.of(spec)
    require_rows_kept(train, features, spec)
    for name, each in candidates.families.items():
        rehearse(each, candidates.base[name], train, features, spec)
    unsearched = _without_search(candidates)
    if unsearched is not None:
        return unsearched
    inputs = TrialInputs(train, features, make_folds(train.target, spec, groups), classes, spec)
    with _quiet_optuna(), running_trials(inputs) as trials:
        records, end = _Search(candidates, trials, bound, progress).run()
    return _best(candidates, records, end)


def unsearched_hyperparameters(spec: PipelineSpec) -> BestHyperparameters | None:
    """Return the first candidate's base values if there is nothing to search; None if rows are needed.

    Raises:
        LearningError: a hyperparameter or search range is not acceptable.
        UnknownModelError: a candidate cannot be used.
        UnknownMetricError: the primary metric is not known.
    """
    return _without_search(Candidates.of(spec))


def _without_search(candidates: Candidates) -> BestHyperparameters | None:
    first = candidates.spec.model.candidates[0]
    if not candidates.spec.tuning.enabled:
        return _result(candidates, first, candidates.base[first], "disabled")
    if candidates.is_empty and len(candidates.families) == 1:
        return _result(candidates, first, candidates.base[first], "empty_space")
    return None


class _Search:
    """A study, its running trials and their records."""

    def __init__(self, candidates: Candidates, trials: Trials, bound: TimeBound, progress: Progress | None) -> None:
        self._candidates = candidates
        self._trials = trials
        self._bound = bound
        self._progress = progress
        self._study = _study(candidates)
        self._points = Points(candidates, self._study)
        self._running: dict[int, tuple[Point, float]] = {}
        self._records: list[TrialRecord] = []
        self._best: tuple[float, float] | None = None
        self._started = 0

    def run(self) -> tuple[tuple[TrialRecord, ...], _End]:
        """Run trials until the search ends; returns their records by number, and why it ended."""
        while True:
            end = self._start_trials()
            if not self._running:
                return tuple(sorted(self._records, key=lambda record: record.number)), end
            for number, measured in self._trials.wait(min(map(self._end_of, self._running))):
                self._record(number, measured)
            self._stop_overdue()

    def _start_trials(self) -> _End:
        """Start trials as long as there is room; returns what ends the search once none runs."""
        while self._started < self._candidates.spec.tuning.n_trials:
            if not self._trials.is_free:
                return "n_trials"
            if (self._best or self._running) and time.monotonic() >= self._end:
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
        return self._bound.end(self._best[1] if self._best else 0.0)

    def _end_of(self, number: int) -> float:
        """Return when a running trial is stopped; never the first one before any has ended well."""
        if self._best is None and number == min(self._running):
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
        return any(record.family == family and record.state == "complete" for record in self._records)

    def _record(self, number: int, measured: Measurement) -> None:
        from optuna.trial import TrialState

        (trial, family, parameters), began = self._running.pop(number)
        if measured.state == "complete" and measured.value is not None:
            self._study.tell(trial, measured.value)
            rank = primary_metric(self._candidates.spec).sign * measured.value
            if self._best is None or rank > self._best[0]:
                self._best = (rank, measured.refit_seconds)
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


def _study(candidates: Candidates) -> "Study":
    import optuna

    first, seed = max(_RANDOM_TRIALS, len(candidates.families)), candidates.spec.training.seed
    return optuna.create_study(
        direction="maximize" if primary_metric(candidates.spec).greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=first, constant_liar=worker_count(candidates.spec) > 1
        ),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=first),
    )


def _best(candidates: Candidates, trials: tuple[TrialRecord, ...], end: _End) -> BestHyperparameters:
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    if not complete:
        raise LearningError(
            f"all {len(trials)} trials of the search failed",
            where=f"pipeline {candidates.spec.name}, tuning",
            found="; ".join(dict.fromkeys(f"{trial.family}: {trial.reason}" for trial in trials)),
            remedy="correct what the reasons name, or remove the candidate from model.candidates",
        )
    sign = 1 if primary_metric(candidates.spec).greater_is_better else -1
    best = max(complete, key=lambda trial: (sign * (trial.value or 0.0), -trial.number))
    return _result(candidates, best.family, best.parameters, end, best.value, trials)


def _result(
    candidates: Candidates,
    family: str,
    parameters: dict[str, Any],
    end: _End,
    value: float | None = None,
    trials: tuple[TrialRecord, ...] = (),
) -> BestHyperparameters:
    metric = primary_metric(candidates.spec)
    return BestHyperparameters(
        family=family,
        parameters=parameters,
        metric=metric.name,
        direction="maximize" if metric.greater_is_better else "minimize",
        value=value,
        searched=bool(trials),
        stopped_by=end,
        trials=trials,
        seed=candidates.spec.training.seed,
    )


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
