"""The paired bootstrap: the evidence that one model is better than another on the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import Predictions

RESAMPLES = 200
MOST_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """The difference of two models in one metric; positive where the new one is better.

    Attributes:
        effect: improvement on all rows, in the metric's unit; None where the metric has no value for either model.
        lower_bound: lower end of the one-sided percentile interval; None without a resample that could be computed.
        share_better: share of all resamples that improve by more than the minimum effect; a resample without a value
            counts as no improvement.
        resamples: how many resamples could be computed.
    """

    effect: float | None
    lower_bound: float | None
    share_better: float
    resamples: int


def compare(
    metric: Metric,
    truth: np.ndarray,
    old: Predictions,
    new: Predictions,
    *,
    minimum_effect: float,
    confidence: float,
    seed: int,
) -> PairedComparison:
    """Compare the predictions of two models by the paired bootstrap: both are evaluated on the same resampled rows.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapters 13 and 16.

    Args:
        metric: what is compared.
        truth: shape (n,).
        old: the champion's predictions of the n rows.
        new: the challenger's predictions of the same rows.
        minimum_effect: improvement that must be exceeded, in the metric's unit.
        confidence: of the lower bound, as a share.
        seed: seed of the resampling.
    """
    drawn = resamples(len(truth), seed)
    effects = [_effect(metric, truth[rows], old.take(rows), new.take(rows)) for rows in drawn]
    known = np.array([effect for effect in effects if effect is not None])
    return PairedComparison(
        effect=_effect(metric, truth, old, new),
        lower_bound=float(np.quantile(known, 1 - confidence)) if len(known) else None,
        share_better=float((known > minimum_effect).sum() / RESAMPLES),
        resamples=len(known),
    )


def resamples(rows: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the row numbers of each resample, above 50,000 rows of a seeded subset, which widens intervals."""
    random = np.random.default_rng(seed)
    pool = random.choice(rows, MOST_ROWS, replace=False) if rows > MOST_ROWS else np.arange(rows)
    for _ in range(RESAMPLES):
        yield pool[random.integers(0, len(pool), len(pool))]


def _effect(metric: Metric, truth: np.ndarray, old: Predictions, new: Predictions) -> float | None:
    before, after = measure(metric, truth, old).value, measure(metric, truth, new).value
    return None if before is None or after is None else metric.gain(before, after)
