"""The time bound of a search: it holds for the search and the final fits together."""

import math
import time
from dataclasses import dataclass, field, replace

from assay.specs.pipeline import PipelineSpec

MOST_OF_ONE = 0.25
"""Share of the bound that one trial may take, so that a slow family leaves time to the others."""
RESERVED = 1.2
"""The final fits are given somewhat more than the folds say that they take."""


def final_fits(spec: PipelineSpec) -> float:
    """Return how many times the training rows are fitted in the end: a deployed model of all rows has more of them."""
    if not spec.refits:
        return 1.0
    partitions = spec.split.train_partitions
    return 1.0 + (1 / (1 - spec.split.test_size) if partitions is None else (partitions + 1) / partitions)


@dataclass(frozen=True, slots=True)
class TimeBound:
    """When a search ends, and when a running trial is stopped.

    Attributes:
        seconds: of the search and the final fits; None for no bound.
        began: start of the search, by `time.monotonic`.
    """

    seconds: float | None
    began: float = field(default_factory=time.monotonic)

    def after(self, spent: float) -> "TimeBound":
        """Return the bound of a search that goes on after so many seconds."""
        return replace(self, began=self.began - spent)

    def end(self, refit_seconds: float) -> float:
        """Return the moment at which the search ends: the final fits' time is left.

        Args:
            refit_seconds: that the final fits of the best trial so far may take.
        """
        if self.seconds is None:
            return math.inf
        return self.began + max(0.0, self.seconds - RESERVED * refit_seconds)

    def end_of_trial(self, began: float) -> float:
        """Return the moment at which a trial has taken all that one trial may."""
        return math.inf if self.seconds is None else began + MOST_OF_ONE * self.seconds
