"""The average of the best trials of several families, where it is better beyond noise.

Weights are found by greedy selection with replacement on predictions of rows that no member was fitted on, averaged
over bags of rows (Caruana et al. 2004, "Ensemble selection from libraries of models"; 2006, "Getting the most out of
ensemble selection"). Whether the average is better is judged with weights that were found on other rows than they are
judged on.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.learning.estimators.ensembles import vote_parameters
from assay.learning.evaluation.bootstrap import Paired, Units, effects
from assay.learning.evaluation.metrics import Metric, measure, primary_metric
from assay.learning.evaluation.predictions import Predictions, joined, label_array
from assay.learning.tuning.trials import Measurement
from assay.learning.tuning.workers import TrialInputs
from assay.results.search_result import BestHyperparameters
from assay.specs.learning import ENSEMBLES, WEIGHT, parameters_of

if TYPE_CHECKING:
    import pandas as pd

MOST_MEMBERS = 4
CONFIDENCE = 0.95
"""That the average is better, one-sided, on rows on which no weight was found."""
_LEAST_WEIGHT = 0.05
_STEPS = 12
_BAGS = 5
_MOST_ROWS = 8_000


@dataclass(frozen=True, slots=True, eq=False)
class Finalist:
    """The best trial of a family.

    Attributes:
        family: its name.
        predictions: of the rows of all validation folds, one fold after the other.
    """

    family: str
    predictions: Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """An average that is better than the best trial alone.

    Attributes:
        weights: of each member, two digits, in sum 1.
        value: its metric on rows on which the weights were not found.
        gain: by how much it is better than the best trial, in the metric's unit.
    """

    weights: dict[str, float]
    value: float
    gain: float


class Finished(NamedTuple):
    """A complete trial: the metric where more is better, its number, family, hyperparameters and measurement."""

    rank: float
    number: int
    family: str
    parameters: dict[str, Any]
    measured: Measurement


@dataclass(frozen=True, slots=True, eq=False)
class ValidationRows:
    """The rows of all validation folds of the first repeat, one fold after the other.

    Attributes:
        truth: their target, shape (n,).
        classes: class labels in order; empty for regression.
        groups: number of each row's group, shape (n,), where rows depend on each other.
        asked: columns that metrics ask for.
        weights: how much each row counts in a fit, shape (n,); None where all count alike.
    """

    truth: np.ndarray
    classes: tuple[Any, ...]
    groups: np.ndarray | None
    asked: "pd.DataFrame | None"
    weights: np.ndarray | None

    @classmethod
    def of(cls, inputs: TrialInputs) -> "ValidationRows":
        """Return the rows of a search."""
        order = np.concatenate([fold.validation for fold in inputs.first_folds])
        groups, asked, weights = inputs.groups, inputs.rows.metric_columns, inputs.rows.weights
        return cls(
            inputs.rows.target.to_numpy()[order],
            inputs.classes,
            None if groups is None else np.unique(groups[order], return_inverse=True)[1],
            None if asked is None else asked.iloc[order],
            None if weights is None else weights[order],
        )

    def predictions(self, finished: Finished) -> Predictions:
        """Return what a trial predicted of the rows."""
        predicted = np.asarray(finished.measured.predicted)
        if not self.classes:
            return Predictions(predicted, None, (), rows=self.asked)
        return likeliest(predicted, self.classes, self.asked)


def averaged(best: BestHyperparameters, finished: list[Finished], inputs: TrialInputs) -> BestHyperparameters:
    """Return the average of the finished trials if it is better than the best of them, which is returned else."""
    members = [each for each in finished if each.family not in ENSEMBLES and each.measured.predicted is not None]
    if len(members) < 2 or members[0].family != best.family:  # noqa: PLR2004 - an average is of two
        return best
    rows, spec = ValidationRows.of(inputs), inputs.spec

    def blend_of(names: Collection[str]) -> Blend | None:
        return blended(
            [Finalist(each.family, rows.predictions(each)) for each in members if each.family in names],
            rows.truth,
            inputs.parts(),
            primary_metric(spec),
            groups=rows.groups,
            seed=spec.training.seed,
        )

    bound, latencies = spec.tuning.max_latency_ms, {each.family: each.measured.latency_ms or 0.0 for each in members}
    blend = fast_enough(blend_of, latencies, math.inf if bound is None else bound)
    if blend is None:
        return best
    latency = None if bound is None else sum(latencies[name] for name in blend.weights)
    parameters = vote_parameters(blend.weights, {each.family: each.parameters for each in members})
    changed = {"family": "vote", "parameters": parameters, "value": blend.value, "ensemble_gain": blend.gain}
    changed["latency_ms"] = latency
    return best.model_copy(update=changed)


def predicted_by(chosen: BestHyperparameters, finished: Sequence[Finished], rows: ValidationRows) -> Predictions | None:
    """Return what the outcome of a search predicted of the validation rows; None where its trial did not keep it.

    Args:
        chosen: the best trial of a family, or an average of `averaged`.
        finished: the best complete trial of each family.
        rows: of the search.
    """
    known = {each.family: each for each in finished if each.measured.predicted is not None}
    if chosen.ensemble_gain is not None:
        weights = parameters_of(WEIGHT, chosen.parameters)
        return _average({name: rows.predictions(known[name]) for name in weights}, weights)
    of_family = known.get(chosen.family)
    return rows.predictions(of_family) if of_family and of_family.parameters == chosen.parameters else None


def fast_enough(
    blend_of: Callable[[Collection[str]], Blend | None], latencies: Mapping[str, float], bound: float
) -> Blend | None:
    """Return the average whose members together predict within a bound; its slowest member is left out until they do.

    Args:
        blend_of: returns the average of some families; None where it is not better than the first of them.
        latencies: of the families, the best first, which stays.
        bound: of their sum.
    """
    best, names = next(iter(latencies)), [*latencies]
    while (blend := blend_of(names)) is not None and sum(latencies[name] for name in blend.weights) > bound:
        names.remove(max((name for name in blend.weights if name != best), key=lambda name: latencies[name]))
    return blend


def blended(
    finalists: Sequence[Finalist],
    truth: np.ndarray,
    parts: np.ndarray,
    metric: Metric,
    *,
    groups: np.ndarray | None,
    seed: int,
) -> Blend | None:
    """Return the average of finalists if it is better than the first of them.

    Args:
        finalists: the best trial of each family, the best of all first.
        truth: the target of the predicted rows, shape (n,).
        parts: a number of the part that each row belongs to, shape (n,): the weights by which a part is judged are
            found on the others.
        metric: decides.
        groups: number of each row's group, shape (n,), where rows depend on each other.
        seed: of bags and resamples.

    Returns:
        None where one family alone is as good, or the metric has no value.
    """
    if len(finalists) < 2 or np.unique(parts).size < 2:  # noqa: PLR2004 - an average is of two, judged on other rows
        return None
    weights = _weights(finalists, truth, metric, seed)
    if len(weights) < 2:  # noqa: PLR2004 - as above
        return None
    nested = _judged(finalists, truth, parts, metric, seed)
    best = finalists[0].predictions
    (effect,) = effects([(metric, None)], Paired(truth, best, nested), Units(groups=groups), seed)
    lower = effect.lower_bound(CONFIDENCE)
    if effect.new is None or effect.value is None or lower is None or lower <= 0:
        return None
    return Blend(weights, effect.new, effect.value)


def _judged(
    finalists: Sequence[Finalist], truth: np.ndarray, parts: np.ndarray, metric: Metric, seed: int
) -> Predictions:
    """Return the average's predictions of each part, by weights that were found on the other parts."""
    order, found = [], []
    for part in np.unique(parts):
        inside = parts == part
        others = [Finalist(each.family, each.predictions.take(~inside)) for each in finalists]
        weights = _weights(others, truth[~inside], metric, seed)
        order.append(np.flatnonzero(inside))
        found.append(_average({each.family: each.predictions.take(inside) for each in finalists}, weights))
    back = np.argsort(np.concatenate(order), kind="stable")
    return joined(found).take(back).beside(finalists[0].predictions.rows)


