"""The search: a seeded, bounded study over families and their hyperparameters, and the measurement of each trial."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.estimators.assembly import limited_threads
from assay.learning.estimators.family import Family
from assay.learning.estimators.registry import base_hyperparameters, candidate_families
from assay.learning.evaluation.metrics import Metric, measure, predict, primary_metric
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.folds import FoldCache, make_folds
from assay.learning.tuning.search_space import Candidates, propose, search_space
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial


@dataclass(frozen=True, slots=True)
class Measurement:
    """The outcome of a trial.

    Attributes:
        state: `complete` has a value, the others a reason.
        value: mean of the metric over the folds.
        reason: why there is no value.
    """

    state: Literal["complete", "pruned", "failed"]
    value: float | None = None
    reason: str = ""


class _FoldError(Exception):
    """The metric has no value on a fold."""


class TrialRunner:
    """Measures points by the mean of the primary metric over the folds; a known point is not fitted again."""

    def __init__(self, cache: FoldCache, metric: Metric, classes: tuple[Any, ...], spec: PipelineSpec) -> None:
        self._cache = cache
        self._metric = metric
        self._classes = classes
        self._spec = spec
        self._known: dict[str, Measurement] = {}

    def measure(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        """Fit and measure on each fold in turn.

        Args:
            family: the model family.
            parameters: its hyperparameters.
            trial: receives the mean after each fold, and may be pruned.

        Returns:
            The mean, or why there is none: an exception of the model becomes a reason.
        """
        key = digest_of(family.name, dict(parameters))
        if key not in self._known:
            try:
                self._known[key] = self._over_folds(family, parameters, trial)
            except Exception as error:  # noqa: BLE001 - a model may raise anything, and the search goes on
                self._known[key] = Measurement("failed", reason=_reason(error))
        return self._known[key]

    def _over_folds(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        values: list[float] = []
        for number in range(len(self._cache)):
            values.append(self._on_fold(number, family, parameters))
            trial.report(float(np.mean(values)), step=number)
            if number + 1 < len(self._cache) and trial.should_prune():
                return Measurement("pruned", reason=f"below the median after fold {number + 1} of {len(self._cache)}")
        return Measurement("complete", value=float(np.mean(values)))

    def _on_fold(self, number: int, family: Family, parameters: Mapping[str, Any]) -> float:
        matrices = self._cache.fold(number, family)
        model = family.build(parameters, self._spec.training.seed, self._spec.training.threads)
        with warnings.catch_warnings():
            # a model that has not converged is measured like any other
            warnings.simplefilter("ignore")
            model.fit(matrices.train, matrices.train_target)
            predictions = predict(model, matrices.validation, self._classes, self._spec.task)
        measured = measure(self._metric, matrices.validation_target, predictions)
        if measured.value is None:
            raise _FoldError(f"{self._metric.name} on fold {number + 1}: {measured.reason}")
        return measured.value


def _reason(error: Exception) -> str:
    found = getattr(error, "found", "")
    text = f"{error.args[0] if error.args else error}" + (f": {found}" if found else "")
    return text if isinstance(error, _FoldError) else f"{type(error).__name__}: {text}"


Progress = Callable[[TrialRecord], None]
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
    its base hyperparameters, and a value inside where one is outside a written range. Then a tree-structured Parzen
    estimator proposes (Bergstra et al. 2011), and trials that are below the median after a fold are pruned.
    Preprocessing is fitted on each fold's training rows only. The same rows, spec and library versions give the same
    result, except for the trials' seconds, unless the timeout ends it.

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
        DataContractError: the rows cannot be cut into folds.
    """
    candidates = _candidates(spec)
    unsearched = _without_search(candidates)
    if unsearched is not None:
        return unsearched
    cache = FoldCache(train, features, make_folds(train.target, spec, groups), spec)
    runner = TrialRunner(cache, primary_metric(spec), classes, spec)
    with limited_threads(spec.training.threads), _quiet_optuna():
        trials, stopped_by = _run(candidates, runner, progress)
    return _best(candidates, trials, stopped_by)


