"""The time bound of a search: it holds for the search and the final fit together."""

import math
import time
from dataclasses import dataclass, field, replace

MOST_OF_ONE = 0.25
"""Share of the bound that one trial may take, so that a slow family leaves time to the others."""
RESERVED = 1.2
"""The final fit is given somewhat more than the folds say that it takes."""


@dataclass(frozen=True, slots=True)
class TimeBound:
    """When a search ends, and when a running trial is stopped.

    Attributes:
        seconds: of the search and the final fit; None for no bound.
        began: start of the search, by `time.monotonic`.
    """

    seconds: float | None
    began: float = field(default_factory=time.monotonic)

    def after(self, spent: float) -> "TimeBound":
        """Return the bound of a search that goes on after so many seconds."""
        return replace(self, began=self.began - spent)

    def end(self, refit_seconds: float) -> float:
        """Return the moment at which the search ends: the final fit's time is left.

        Args:
            refit_seconds: that the final fit of the best trial so far may take.
        """
        if self.seconds is None:
            return math.inf
        return self.began + max(0.0, self.seconds - RESERVED * refit_seconds)

    def end_of_trial(self, began: float) -> float:
        """Return the moment at which a trial has taken all that one trial may."""
        return math.inf if self.seconds is None else began + MOST_OF_ONE * self.seconds
