"""Rows with their target and the champion's predictions, and the noise of a metric on them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay.learning.evaluation.bootstrap import Units, resampled
from assay.learning.evaluation.metrics import Metric
from assay.learning.evaluation.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Rows whose target is known.

    Attributes:
        features: as the champion takes them, n rows.
        truth: shape (n,), values as in the table.
        predictions: of the champion.
        units: what is resampled.
    """

    features: "pd.DataFrame"
    truth: np.ndarray
    predictions: Predictions
    units: Units = field(default_factory=Units)

    def take(self, rows: np.ndarray) -> "Scored":
        """Return some rows, by position."""
        return Scored(self.features.iloc[rows], self.truth[rows], self.predictions.take(rows), self.units.take(rows))


def standard_error(metric: Metric, scored: Scored, seed: int) -> float | None:
    """Return the bootstrap's standard error of a metric; None where fewer than half of the resamples have a value.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 6.
    """
    (values,) = resampled([metric], scored.truth, scored.predictions, scored.units, seed).values()
    known = values[np.isfinite(values)]
    if len(known) <= len(values) / 2:
        return None
    return float(known.std(ddof=1))
