"""The correction of a chosen model's probabilities, where the search shows that they are badly calibrated.

Whether a sigmoid helps is judged on rows on which it was not found. Boosters of few rows, naive Bayes and forests
profit most (Niculescu-Mizil and Caruana 2005, "Predicting good probabilities with supervised learning").
"""

from collections.abc import Sequence

import numpy as np

from assay.learning.evaluation.bootstrap import Effect, Paired, Units, effects
from assay.learning.evaluation.metrics import Metric, measure, metric, primary_metric
from assay.learning.evaluation.predictions import Predictions, label_array
from assay.learning.tuning.blending import Finished, ValidationRows, likeliest, predicted_by
from assay.learning.tuning.workers import TrialInputs
from assay.results.recalibration import Recalibration
from assay.results.search_result import BestHyperparameters

CONFIDENCE = 0.95
"""That the log loss falls, one-sided."""
LEAST_GAIN = 0.02
"""Share of the log loss by which it falls at least: less is not worth a further step in every prediction."""


FEWEST_ROWS = 10
"""Rows of each class outside each part: a sigmoid has two parameters."""


def recalibrated(best: BestHyperparameters, finished: Sequence[Finished], inputs: TrialInputs) -> BestHyperparameters:
    """Return the chosen model with a correction of its probabilities where these are badly calibrated, else as it is.

    Args:
        best: the best trial, a simpler family's, or an average.
        finished: the best complete trial of each family.
        inputs: of the search.
    """
    rows, parts = ValidationRows.of(inputs), inputs.parts()
    before = predicted_by(best, finished, rows)
    if before is None or before.probabilities is None or not _enough(rows, parts):
        return best
    everywhere = np.ones(len(rows.truth), dtype=bool)
    curves = _curves(before, rows, everywhere)
    effect = _effect(before, _judged(before, rows, parts), rows, metric("log_loss", inputs.spec.task), inputs)
    if not _helps(effect) or _costs(before, _corrected(before, curves), rows, inputs):
        return best
    found = Recalibration(curves=curves, log_loss_before=effect.old or 0.0, log_loss_after=effect.new or 0.0)
    return best.model_copy(update={"recalibration": found})


def _enough(rows: ValidationRows, parts: np.ndarray) -> bool:
    outside = [rows.truth[parts != part] for part in np.unique(parts)]
    return all(np.sum(truth == label) >= FEWEST_ROWS for truth in [rows.truth, *outside] for label in rows.classes)


def _curves(predicted: Predictions, rows: ValidationRows, inside: np.ndarray) -> tuple[tuple[float, float], ...]:
    from assay.learning.estimators.decisions import sigmoid_curves

    probabilities = np.asarray(predicted.probabilities)[inside]
    weights = None if rows.weights is None else rows.weights[inside]
    return sigmoid_curves(probabilities, rows.truth[inside], label_array(rows.classes), weights)


def _corrected(predicted: Predictions, curves: tuple[tuple[float, float], ...]) -> Predictions:
    from assay.learning.estimators.decisions import corrected

    shares = corrected(np.asarray(predicted.probabilities), curves, label_array(predicted.classes))
    return likeliest(shares, predicted.classes, predicted.rows)


def _judged(before: Predictions, rows: ValidationRows, parts: np.ndarray) -> Predictions:
    """Return the predictions of each part, corrected by a sigmoid that was found on the others."""
    shares = np.empty_like(np.asarray(before.probabilities))
    for part in np.unique(parts):
        inside = parts == part
        shares[inside] = _corrected(before.take(inside), _curves(before, rows, ~inside)).probabilities
    return likeliest(shares, before.classes, before.rows)


def _effect(old: Predictions, new: Predictions, rows: ValidationRows, by: Metric, inputs: TrialInputs) -> Effect:
    pair = Paired(rows.truth, old, new)
    (effect,) = effects([(by, None)], pair, Units(groups=rows.groups), inputs.spec.training.seed)
    return effect


def _helps(effect: Effect) -> bool:
    lower = effect.lower_bound(CONFIDENCE)
    if effect.value is None or effect.old is None or lower is None:
        return False
    return lower > 0 and effect.value >= LEAST_GAIN * effect.old


def _costs(before: Predictions, after: Predictions, rows: ValidationRows, inputs: TrialInputs) -> bool:
    """Return whether the primary metric is worse with the correction, as one of labels may be."""
    by = primary_metric(inputs.spec)
    old, new = (measure(by, rows.truth, each).value for each in (before, after))
    return old is None or new is None or by.gain(old, new) < 0
