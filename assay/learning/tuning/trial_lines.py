"""Lines of a log about a search while it goes on: the first trial, the last, and one every ten seconds."""

import time
from collections.abc import Callable

from assay.results.search_result import TrialRecord

EVERY_SECONDS = 10.0


class TrialLines:
    """Decides which trials have a line, so that a search of many short trials does not fill a log.

    Args:
        log: takes one line.
        most: trials of the search.
        greater_is_better: of its metric.
        clock: gives seconds.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        most: int,
        *,
        greater_is_better: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._most, self._clock = log, most, clock
        self._sign = 1 if greater_is_better else -1
        self._ended, self._shown_at = 0, float("-inf")
        self._best: TrialRecord | None = None

    def __call__(self, trial: TrialRecord) -> None:
        """Take a trial that has ended."""
        self._ended += 1
        if trial.value is not None and (self._best is None or self._gain(trial, self._best) > 0):
            self._best = trial
        now = self._clock()
        if self._ended == self._most or now - self._shown_at >= EVERY_SECONDS:
            self._shown_at = now
            self._log(self._line(trial))

    def _gain(self, trial: TrialRecord, other: TrialRecord) -> float:
        return self._sign * ((trial.value or 0.0) - (other.value or 0.0))

    def _line(self, trial: TrialRecord) -> str:
        outcome = f"{trial.value:.5g}" if trial.value is not None else f"{trial.state}: {trial.reason}"
        best = f"; best so far {self._best.value:.5g} by {self._best.family}" if self._best is not None else ""
        return f"trial {self._ended} of at most {self._most}: {trial.family} {outcome}, {trial.seconds:.1f} s{best}"
