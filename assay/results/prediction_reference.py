"""What a model predicted for its holdout, and what its training rows were like: predictions are compared with it."""

from assay.specs.base import Spec


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
    low: float | None = None
    """Of a regression: the least target of the training rows."""
    high: float | None = None
    """Likewise: the largest."""
    present: tuple[str, ...] = ()
    """Features that at least half of the training rows have."""
