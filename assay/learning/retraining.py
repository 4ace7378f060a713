"""How much a metric varies between retrainings of one recipe, measured by twins: fits on two halves of the rows."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.learning.deciding import decided_like
from assay.learning.estimators.assembly import build_pipeline, limited_threads, weighted_options
from assay.learning.estimators.ensembles import family_of, model_with
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import Measured, Metric, measure
from assay.learning.evaluation.predictions import predictions_of
from assay.learning.splitting import LabelledRows, Split
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

TWINS = 6
MOST_ROWS = 50_000
_CHUNKS = 64
"""Neighbours in time are halved in pieces: each partition of a time split is cut into so many."""


@dataclass(frozen=True, slots=True)
class RetrainingNoise:
    """The noise of a metric between two retrainings of one recipe on rows of their own.

    Attributes:
        spread: root mean square of the twins' differences in the metric; None where no twins could be compared.
        twins: how many pairs were compared; the degrees of freedom of `spread`.
        reason: why a pair could not be compared.
    """

    spread: float | None
    twins: int
    reason: str = ""


def measure_retraining(
    metric: Metric, model: TrainedModel, split: Split, holdout: LabelledRows, spec: PipelineSpec
) -> RetrainingNoise:
    """Fit a model's recipe to halves of its training rows and compare the halves on the holdout.

    Two halves are independent samples, so their difference has the mean 0 and the variance of a retraining on half as
    many rows, an upper bound of that on all rows. Different halvings give uncorrelated differences. Classes keep their
    shares, groups stay whole, and neighbours in time stay together. Of more than 50,000 rows a seeded subset is halved.
    Source: the half-sampling estimate of variance (McCarthy 1969, "Pseudo-replication: half samples").

    Args:
        metric: what is compared.
        model: gives family and hyperparameters.
        split: gives the training rows.
        holdout: rows to compare on.
        spec: the pipeline.
    """
    twins = [
        [_measured_twin(metric, model, half, split, holdout, spec) for half in halves]
        for halves in _halvings(split, spec)
    ]
    known = [(one.value, other.value) for one, other in twins if one.value is not None and other.value is not None]
    reasons = [each.reason for pair in twins for each in pair if each.reason]
    spread = float(np.sqrt(np.mean([(one - other) ** 2 for one, other in known]))) if known else None
    return RetrainingNoise(spread, len(known), reasons[0] if reasons else "")


def _measured_twin(
    metric: Metric, model: TrainedModel, half: LabelledRows, split: Split, holdout: LabelledRows, spec: PipelineSpec
) -> Measured:
    facts = model.manifest
    spec = spec.model_copy(update={"model": model_with(spec.model, facts.family, facts.parameters)})
    chosen = family_of(facts.family, spec.task, spec.model)
    with limited_threads(spec.training.threads), warnings.catch_warnings():
        # a half that has not converged is compared like any other
        warnings.simplefilter("ignore")
        try:
            twin = build_pipeline(chosen, facts.parameters, split.features, spec)
            fitted = twin.fit(half.features, half.target, **weighted_options(half, spec))
            fitted = decided_like(fitted, model.estimator)
            predictions = predictions_of(fitted, holdout, split.classes, spec.task)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; the reason is recorded
            return Measured(None, f"{type(error).__name__}: {error}")
    return measure(metric, truth_of(holdout), predictions)


def _halvings(split: Split, spec: PipelineSpec) -> Iterator[list[LabelledRows]]:
    random, rows = np.random.default_rng(spec.training.seed), split.train
    count = len(rows.target)
    kept = np.sort(random.choice(count, MOST_ROWS, replace=False)) if count > MOST_ROWS else np.arange(count)
    units, strata = _units(split, spec, kept)
    for _ in range(TWINS):
        second = _second_half(units, strata, random)
        yield [rows.take(kept[side]) for side in (~second, second)]


def _units(split: Split, spec: PipelineSpec, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the unit of each row that is halved as a whole, and the stratum of each unit."""
    import pandas as pd

    if split.train_groups is None:
        labels: Any = split.train.target.iloc[kept] if spec.task.is_classification else np.zeros(len(kept))
        return np.arange(len(kept)), pd.factorize(labels)[0]
    groups = pd.factorize(split.train_groups[kept])[0]
    if spec.split.by == "time":
        position = pd.Series(groups).groupby(groups).cumcount().to_numpy()
        sizes = np.bincount(groups)[groups]
        groups = pd.factorize(groups * _CHUNKS + position * _CHUNKS // sizes)[0]
    return groups, np.zeros(groups.max() + 1, dtype=np.int64)


def _second_half(units: np.ndarray, strata: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return which rows are in the second half: every other unit of each stratum, in random order."""
    shuffled = random.permutation(len(strata))
    in_order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    sides = np.empty(len(strata), dtype=bool)
    sides[in_order] = np.arange(len(strata)) % 2 == random.integers(2)
    return np.asarray(sides[units])
