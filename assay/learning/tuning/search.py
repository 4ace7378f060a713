"""The search: a seeded, bounded study over families and their hyperparameters."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.estimators.assembly import limited_threads
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.rehearsal import rehearse, require_rows_kept
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.points import Point, Points
from assay.learning.tuning.trials import FoldCache, TrialRunner, make_folds
from assay.results.search_result import BestHyperparameters, TrialRecord
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.study import Study

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
    its base hyperparameters, and a value inside where one is outside a written range. Then a tree-structured Parzen
    estimator proposes (Bergstra et al. 2011), and trials that are below the median after a fold are pruned. No point is
    tried twice; where a space has no more points, the search ends.
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
        UntrustedModelError: a candidate's model could not be stored.
        DataContractError: the rows cannot be cut into folds.
        FeatureStepError: outliers drop more of the rows than they may.
    """
    candidates = Candidates.of(spec)
    require_rows_kept(train, features, spec)
    for name, each in candidates.families.items():
        rehearse(each, candidates.base[name], train, features, spec)
    unsearched = _without_search(candidates)
    if unsearched is not None:
        return unsearched
    cache = FoldCache(train, features, make_folds(train.target, spec, groups), spec)
    runner = TrialRunner(cache, primary_metric(spec), classes, spec)
    with limited_threads(spec.training.threads), _quiet_optuna():
        trials, end = _run(candidates, runner, progress)
    return _best(candidates, trials, end)


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


def _run(
    candidates: Candidates, runner: TrialRunner, progress: Progress | None
) -> tuple[tuple[TrialRecord, ...], _End]:
    tuning = candidates.spec.tuning
    study = _study(candidates)
    points = Points(candidates, study)
    deadline = time.monotonic() + (tuning.timeout or float("inf"))
    records: list[TrialRecord] = []
    while len(records) < tuning.n_trials:
        if records and time.monotonic() >= deadline:
            return tuple(records), "timeout"
        point = points.propose()
        if point is None:
            return tuple(records), "empty_space" if candidates.is_empty else "exhausted"
        records.append(_trial(len(records), point, candidates, study, runner))
        if progress is not None:
            progress(records[-1])
    return tuple(records), "n_trials"


def _study(candidates: Candidates) -> "Study":
    import optuna

    first = max(_RANDOM_TRIALS, len(candidates.families))
    return optuna.create_study(
        direction="maximize" if primary_metric(candidates.spec).greater_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=candidates.spec.training.seed, n_startup_trials=first),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=first),
    )


def _trial(number: int, point: Point, candidates: Candidates, study: "Study", runner: TrialRunner) -> TrialRecord:
    from optuna.trial import TrialState

    began = time.monotonic()
    trial, name, parameters = point
    measured = runner.measure(candidates.families[name], parameters, trial)
    if measured.state == "complete":
        study.tell(trial, measured.value)
    else:
        study.tell(trial, state=TrialState.PRUNED if measured.state == "pruned" else TrialState.FAIL)
    return TrialRecord(
        number=number,
        state=measured.state,
        family=name,
        parameters=parameters,
        value=measured.value,
        reason=measured.reason,
        seconds=round(time.monotonic() - began, 4),
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