def unsearched_hyperparameters(spec: PipelineSpec) -> BestHyperparameters | None:
    """Return the first candidate's base values if there is nothing to search; None if rows are needed.

    Raises:
        LearningError: a hyperparameter or search range is not acceptable.
        UnknownModelError: a candidate cannot be used.
        UnknownMetricError: the primary metric is not known.
    """
    return _without_search(_candidates(spec))


def _without_search(candidates: Candidates) -> BestHyperparameters | None:
    if not candidates.spec.tuning.enabled:
        return _unsearched(candidates, "disabled")
    if candidates.is_empty and len(candidates.families) == 1:
        return _unsearched(candidates, "empty_space")
    return None


def _candidates(spec: PipelineSpec) -> Candidates:
    families = {each.name: each for each in candidate_families(spec)}
    base = {name: base_hyperparameters(spec, each) for name, each in families.items()}
    for name, each in families.items():
        # a refused base value is the user's mistake, not a failed trial
        each.build(base[name], spec.training.seed, spec.training.threads)
    return Candidates(spec, families, base, search_space(spec, tuple(families.values())))


def _run(
    candidates: Candidates, runner: TrialRunner, progress: Progress | None
) -> tuple[tuple[TrialRecord, ...], Literal["empty_space", "n_trials", "timeout"]]:
    tuning = candidates.spec.tuning
    study = _study(candidates)
    # with nothing to vary, each candidate is measured once
    most = min(tuning.n_trials, len(candidates.families)) if candidates.is_empty else tuning.n_trials
    deadline = time.monotonic() + (tuning.timeout or float("inf"))
    starts = list(candidates.families)
    records: list[TrialRecord] = []
    while len(records) < most:
        if records and time.monotonic() >= deadline:
            return tuple(records), "timeout"
        start = starts[len(records)] if len(records) < len(starts) else None
        record = _trial(candidates, study, runner, start)
        records.append(record)
        if progress is not None:
            progress(record)
    return tuple(records), "empty_space" if candidates.is_empty else "n_trials"


def _study(candidates: Candidates) -> "Study":
    import optuna

    first = max(_RANDOM_TRIALS, len(candidates.families))
    return optuna.create_study(
        direction="maximize" if primary_metric(candidates.spec).greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=candidates.spec.training.seed, n_startup_trials=first),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=first),
    )


def _trial(candidates: Candidates, study: "Study", runner: TrialRunner, start: str | None) -> TrialRecord:
    from optuna.trial import TrialState

    began = time.monotonic()
    trial, name, parameters = propose(candidates, study, start)
    measured = runner.measure(candidates.families[name], parameters, trial)
    if measured.state == "complete":
        study.tell(trial, measured.value)
    else:
        study.tell(trial, state=TrialState.PRUNED if measured.state == "pruned" else TrialState.FAIL)
    return _record(trial.number, name, parameters, measured, time.monotonic() - began)


def _record(number: int, name: str, parameters: dict[str, Any], measured: Measurement, seconds: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        state=measured.state,
        family=name,
        parameters=parameters,
        value=measured.value,
        reason=measured.reason,
        seconds=round(seconds, 4),
    )


def _best(
    candidates: Candidates, trials: tuple[TrialRecord, ...], stopped_by: Literal["empty_space", "n_trials", "timeout"]
) -> BestHyperparameters:
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
    return _result(candidates, best.family, best.parameters, best.value, trials, stopped_by)


def _unsearched(candidates: Candidates, stopped_by: Literal["disabled", "empty_space"]) -> BestHyperparameters:
    first = candidates.spec.model.candidates[0]
    return _result(candidates, first, candidates.base[first], None, (), stopped_by)


def _result(
    candidates: Candidates,
    family: str,
    parameters: dict[str, Any],
    value: float | None,
    trials: tuple[TrialRecord, ...],
    stopped_by: Literal["disabled", "empty_space", "n_trials", "timeout"],
) -> BestHyperparameters:
    metric = primary_metric(candidates.spec)
    return BestHyperparameters(
        family=family,
        parameters=parameters,
        metric=metric.name,
        direction="maximize" if metric.greater_is_better else "minimize",
        value=value,
        searched=bool(trials),
        stopped_by=stopped_by,
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
