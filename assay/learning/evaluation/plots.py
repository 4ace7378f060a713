"""The plots of a model, by its task and its estimator's methods, of its permutation importance, and of a search."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from assay.counting import counted
from assay.learning.evaluation.drawing import (
    BLUE,
    GREY,
    MARKERS,
    PALETTE,
    Curve,
    Forecasts,
    calibration_plot,
    confusion_plot,
    draw,
    precision_recall_plot,
    predicted_vs_actual_plot,
    residuals_plot,
    roc_plot,
    sample,
    score_distribution_plot,
    shortened,
)
from assay.learning.evaluation.evaluating import holdout_predictions, truth_of
from assay.learning.evaluation.metrics import Metric, measure, primary_metric
from assay.learning.evaluation.predictions import Predictions, codes, label_codes, predict
from assay.learning.splitting import Split
from assay.results.search_result import ENDED, BestHyperparameters
from assay.results.trained_model import TrainedModel
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

Losses: TypeAlias = dict[str, list[float]]
"""By column, what the primary metric lost in each shuffle of it."""
MOST_COLUMNS = 300
_MOST_ROWS = 2_000
_FEWEST_ROWS = 500
_MOST_REPEATS = 5
_BUDGET = 250
_SHOWN = 15
_BINARY = 2


def plots_for(
    model: TrainedModel,
    split: Split,
    spec: PipelineSpec,
    losses: Losses | None = None,
    predictions: Predictions | None = None,
) -> dict[str, bytes]:
    """Draw a model's plots on the holdout, by its fit without it.

    Args:
        model: the fitted model.
        split: its rows.
        spec: the pipeline.
        losses: what `losses_of` returns, where it is known already.
        predictions: what `holdout_predictions` returns, where they are made already.

    Returns:
        PNG bytes by name. A plot without meaning is left out: curves with one class in the holdout, probabilities
        that the estimator does not give, importance of more than 300 columns.
    """
    from assay.learning.estimators.assembly import limited_threads

    losses = losses_of(model, split, spec) if losses is None else losses
    predictions = holdout_predictions(model, split, spec) if predictions is None else predictions
    truth = truth_of(split.holdout)
    with limited_threads(1):
        subtitle = f"{shortened(spec.name, 30)}, {shortened(model.manifest.family)}, {len(truth):,} holdout rows"
        if spec.task.is_classification:
            plots = _classification_plots(truth, predictions, subtitle)
        else:
            given = (truth.astype(np.float64), predictions.labels, spec.dataset.target, subtitle, spec.training.seed)
            plots = {"predicted_vs_actual": predicted_vs_actual_plot(*given), "residuals": residuals_plot(*given)}
    rows = min(len(truth), rows_for(len(split.classes)))
    subtitle = f"{shortened(spec.name)}, {rows:,} holdout rows"
    shown = {"permutation_importance": importance_plot(losses, primary_metric(spec), subtitle)} if losses else {}
    return plots | shown


def _classification_plots(truth: np.ndarray, predictions: Predictions, subtitle: str) -> dict[str, bytes]:
    true, said = label_codes(truth, predictions)
    unknown = max(int(true.max()), int(said.max())) + 1 - len(predictions.classes)
    names = [*map(str, predictions.classes), *(["(unknown class)"] * unknown)]
    plots = {"confusion_matrix": confusion_plot(true, said, names, subtitle)}
    curves = curves_of(codes(truth, predictions.classes), predictions)
    if curves:
        plots["roc_curve"] = roc_plot(curves, subtitle)
        plots["precision_recall_curve"] = precision_recall_plot(curves, subtitle)
    if predictions.probabilities is not None:
        stated = forecasts_of(true, said, predictions.probabilities, predictions.classes)
        plots["calibration"] = calibration_plot(stated, subtitle)
        plots["score_distribution"] = score_distribution_plot(stated, subtitle)
    return plots


def curves_of(true: np.ndarray, predictions: Predictions) -> list[Curve]:
    """Return the positive class's curve, or those of the commonest classes against the rest."""
    classes, shares = predictions.classes, predictions.probabilities
    one = len(classes) == _BINARY
    if shares is None:
        scores = {} if predictions.scores is None else {len(classes) - 1: predictions.scores}
    elif one:
        scores = {1: shares[:, 1]}
    else:
        counts = np.bincount(true, minlength=len(classes))[: len(classes)]
        commonest = np.argsort(-counts, kind="stable")[: len(PALETTE)]
        scores = {int(code): shares[:, code] for code in commonest}
    found = [Curve("" if one else str(classes[code]), true == code, score) for code, score in scores.items()]
    return [curve for curve in found if curve.positive.any() and not curve.positive.all()]


def forecasts_of(true: np.ndarray, said: np.ndarray, shares: np.ndarray, classes: tuple[Any, ...]) -> Forecasts:
    """Return the probability of the positive class, or of the predicted one of several, and whether it was right.

    Args:
        true: codes of the true classes, shape (n,).
        said: codes of the predicted classes, shape (n,).
        shares: probabilities, shape (n, k).
        classes: the k labels.
    """
    if len(classes) == _BINARY:
        negative, positive = (f"'{shortened(label, 16)}'" for label in classes)
        return Forecasts(shares[:, 1], true == 1, positive, f"truly {positive}", f"truly {negative}")
    return Forecasts(shares.max(axis=1), true == said, "the predicted class", "rightly predicted", "wrongly predicted")


