"""Which plots a model gets, by its task and by what its estimator can say."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd

from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import Predictions, predict, primary_metric
from assay.learning.evaluation.metrics.classification import codes, label_codes
from assay.learning.evaluation.plots.canvas import PALETTE, shortened
from assay.learning.evaluation.plots.classification import (
    Curve,
    Forecasts,
    calibration_plot,
    confusion_plot,
    precision_recall_plot,
    roc_plot,
    score_distribution_plot,
)
from assay.learning.evaluation.plots.importance import MOST_COLUMNS, importance_plot, permutation_importance, rows_for
from assay.learning.evaluation.plots.regression import predicted_vs_actual_plot, residuals_plot
from assay.learning.splitting import Split
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

_Plots: TypeAlias = dict[str, bytes]
_BINARY = 2


def plots_for(model: TrainedModel, split: Split, spec: PipelineSpec) -> dict[str, bytes]:
    """Draw a model's plots on the holdout.

    Args:
        model: a fitted model.
        split: the rows; the holdout is drawn.
        spec: the pipeline.

    Returns:
        PNG bytes by name. A plot is left out where it has no meaning: curves with one class in the holdout,
        probabilities that the estimator does not give, importance of more than 300 columns.
    """
    from assay.learning.estimators.assembly import limited_threads

    classes = model.manifest.classes

    def predicted(frame: pd.DataFrame) -> Predictions:
        return predict(model.estimator, frame, classes, spec.task)

    with limited_threads(1):
        truth, predictions = truth_of(split.holdout), predicted(split.holdout.features)
        subtitle = f"{shortened(spec.name, 30)}, {shortened(model.manifest.family)}, {len(truth):,} holdout rows"
        draw_task = _classification_plots if spec.task.is_classification else _regression_plots
        return draw_task(truth, predictions, subtitle, spec) | _importance(predicted, split, spec)


def _regression_plots(truth: np.ndarray, predictions: Predictions, subtitle: str, spec: PipelineSpec) -> _Plots:
    given = (truth.astype(np.float64), predictions.labels, spec.dataset.target, subtitle, spec.training.seed)
    return {"predicted_vs_actual": predicted_vs_actual_plot(*given), "residuals": residuals_plot(*given)}


def _classification_plots(truth: np.ndarray, predictions: Predictions, subtitle: str, _: PipelineSpec) -> _Plots:
    true, said = label_codes(truth, predictions)
    strangers = max(int(true.max()), int(said.max())) + 1 - len(predictions.classes)
    names = [*map(str, predictions.classes), *(["(unknown class)"] * strangers)]
    plots = {"confusion_matrix": confusion_plot(true, said, names, subtitle)}
    curves = _curves(codes(truth, predictions.classes), predictions)
    if curves:
        plots["roc_curve"] = roc_plot(curves, subtitle)
        plots["precision_recall_curve"] = precision_recall_plot(curves, subtitle)
    if predictions.probabilities is not None:
        stated = _forecasts(true, said, predictions, predictions.probabilities)
        plots["calibration"] = calibration_plot(stated, subtitle)
        plots["score_distribution"] = score_distribution_plot(stated, subtitle)
    return plots


def _curves(true: np.ndarray, predictions: Predictions) -> list[Curve]:
    """Return the positive class's curve, or those of the commonest classes against the rest."""
    if predictions.probabilities is None:
        scores = {} if predictions.scores is None else {len(predictions.classes) - 1: predictions.scores}
    elif len(predictions.classes) == _BINARY:
        scores = {1: predictions.probabilities[:, 1]}
    else:
        counts = np.bincount(true, minlength=len(predictions.classes))[: len(predictions.classes)]
        commonest = np.argsort(-counts, kind="stable")[: len(PALETTE)]
        scores = {int(code): predictions.probabilities[:, code] for code in commonest}
    one = len(predictions.classes) == _BINARY
    found = [
        Curve("" if one else str(predictions.classes[code]), true == code, score) for code, score in scores.items()
    ]
    return [curve for curve in found if curve.positive.any() and not curve.positive.all()]


def _forecasts(true: np.ndarray, said: np.ndarray, predictions: Predictions, probabilities: np.ndarray) -> Forecasts:
    if len(predictions.classes) == _BINARY:
        positive, negative = (shortened(predictions.classes[place], 16) for place in (1, 0))
        return Forecasts(probabilities[:, 1], true == 1, f"'{positive}'", f"truly '{positive}'", f"truly '{negative}'")
    return Forecasts(
        probabilities.max(axis=1), true == said, "the predicted class", "rightly predicted", "wrongly predicted"
    )


def _importance(predicted: Callable[[pd.DataFrame], Predictions], split: Split, spec: PipelineSpec) -> _Plots:
    features, metric = split.holdout.features, primary_metric(spec)
    if features.shape[1] > MOST_COLUMNS:
        return {}
    most_rows = rows_for(len(split.classes))
    truth = truth_of(split.holdout)
    losses = permutation_importance(predicted, features, truth, metric, spec.training.seed, most_rows)
    subtitle = f"{shortened(spec.name)}, {min(len(truth), most_rows):,} holdout rows"
    return {"permutation_importance": importance_plot(losses, metric, subtitle)} if losses else {}
