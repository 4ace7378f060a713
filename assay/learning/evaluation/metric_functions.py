"""The metrics of each task. Those of classes work on integer codes; errors of regression are in the target's unit.

A metric raises ValueError where it has no value; the message is the reason that the report shows.
"""

from typing import Any, Literal

import numpy as np

from assay.learning.evaluation.metrics import register
from assay.learning.evaluation.predictions import Predictions, codes, label_codes, positive_scores, probabilities
from assay.specs.pipeline import Task

CALIBRATION_BINS = 10


def known_codes(truth: np.ndarray, classes: tuple[Any, ...]) -> np.ndarray:
    """Return values as codes; a class that the model does not know has no value."""
    coded = codes(truth, classes)
    unknown = sorted({str(value) for value in truth[coded >= len(classes)].tolist()})
    if unknown:
        raise ValueError(f"the rows have classes that the training rows did not have: {', '.join(unknown[:5])}")
    return coded


def is_positive(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return 1 where the truth is the positive class (the last of two), else 0."""
    if len(predictions.classes) != 2:  # noqa: PLR2004 - binary
        raise ValueError(f"the metric is for two classes, and there are {len(predictions.classes)}")
    return known_codes(truth, predictions.classes)


def both_present(positive: np.ndarray) -> np.ndarray:
    """Return the argument, whose rows hold two classes or more: one alone cannot be ranked."""
    if positive.min() == positive.max():
        raise ValueError("the rows hold one class only")
    return positive


@register(Task.BINARY, greater_is_better=True, primary=True)
def roc_auc(truth: np.ndarray, predictions: Predictions) -> float:
    """Area under the ROC curve of the positive class."""
    return _area(both_present(is_positive(truth, predictions)), positive_scores(predictions))


def _area(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of pairs of a positive and a negative that are ranked correctly, ties by half.

    Source: Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".
    Equal to scikit-learn's value, without its checks, which dominate the bootstrap's hundreds of calls.
    """
    from scipy.stats import rankdata

    positives = int(positive.sum())
    surplus = rankdata(scores)[positive.astype(bool)].sum() - positives * (positives + 1) / 2
    return float(surplus / (positives * (len(positive) - positives)))


@register(Task.BINARY, greater_is_better=True)
def average_precision(truth: np.ndarray, predictions: Predictions) -> float:
    """Average precision of the positive class: the step-wise area under the precision-recall curve."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(both_present(is_positive(truth, predictions)), positive_scores(predictions)))


@register(Task.BINARY, Task.MULTICLASS, greater_is_better=False)
def log_loss(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean negative log-likelihood per row, in nats; a probability of 0 counts as the smallest float64 step."""
    of_truth = probabilities(predictions)[np.arange(len(truth)), known_codes(truth, predictions.classes)]
    return float(-np.mean(np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1))))