def _weights(finalists: Sequence[Finalist], truth: np.ndarray, metric: Metric, seed: int) -> dict[str, float]:
    """Return the weights of at most four members; the mean over bags of half of the rows each."""
    random = np.random.default_rng(seed)
    size = min(_MOST_ROWS, max(2, len(truth) // 2))
    total = np.zeros(len(finalists))
    for _ in range(_BAGS):
        rows = random.choice(len(truth), size, replace=False)
        total += _greedy([each.predictions.take(rows) for each in finalists], truth[rows], metric)
    shares = total / total.sum()
    shares[np.argsort(-shares, kind="stable")[MOST_MEMBERS:]] = 0.0
    shares[shares < _LEAST_WEIGHT] = 0.0
    return _rounded({each.family: share for each, share in zip(finalists, shares / shares.sum(), strict=True) if share})


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    """Return shares of two digits whose sum is 1; the largest takes what rounding leaves."""
    found = {name: round(float(share), 2) for name, share in shares.items()}
    largest = max(found, key=lambda name: found[name])
    found[largest] = round(found[largest] + 1 - sum(found.values()), 2)
    return found


def _greedy(members: Sequence[Predictions], truth: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the share of each member's choices: always the one is chosen whose addition makes the average best."""
    chosen = np.zeros(len(members))
    for _ in range(_STEPS):
        values = []
        for added in np.eye(len(members)):
            value = measure(metric, truth, _averaged(members, chosen + added)).value
            values.append(-np.inf if value is None else metric.sign * value)
        chosen[int(np.argmax(values))] += 1
    shares: np.ndarray = chosen / _STEPS
    return shares


def _average(members: Mapping[str, Predictions], weights: Mapping[str, float]) -> Predictions:
    named = list(members)
    return _averaged([members[name] for name in named], np.array([weights.get(name, 0.0) for name in named]))


def _averaged(members: Sequence[Predictions], weights: np.ndarray) -> Predictions:
    """Return the weighted mean of predictions, as a vote of fitted models gives it."""
    first, shares = members[0], weights / weights.sum()
    used = [(each, share) for each, share in zip(members, shares, strict=True) if share]
    if first.probabilities is None:
        labels = np.sum([share * each.labels for each, share in used], axis=0)
        return Predictions(labels, None, first.classes, rows=first.rows)
    probabilities = np.sum([share * each.probabilities for each, share in used], axis=0)
    return likeliest(probabilities, first.classes, first.rows)


def likeliest(probabilities: np.ndarray, classes: tuple[Any, ...], rows: "pd.DataFrame | None") -> Predictions:
    """Return predictions that label each row by its likeliest class."""
    return Predictions(label_array(classes)[probabilities.argmax(axis=1)], probabilities, classes, rows=rows)
