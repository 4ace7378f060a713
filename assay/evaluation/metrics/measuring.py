"""One metric, and how it is computed so that a failure becomes a recorded reason.

Does not belong here: any particular metric.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from assay.evaluation.metrics.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that judges predictions.

    Attributes:
        name: the metric's name, or its import path.
        greater_is_better: the direction; for an undirected metric the size counts, and less is better.
        compute: takes the truth, shape (n,), and the predictions of the same rows.
        directed: False where the sign is not better or worse but shows the direction of an error.
    """

    name: str
    greater_is_better: bool
    compute: Callable[[np.ndarray, Predictions], float]
    directed: bool = True

    def reaches(self, value: float, bound: float) -> bool:
        """Say whether a value keeps a bound: a floor, or a ceiling where less is better."""
        if not self.directed:
            return abs(value) <= bound
        return value >= bound if self.greater_is_better else value <= bound


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's value, or why there is none.

    Attributes:
        value: a finite number, or None.
        reason: why there is no value; empty if there is one.
    """

    value: float | None
    reason: str = ""


def measure(metric: Metric, truth: np.ndarray, predictions: Predictions) -> Measured:
    """Compute a metric; whatever goes wrong becomes the reason of a missing value.

    Args:
        metric: what to compute.
        truth: shape (n,), values as in the table.
        predictions: of the same n rows.

    Returns:
        A finite value, or None with the reason. Nothing is raised.
    """
    if len(truth) == 0:
        return Measured(None, "there is no row to judge")
    try:
        number = _as_number(metric.compute(truth, predictions))
    except Exception as error:  # noqa: BLE001 - a metric may be the user's code; the reason is recorded
        return Measured(None, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
    return Measured(number) if math.isfinite(number) else Measured(None, f"the value is {number}")


def _as_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"the metric returned {type(value).__name__}, not a number")  # noqa: TRY004 - told by `measure`
    return float(value)