def losses_of(model: TrainedModel, split: Split, spec: PipelineSpec) -> Losses:
    """Return the permutation importance of a model's fit without the holdout, in the primary metric.

    Returns:
        By column what `permutation_importance` returns; empty with more than 300 columns.
    """
    from assay.learning.estimators.assembly import limited_threads

    features, metric, estimator = split.holdout.features, primary_metric(spec), model.evaluated.estimator
    if features.shape[1] > MOST_COLUMNS:
        return {}

    def predicted(frame: "pd.DataFrame") -> Predictions:
        return predict(estimator, frame, model.manifest.classes, spec.task)

    most_rows, asked = rows_for(len(split.classes)), split.holdout.metric_columns
    with limited_threads(1):
        return permutation_importance(
            predicted, features, truth_of(split.holdout), metric, spec.training.seed, most_rows, asked
        )


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
    asked: "pd.DataFrame | None" = None,
) -> Losses:
    """Return, by column, the metric's loss in each shuffle; positive means that the column helps.

    Source: Breiman (2001), "Random Forests"; Fisher, Rudin and Dominici (2019), "All models are wrong, but many are
    useful".

    Args:
        predict_rows: predicts rows of the feature frame.
        features: shape (n, columns).
        truth: shape (n,).
        metric: what is lost.
        seed: of the choice of rows and of the shuffles.
        most_rows: how many rows are used, see `rows_for`.
        asked: shape (n, columns); columns that the metric asks for, which are not shuffled.

    Returns:
        One to five losses of each column, fewer the more columns there are; empty where the metric has no value.
    """
    import pandas as pd

    chosen = sample(len(truth), seed, most_rows)
    rows, true = features.iloc[chosen].reset_index(drop=True), truth[chosen]
    beside = None if asked is None else asked.iloc[chosen]
    if (intact := measure(metric, true, predict_rows(rows).beside(beside)).value) is None:
        return {}
    random = np.random.default_rng(seed)
    repeats = int(np.clip(_BUDGET // max(rows.shape[1], 1), 1, _MOST_REPEATS))
    # all shuffles of a column are predicted at once: most of the time of a call does not depend on the rows
    copies = pd.concat([rows] * repeats, ignore_index=True)
    losses: Losses = {}
    for name in rows.columns:
        values, shuffled = rows[name].to_numpy(), copies.copy(deep=False)
        shuffled[name] = np.concatenate([values[random.permutation(len(rows))] for _ in range(repeats)])
        predictions = predict_rows(shuffled)
        for start in range(0, len(copies), len(rows)):
            shuffled_part = predictions.take(slice(start, start + len(rows))).beside(beside)
            without = measure(metric, true, shuffled_part).value
            if without is not None:
                losses.setdefault(str(name), []).append(metric.gain(without, intact))
    return losses


def importance_plot(losses: Losses, metric: Metric, subtitle: str) -> bytes:
    """Draw the 15 columns whose shuffling costs most, with the range over the shuffles."""
    ranked = sorted(losses, key=lambda name: float(np.mean(losses[name])), reverse=True)[:_SHOWN][::-1]
    means = np.array([np.mean(losses[name]) for name in ranked])
    ends = np.array([[min(losses[name]), max(losses[name])] for name in ranked])
    spread = np.abs(ends - means[:, None])  # the mean of equal losses may be an ulp beside them

    def paint(axes: Any) -> None:
        axes.barh(range(len(ranked)), means, xerr=spread.T, color=BLUE, ecolor="black", capsize=2, height=0.7)
        axes.set_yticks(range(len(ranked)), [shortened(name) for name in ranked], fontsize=9)
        axes.axvline(0, color=GREY, linewidth=1)

    shown = f"the {_SHOWN} of {len(losses)} columns that matter most" if len(losses) > _SHOWN else "all columns"
    change = "Drop in" if metric.greater_is_better else "Rise of"
    x_label = f"{change} {shortened(metric.name, 40)} when the column is shuffled"
    title = f"Permutation importance\n{subtitle}; {shown}; black: range over shuffles"
    return draw(title, x_label, "", paint, names=True)


def tuning_history_plot(best: BestHyperparameters) -> bytes:
    """Draw every trial by family, the best value so far, and the trials without a value; PNG bytes."""

    def paint(axes: Any) -> None:
        valued = [trial for trial in best.trials if trial.value is not None]
        if not valued:
            axes.text(0.5, 0.5, "no trial has a value", transform=axes.transAxes, ha="center", color=GREY)
        for place, family in enumerate(dict.fromkeys(trial.family for trial in best.trials)):
            points = [(trial.number, trial.value) for trial in valued if trial.family == family]
            style = {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)], "alpha": 0.8}
            axes.scatter(*np.array(points).reshape(-1, 2).T, s=28, label=shortened(family, 30), **style)
        complete = sorted((trial.number, trial.value) for trial in valued if trial.state == "complete")
        if complete:
            numbers, values = np.array(complete).T
            pick = np.maximum if best.direction == "maximize" else np.minimum
            axes.step(numbers, pick.accumulate(values), where="post", color="black", linewidth=1.5, label="best so far")
        lost = [trial.number for trial in best.trials if trial.value is None]
        if lost:
            style = {"color": GREY, "transform": axes.get_xaxis_transform()}
            axes.plot(lost, [0.02] * len(lost), "x", label="failed or stopped, no value", **style)
        axes.xaxis.get_major_locator().set_params(integer=True)

    better = "more is better" if best.direction == "maximize" else "less is better"
    title = f"Tuning history\n{counted(len(best.trials), 'trial')}; {ENDED[best.stopped_by]}; seed {best.seed}"
    return draw(title, "Trial", f"{shortened(best.metric, 40)}, mean over folds ({better})", paint)