@register(Task.BINARY, greater_is_better=False)
def brier_score(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean squared difference of the positive class's probability and the outcome (Brier 1950, halved form)."""
    return float(np.mean((probabilities(predictions)[:, -1] - is_positive(truth, predictions)) ** 2))


@register(Task.BINARY, greater_is_better=False)
def expected_calibration_error(truth: np.ndarray, predictions: Predictions) -> float:
    """Gap between stated probability and observed share, over 10 bins of equal width, weighted by rows.

    Source: Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning".
    """
    positive, stated = is_positive(truth, predictions), probabilities(predictions)[:, -1]
    bins = np.minimum((stated * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=stated - positive, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(truth))


@register(Task.BINARY, Task.MULTICLASS, greater_is_better=True)
def accuracy(truth: np.ndarray, predictions: Predictions) -> float:
    """Share of rows with the right label."""
    true, predicted = label_codes(truth, predictions)
    return float(np.mean(true == predicted))


@register(Task.BINARY, Task.MULTICLASS, greater_is_better=True)
def balanced_accuracy(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean recall of the classes that the rows hold."""
    true, predicted = label_codes(truth, predictions)
    return float(np.mean([np.mean(predicted[true == code] == code) for code in np.unique(true)]))


@register(Task.BINARY, greater_is_better=True)
def precision(truth: np.ndarray, predictions: Predictions) -> float:
    """Share of true positives among the predicted positives."""
    hits, predicted, _ = _counts_of_positives(truth, predictions)
    return _ratio(hits, predicted, "no row was predicted positive")


@register(Task.BINARY, greater_is_better=True)
def recall(truth: np.ndarray, predictions: Predictions) -> float:
    """Share of the positives that were found."""
    hits, _, actual = _counts_of_positives(truth, predictions)
    return _ratio(hits, actual, "no row is positive")


@register(Task.BINARY, greater_is_better=True)
def f1(truth: np.ndarray, predictions: Predictions) -> float:
    """Harmonic mean of precision and recall of the positive class."""
    hits, predicted, actual = _counts_of_positives(truth, predictions)
    return _ratio(2 * hits, predicted + actual, "no row is positive or predicted so")


def _ratio(part: int, whole: int, reason: str) -> float:
    if whole == 0:
        raise ValueError(reason)
    return part / whole


def _counts_of_positives(truth: np.ndarray, predictions: Predictions) -> tuple[int, int, int]:
    positive = is_positive(truth, predictions) == 1
    flagged = label_codes(truth, predictions)[1] == 1
    return int((positive & flagged).sum()), int(flagged.sum()), int(positive.sum())


@register(Task.BINARY, greater_is_better=True)
def matthews_corrcoef(truth: np.ndarray, predictions: Predictions) -> float:
    """Correlation of truth and prediction as 0/1 variables (Matthews 1975); needs both values on both sides."""
    from sklearn.metrics import matthews_corrcoef as correlation

    true, predicted = both_present(is_positive(truth, predictions)), is_positive(predictions.labels, predictions)
    if predicted.min() == predicted.max():
        raise ValueError("every row got the same label")
    return float(correlation(true, predicted))


@register(Task.MULTICLASS, greater_is_better=True, primary=True)
def f1_macro(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean F1 over the classes that occur in truth or prediction; a class never hit counts 0."""
    return _averaged("f1", "macro", truth, predictions)


@register(Task.MULTICLASS, greater_is_better=True)
def f1_weighted(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean F1, weighted by the classes' rows."""
    return _averaged("f1", "weighted", truth, predictions)


@register(Task.MULTICLASS, greater_is_better=True)
def precision_macro(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean precision over the classes that occur in truth or prediction; a class never predicted counts 0."""
    return _averaged("precision", "macro", truth, predictions)


@register(Task.MULTICLASS, greater_is_better=True)
def recall_macro(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean recall over the classes that occur in truth or prediction; a class that is only predicted counts 0."""
    return _averaged("recall", "macro", truth, predictions)


def _averaged(
    score: Literal["precision", "recall", "f1"],
    average: Literal["macro", "weighted"],
    truth: np.ndarray,
    predictions: Predictions,
) -> float:
    from sklearn.metrics import precision_recall_fscore_support

    values = precision_recall_fscore_support(*label_codes(truth, predictions), average=average, zero_division=0)
    return float(dict(zip(("precision", "recall", "f1"), values, strict=False))[score])


@register(Task.MULTICLASS, greater_is_better=True)
def roc_auc_ovr(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean area under the ROC curve of each class against the rest, over the classes that the rows hold."""
    known, shares = both_present(known_codes(truth, predictions.classes)), probabilities(predictions)
    return float(np.mean([_area(known == code, shares[:, code]) for code in np.unique(known)]))


def _errors(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    return predictions.labels - truth.astype(np.float64)


@register(Task.REGRESSION, greater_is_better=False, primary=True)
def rmse(truth: np.ndarray, predictions: Predictions) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean(_errors(truth, predictions) ** 2)))


@register(Task.REGRESSION, greater_is_better=False)
def mae(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=False)
def median_ae(truth: np.ndarray, predictions: Predictions) -> float:
    """Median absolute error."""
    return float(np.median(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=True)
def r2(truth: np.ndarray, predictions: Predictions) -> float:
    """Share of the truth's variance that is explained; has no unit, may be negative."""
    values = truth.astype(np.float64)
    spread = float(np.sum((values - values.mean()) ** 2))
    if spread == 0:
        raise ValueError("the truth is constant")
    return 1 - float(np.sum(_errors(truth, predictions) ** 2)) / spread


@register(Task.REGRESSION, greater_is_better=False)
def mape(truth: np.ndarray, predictions: Predictions) -> float:
    """Mean absolute error relative to the truth, as a share: 0.1 is 10 %."""
    values = truth.astype(np.float64)
    if (values == 0).any():
        raise ValueError("the truth holds zeros, so that relative errors are infinite")
    return float(np.mean(np.abs(_errors(truth, predictions) / values)))


@register(Task.REGRESSION, greater_is_better=False)
def max_error(truth: np.ndarray, predictions: Predictions) -> float:
    """Largest absolute error."""
    return float(np.max(np.abs(_errors(truth, predictions))))


@register(Task.REGRESSION, greater_is_better=False, directed=False)
def mean_error(truth: np.ndarray, predictions: Predictions) -> float:
    """Bias: mean of predicted minus true; positive where the model predicts too much."""
    return float(np.mean(_errors(truth, predictions)))
