"""Calibration and threshold of a recipe, found on predictions of training rows by fits that did not learn from them."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import LearningError
from assay.learning.evaluation.predictions import label_array
from assay.learning.evaluation.thresholds import best_threshold
from assay.learning.out_of_fold import OutOfFold, out_of_fold
from assay.learning.splitting import Split
from assay.learning.tuning.candidates import may_recalibrate
from assay.results.recalibration import Recalibration
from assay.results.search_result import BestHyperparameters
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from assay.learning.estimators.decisions import Decision


def decided(fitted: "Pipeline", split: Split, best: BestHyperparameters, spec: PipelineSpec) -> "Pipeline":
    """Return a pipeline that was fitted on the training rows with its calibration and threshold, where asked for.

    Raises:
        LearningError: the model has no probabilities, or the rows are too few.
        DataContractError: the rows cannot be cut into folds.
    """
    asked = spec.training
    recalibration = recalibration_for(best, spec)
    if asked.calibration is None and asked.threshold is None and recalibration is None:
        return fitted
    from assay.learning.estimators.decisions import Decision, calibration_of

    if recalibration is not None:
        return Decision(calibration_of(recalibration.curves, np.asarray(fitted.classes_))).applied_to(fitted)

    if not hasattr(fitted, "predict_proba"):
        raise LearningError(
            f"'{best.family}' has no predict_proba, which calibration and threshold need",
            where=f"pipeline {spec.name}, training",
            found=best.family,
            expected="a model with predict_proba",
            remedy="name another family, or remove training.calibration and training.threshold",
        )
    if asked.calibration is None and isinstance(asked.threshold, float):
        return Decision(threshold=asked.threshold).applied_to(fitted)
    predicted = out_of_fold(split, best, spec, tuple(fitted.classes_.tolist()))
    return _found(predicted, split, spec).applied_to(fitted)


def recalibration_for(best: BestHyperparameters, spec: PipelineSpec) -> Recalibration | None:
    """Return the correction that a search found, unless the pipeline states how probabilities are made."""
    return best.recalibration if may_recalibrate(spec) else None


def decided_like(fitted: "Pipeline", other: "Pipeline", threshold: float | None = None) -> "Pipeline":
    """Return a fitted pipeline with the calibration and threshold of another fit of its recipe.

    Args:
        fitted: without any.
        other: has them.
        threshold: in place of the other's.
    """
    from assay.learning.estimators.decisions import decision_of

    decision = decision_of(other)
    if decision.calibrated is None and decision.threshold is None and threshold is None:
        return fitted
    return replace(decision, threshold=threshold or decision.threshold).applied_to(fitted)


def threshold_of(fitted: "Pipeline") -> float | None:
    """Return the probability from which a fitted pipeline labels rows positive; None for the likeliest class."""
    from assay.learning.estimators.decisions import decision_of

    return decision_of(fitted).threshold


def _found(predicted: OutOfFold, split: Split, spec: PipelineSpec) -> "Decision":
    from assay.learning.estimators.decisions import Decision, calibration

    rows = split.train.take(predicted.rows)
    truth, shares = rows.target.to_numpy(), np.asarray(predicted.predictions.probabilities)
    classes, found = label_array(predicted.predictions.classes), None
    if spec.training.calibration is not None:
        try:
            found, shares = calibration(shares, truth, classes, spec.training.calibration, rows.weights)
        except ValueError as error:
            raise LearningError(
                "the training rows are too few for a calibration",
                where=f"pipeline {spec.name}, training.calibration",
                found=f"{len(truth):,} rows: {error}",
                remedy="add rows, or remove training.calibration",
            ) from error
    asked = spec.training.threshold
    if asked is None or isinstance(asked, float):
        return Decision(found, asked)
    return Decision(found, best_threshold(truth == classes[-1], shares[:, -1], asked))
