"""Whether a prediction still means what it meant on the champion's holdout.

A model can rank as before while the observed share at a predicted probability has moved. Rows are grouped by the
deciles of the holdout's predictions; in each group the mean error (observed minus predicted) is compared between the
two samples, with the noise of both.
"""

import numpy as np

from assay.learning.evaluation.predictions import codes
from assay.monitoring.scored import Scored
from assay.specs.base import Spec

_BINS = 10
_FEWEST_ROWS = 30
"""Of each sample in a bin; below it a bin's mean error is not normal."""
_BINARY = 2


class CalibrationShift(Spec):
    """The change of the mean error at equal predictions, from the holdout to a window."""

    bins: int
    gap: float
    """Root mean square of the change over the bins, without what noise adds: in probability, or in units of twice the
    target's standard deviation."""
    mean_error_before: float
    """Observed minus predicted on the holdout, in the same unit."""
    mean_error_now: float
    p_value: float
    """Probability of a change at least as large by chance."""


def calibration_shift(now: Scored, before: Scored) -> CalibrationShift | None:
    """Compare the mean error by bin of the prediction; None without probabilities or with too few rows.

    The sum of the squared standardised changes is chi-square distributed; the gap is the root of their weighted mean
    with the expected noise taken off.

    Source: Hosmer and Lemeshow (1980), Goodness of fit tests for the multiple logistic regression model;
        Communications in Statistics 9. Several classes: the probability of the predicted class, after Guo et al.
        (2017), On Calibration of Modern Neural Networks; ICML. Unit of numbers: Gelman (2008), Scaling regression
        inputs by dividing by two standard deviations; Statistics in Medicine 27.
    """
    from scipy import stats

    old, new = scores_and_errors(before), scores_and_errors(now)
    bins = min(_BINS, len(now.truth) // _FEWEST_ROWS, len(before.truth) // _FEWEST_ROWS)
    if old is None or new is None or bins < 1:
        return None
    unit = 1.0 if before.predictions.classes else 2 * float(np.std(before.truth.astype(np.float64)))
    if not unit:
        return None
    edges = np.unique(np.quantile(old[0], np.linspace(0, 1, bins + 1)[1:-1]))
    (n_old, mean_old, var_old), (n_new, mean_new, var_new) = (
        _by_bin(np.searchsorted(edges, score), error / unit, len(edges) + 1) for score, error in (old, new)
    )
    used = (n_old >= _FEWEST_ROWS) & (n_new >= _FEWEST_ROWS)
    # both samples' variance together: in a small bin without a single event one alone would be zero
    pooled = (n_old * var_old + n_new * var_new) / np.maximum(n_old + n_new, 1)
    noise = pooled * (1 / np.maximum(n_old, 1) + 1 / np.maximum(n_new, 1))
    used &= noise > 0
    if not used.any():
        return None
    squared, weight = (mean_new - mean_old)[used] ** 2, n_new[used] / n_new[used].sum()
    return CalibrationShift(
        bins=int(used.sum()),
        gap=float(np.sqrt(max(0.0, float((weight * (squared - noise[used])).sum())))),
        mean_error_before=float(old[1].mean() / unit),
        mean_error_now=float(new[1].mean() / unit),
        p_value=float(stats.chi2.sf((squared / noise[used]).sum(), int(used.sum()))),
    )


def scores_and_errors(scored: Scored) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the prediction of each row, and observed minus predicted."""
    predictions = scored.predictions
    if not predictions.classes:
        predicted = predictions.labels.astype(np.float64)
        return predicted, scored.truth.astype(np.float64) - predicted
    if predictions.probabilities is None or not np.isfinite(predictions.probabilities).all():
        return None
    truth = codes(scored.truth, predictions.classes)
    if len(predictions.classes) == _BINARY:
        score = predictions.probabilities[:, -1]
        return score, (truth == 1) - score
    score = predictions.probabilities.max(axis=1)
    return score, (truth == predictions.probabilities.argmax(axis=1)) - score


def _by_bin(bin_of_row: np.ndarray, error: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, mean error and variance of the error of each bin."""
    rows = np.bincount(bin_of_row, minlength=bins).astype(np.float64)
    mean = np.bincount(bin_of_row, error, minlength=bins) / np.maximum(rows, 1)
    second = np.bincount(bin_of_row, error**2, minlength=bins) / np.maximum(rows, 1)
    return rows, mean, np.maximum(second - mean**2, 0.0)
