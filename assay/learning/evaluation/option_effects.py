"""What calibration, threshold and intervals change on the holdout."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import Predictions, label_codes, predictions_of
from assay.learning.evaluation.thresholds import costs
from assay.learning.intervals import interval_ends
from assay.learning.splitting import LabelledRows
from assay.results.fit_options import FitOptions
from assay.results.option_effects import DecisionEffects, IntervalEffects, LabelCounts
from assay.results.trained_model import TrainedModel

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def decision_effects(
    model: TrainedModel, holdout: LabelledRows, predictions: Predictions, metrics: Sequence[Metric]
) -> DecisionEffects | None:
    """Return what calibration and threshold change; None for a model without.

    Args:
        model: whose evaluated fit is measured.
        holdout: rows that it has not learned from.
        predictions: of these rows, with calibration and threshold.
        metrics: that are measured without them.
    """
    facts = model.manifest
    options = facts.options or FitOptions()
    if options.calibration is None and options.threshold is None and options.recalibration is None:
        return None
    plain = predictions_of(_without_decision(model.evaluated.estimator), holdout, facts.classes, facts.task)
    truth = np.asarray(holdout.target.to_numpy())
    found = {each.name: measure(each, truth, plain).value for each in metrics}
    as_fitted = {name: value for name, value in found.items() if value is not None}
    if options.threshold is None:
        return DecisionEffects(as_fitted=as_fitted)
    cost = options.threshold_for.cost if options.threshold_for is not None else None
    counts, before = _counts(truth, predictions), _counts(truth, plain)
    each = [
        None if cost is None else float(costs(np.array(of.false_positives), np.array(of.false_negatives), cost))
        for of in (counts, before)
    ]
    return DecisionEffects(
        threshold=options.threshold,
        counts=counts,
        cost=None if each[0] is None else each[0] / len(truth),
        cost_as_fitted=None if each[1] is None else each[1] / len(truth),
        as_fitted=as_fitted,
    )


def interval_effects(model: TrainedModel, truth: np.ndarray, predictions: Predictions) -> IntervalEffects | None:
    """Return what intervals hold whose width was found on training rows; None for a model without.

    Args:
        model: with its reference.
        truth: targets of rows that it has not learned from, shape (n,).
        predictions: of these rows.
    """
    options, reference = model.manifest.options, model.manifest.reference
    if options is None or options.interval is None or reference is None or not reference.training_errors:
        return None
    ends = interval_ends(model.evaluated, predictions.labels, options.interval)
    if ends is None:
        return None
    (low, high), targets = ends, truth.astype(np.float64)
    inside = (low <= targets) & (targets <= high)
    return IntervalEffects(
        share=options.interval, coverage=float(np.mean(inside)), mean_width=float(np.mean(high - low))
    )


def _without_decision(fitted: "Pipeline") -> "Pipeline":
    from assay.learning.estimators.decisions import Decision

    return Decision().applied_to(fitted)


def _counts(truth: np.ndarray, predictions: Predictions) -> LabelCounts:
    true, said = label_codes(truth, predictions)
    return LabelCounts(
        true_positives=int(((true == 1) & (said == 1)).sum()),
        false_positives=int(((true == 0) & (said == 1)).sum()),
        false_negatives=int(((true == 1) & (said == 0)).sum()),
        true_negatives=int(((true == 0) & (said == 0)).sum()),
    )
