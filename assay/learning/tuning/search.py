"""The search: a seeded, bounded study over families and their hyperparameters."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.data.schema import TableSchema
from assay.errors import LearningError
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.rehearsal import rehearse, require_rows_kept
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.blending import averaged
from assay.learning.tuning.candidates import Candidates, may_average, may_choose_simpler, may_recalibrate
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.journal import TrialJournal
from assay.learning.tuning.points import grid_points
from assay.learning.tuning.recalibration import recalibrated
from assay.learning.tuning.samplers import quiet_optuna
from assay.learning.tuning.study_run import Progress, StudyRun
from assay.learning.tuning.ties import simplest
from assay.learning.tuning.time_bound import TimeBound
from assay.learning.tuning.workers import TrialInputs, Trials, running_trials, worker_count
from assay.results.search_result import BestHyperparameters, SearchEnd, TrialRecord
from assay.specs.pipeline import PipelineSpec

_LOG = logging.getLogger(__name__)


def find_best_hyperparameters(  # noqa: PLR0913 - rows, what they are, and who follows the search
    train: LabelledRows,
    spec: PipelineSpec,
    *,
    features: TableSchema,
    groups: np.ndarray | None,
    classes: tuple[Any, ...],
    progress: Progress | None = None,
    journal: TrialJournal | None = None,
    before: BestHyperparameters | None = None,
) -> BestHyperparameters:
    """Find the candidate and hyperparameters with the best metric on validation folds of the training rows.

    The space is joint: the family is a parameter, and each family has its own. It begins with the starting points of
    `starting_points`: the best of an earlier search, the base hyperparameters of each candidate, with a value inside
    where one is outside a written range, and points that did well on other tables. Then the sampler proposes, unless
    set a tree-structured Parzen estimator (Bergstra et al. 2011), and the pruner gives trials up after a fold, unless
    set those that are below the median. No point is tried twice; where a space has no more points, the search ends.
    Boosters stop early on the validation rows, where the pipeline leaves the number of rounds open.
    Preprocessing is fitted on each fold's training rows only. Without a timeout and with one worker, the same rows,
    spec and library versions give the same result, except for the trials' seconds.

    Args:
        train: the training rows.
        spec: the pipeline.
        features: columns and roles of the frame.
        groups: group or partition key of each row, for split by group or time.
        classes: class labels in order; empty for regression.
        progress: called with the record of each trial as it ends.
        journal: of this search; trials that it holds are not run again, and it is empty when the search has a result.
        before: the result of an earlier search, whose best point is tried first.

    Returns:
        The best trial's family and parameters, an average of families that is better beyond noise, or the best trial of
        a simpler family that is as good (`tuning.prefer_simpler`), with a correction of badly calibrated probabilities
        (`tuning.recalibrate`); the record of all trials. Without tuning, or with one candidate and nothing to vary, the
        first candidate's base values.

    Raises:
        LearningError: a hyperparameter or search range is refused, all trials failed, or no model is fast enough.
        UnknownModelError: a candidate cannot be used.
        UnknownMetricError: the primary metric is not known.
        UntrustedModelError: a candidate's model could not be stored.
        DataContractError: the rows cannot be cut into folds.
        FeatureStepError: outliers drop more of the rows than they may.
    """
    bound = TimeBound(spec.tuning.timeout)
    candidates = Candidates.of(spec, features)
    require_rows_kept(train, features, spec)
    for name, each in candidates.families.items():
        rehearse(each, candidates.base[name], train, features, spec)
    unsearched = _without_search(candidates)
    if unsearched is not None:
        return unsearched
    inputs = TrialInputs(train, features, make_folds(train.target, spec, groups), classes, spec, groups)
    with quiet_optuna(), running_trials(inputs) as trials:
        study = _begun(candidates, trials, bound, progress, journal, before)
        records, end = study.run()
    best = _best(candidates, records, end)
    finalists = study.finalists()
    chosen = averaged(best, finalists, inputs) if may_average(spec) else best
    if chosen is best and may_choose_simpler(spec):
        chosen = simplest(best, finalists, inputs)
    if may_recalibrate(spec):
        chosen = recalibrated(chosen, finalists, inputs)
    if journal is not None:
        journal.clear()
    return chosen


def _begun(
    candidates: Candidates,
    trials: Trials,
    bound: TimeBound,
    progress: Progress | None,
    journal: TrialJournal | None,
    before: BestHyperparameters | None,
) -> StudyRun:
    """Return a study that has repeated the trials of a journal; a new one where it comes to other points."""
    known = journal.entries() if journal is not None else ()
    bound = bound.after(sum(entry.record.seconds for entry in known) / worker_count(candidates.spec))
    study = StudyRun(candidates, trials, bound, progress, journal, before)
    if study.repeat(known) or journal is None:
        return study
    _LOG.warning("the journal of the interrupted search does not fit this version: the search begins anew")
    journal.clear()
    return StudyRun(candidates, trials, bound, progress, journal, before)


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
    has_bound = candidates.spec.tuning.max_latency_ms is not None
    if candidates.is_empty and len(candidates.families) == 1 and not has_bound:
        return _result(candidates, first, candidates.base[first], "empty_space")
    return None


def _best(candidates: Candidates, trials: tuple[TrialRecord, ...], end: SearchEnd) -> BestHyperparameters:
    complete = [trial for trial in trials if trial.state == "complete" and trial.value is not None]
    slow = [trial for trial in trials if trial.state == "too_slow"]
    if not complete and slow:
        raise _all_too_slow(slow, candidates.spec)
    if not complete:
        raise LearningError(
            f"all {len(trials)} trials of the search failed",
            where=f"pipeline {candidates.spec.name}, tuning",
            found="; ".join(dict.fromkeys(f"{trial.family}: {trial.reason}" for trial in trials)),
            remedy="correct what the reasons name, or remove the candidate from model.candidates",
        )
    sign = primary_metric(candidates.spec).sign
    best = max(complete, key=lambda trial: (sign * (trial.value or 0.0), -trial.number))
    found = _result(candidates, best.family, best.parameters, end, best.value, trials)
    return found.model_copy(update={"latency_ms": best.latency_ms})


def _all_too_slow(slow: Sequence[TrialRecord], spec: PipelineSpec) -> LearningError:
    fastest = min(slow, key=lambda trial: trial.latency_ms or 0.0)
    return LearningError(
        "no model that was tried predicts as fast as tuning.max_latency_ms asks for",
        where=f"pipeline {spec.name}, tuning.max_latency_ms",
        found=f"the fastest of {len(slow)} is {fastest.family}: {fastest.reason}",
        remedy="raise it, add a faster family such as logistic_regression or ridge, or search fewer trees",
    )


def _result(
    candidates: Candidates,
    family: str,
    parameters: dict[str, Any],
    end: SearchEnd,
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
        grid_points=grid_points(candidates) if trials else None,
        trials=trials,
        seed=candidates.spec.training.seed,
    )
