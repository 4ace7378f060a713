"""What a model predicted for its holdout, and what its training rows were like: predictions are compared with it."""

import math
from typing import TYPE_CHECKING, Any

from pydantic import Field

from assay.specs.base import Spec

if TYPE_CHECKING:
    import numpy as np

_ROUNDING = 1e-9
_LEVELS = 1001


class PredictionReference(Spec):
    """Numbers that say what predictions of a model look like."""

    rows: int
    """Of the holdout."""
    shares: tuple[float, ...] = ()
    """Of a classification: the share of the holdout predicted as each class, in the order of the classes."""
    quantiles: tuple[float, ...] = ()
    """Of a regression: the predictions for the holdout, at evenly spaced levels from the least to the largest."""
    errors: tuple[float, ...] = ()
    """Of a regression: the absolute errors on the holdout, likewise."""
    training_errors: tuple[float, ...] = Field(default=(), exclude_if=lambda errors: not errors)
    """Of a regression with `training.interval`: the absolute errors on training rows, by fits that did not learn from
    them, likewise."""
    training_rows: int = Field(default=0, exclude_if=lambda rows: rows == 0)
    """Of these errors."""
    on_transform: bool = Field(default=False, exclude_if=lambda transformed: not transformed)
    """Whether these errors are those of the transform of the target."""
    low: float | None = None
    """Of a regression: the least target of the training rows."""
    high: float | None = None
    """Likewise: the largest."""
    present: tuple[str, ...] = ()
    """Features that at least half of the training rows have."""

    def half_width(self, share: float) -> float | None:
        """Return how far to both sides of a prediction an interval reaches that holds a share of the targets.

        It is a quantile of absolute errors on rows that the predicting fit has not learned from. Where the pipeline
        asks for intervals, these are the training rows by cross-fitting (cross-conformal prediction, Vovk 2015; Barber
        et al. 2021, "Predictive inference with the jackknife+", for CV+); else the holdout's: the split conformal
        interval (Lei et al. 2018, "Distribution-Free Predictive Inference for Regression"). Both hold for rows like
        these, whatever their distribution.

        Args:
            share: between 0 and 1.

        Returns:
            The width, in the target's unit unless `on_transform`; None where there are no errors, or too few.
        """
        errors, rows = (self.training_errors, self.training_rows) if self.training_errors else (self.errors, self.rows)
        rank = math.ceil((rows + 1) * share - _ROUNDING)
        if not errors or not 0 < share < 1 or rank > rows:
            return None
        place = (rank - 1) / max(rows - 1, 1) * (len(errors) - 1)
        return errors[math.ceil(place - _ROUNDING)]


def levels(values: "np.ndarray[Any, Any]") -> tuple[float, ...]:
    """Return all values in order, of many some at evenly spaced levels; infinities and NaN are left out."""
    import numpy as np

    known = np.sort(values[np.isfinite(values)])
    if known.size > _LEVELS:
        known = np.quantile(known, np.linspace(0, 1, _LEVELS), method="higher")
    return tuple(known.tolist())
