"""Which plots a model gets, by its task and its estimator's methods; and permutation importance."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.metrics import Metric, Predictions, measure, predict, primary_metric
from assay.learning.evaluation.metrics.classification import codes, label_codes
from assay.learning.evaluation.plots.canvas import BLUE, GREY, PALETTE, draw, grid, sample, shortened
from assay.learning.evaluation.plots.predictions import (
    Curve,
    Forecasts,
    calibration_plot,
    confusion_plot,
    precision_recall_plot,
    predicted_vs_actual_plot,
    residuals_plot,
    roc_plot,
    score_distribution_plot,
)
from assay.learning.splitting import Split
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 300
_MOST_ROWS = 2_000
_FEWEST_ROWS = 500
_MOST_REPEATS = 5
_BUDGET = 250
_SHOWN = 15


def rows_for(classes: int) -> int:
    """Return how many rows are enough: 2,000, fewer with many classes, each of which costs a boosted tree per round."""
    return max(_FEWEST_ROWS, min(_MOST_ROWS, 2 * _MOST_ROWS // max(classes, 1)))


def permutation_importance(
    predict_rows: "Callable[[pd.DataFrame], Predictions]",
    features: "pd.DataFrame",
    truth: np.ndarray,
    metric: Metric,
    seed: int,
    most_rows: int,
) -> dict[str, list[float]]:
    """Return, by column, the metric's loss in each shuffle; positive means that the column helps.

    Source: Breiman (2001), "Random Forests"; Fisher, Rudin and Dominici (2019), "All models are wrong, but many are
    useful".

    Args:
        predict_rows: predicts rows of the feature frame.
        features: rows of the feature frame.
        truth: shape (n,).
        metric: what is lost.
        seed: of the choice of rows and of the shuffles.
        most_rows: how many rows are used, see `rows_for`.

    Returns:
        One to five losses of each column, fewer the more columns there are; empty where the metric has no value.
    """
    chosen = sample(len(truth), seed, most_rows)
    rows, true = features.iloc[chosen].reset_index(drop=True), truth[chosen]
    intact = measure(metric, true, predict_rows(rows)).value
    if intact is None:
        return {}
    random = np.random.default_rng(seed)
    repeats = int(np.clip(_BUDGET // max(rows.shape[1], 1), 1, _MOST_REPEATS))
    losses: dict[str, list[float]] = {}
    for name in rows.columns:
        for _ in range(repeats):
            shuffled = rows.copy(deep=False)
            shuffled[name] = rows[name].to_numpy()[random.permutation(len(rows))]
            without = measure(metric, true, predict_rows(shuffled)).value
            if without is not None:
                loss = intact - without if metric.greater_is_better else without - intact
                losses.setdefault(str(name), []).append(loss)
    return losses


def importance_plot(losses: dict[str, list[float]], metric: Metric, subtitle: str) -> bytes:
    """Draw the 15 columns whose shuffling costs most, with the range over the shuffles."""
    ranked = sorted(losses, key=lambda name: float(np.mean(losses[name])), reverse=True)[:_SHOWN][::-1]
    means = np.array([np.mean(losses[name]) for name in ranked])
    spread = np.array([[np.mean(losses[n]) - min(losses[n]), max(losses[n]) - np.mean(losses[n])] for n in ranked])

    def paint(axes: Any) -> None:
        axes.barh(range(len(ranked)), means, xerr=spread.T, color=BLUE, ecolor="black", capsize=2, height=0.7)
        axes.set_yticks(range(len(ranked)), [shortened(name) for name in ranked], fontsize=9)
        axes.axvline(0, color=GREY, linewidth=1)
        grid(axes)

    shown = f"the {_SHOWN} of {len(losses)} columns that matter most" if len(losses) > _SHOWN else "all columns"
    change = "Drop in" if metric.greater_is_better else "Rise of"
    x_label = f"{change} {shortened(metric.name, 40)} when the column is shuffled"
    return draw(f"Permutation importance\n{subtitle}; {shown}; black: range over shuffles", x_label, "", paint)


_Plots: TypeAlias = dict[str, bytes]
_BINARY = 2


def plots_for(model: TrainedModel, split: Split, spec: PipelineSpec) -> dict[str, bytes]:
    """Draw a model's plots on the holdout.

    Args:
        model: a fitted model.
        split: the rows; the holdout is drawn.
        spec: the pipeline.

    Returns:
        PNG bytes by name. A plot without meaning is left out: curves with one class in the holdout, probabilities
        that the estimator does not give, importance of more than 300 columns.
    """
    from assay.learning.estimators.assembly import limited_threads

    classes = model.manifest.classes

    def predicted(frame: "pd.DataFrame") -> Predictions:
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
    unknown = max(int(true.max()), int(said.max())) + 1 - len(predictions.classes)
    names = [*map(str, predictions.classes), *(["(unknown class)"] * unknown)]
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


def _importance(predicted: "Callable[[pd.DataFrame], Predictions]", split: Split, spec: PipelineSpec) -> _Plots:
    features, metric = split.holdout.features, primary_metric(spec)
    if features.shape[1] > MOST_COLUMNS:
        return {}
    most_rows = rows_for(len(split.classes))
    truth = truth_of(split.holdout)
    losses = permutation_importance(predicted, features, truth, metric, spec.training.seed, most_rows)
    subtitle = f"{shortened(spec.name)}, {min(len(truth), most_rows):,} holdout rows"
    return {"permutation_importance": importance_plot(losses, metric, subtitle)} if losses else {}
