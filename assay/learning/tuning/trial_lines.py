"""How far a search is, and lines of a log about it: the first trial, the last, and one every ten seconds."""

import time
from collections.abc import Callable

from assay.learning.evaluation.metrics import primary_metric
from assay.results.search_result import TrialRecord
from assay.specs import PipelineSpec

EVERY_SECONDS = 10.0
_MINUTES_FROM = 100


class TrialsSoFar:
    """The trials of a search that have ended, the best of them, and about how long the others take.

    Args:
        most: trials of the search.
        greater_is_better: of its metric.
        timeout: most seconds of the search; None without a bound.
        clock: gives seconds.

    Attributes:
        ended: trials that have ended.
        failed: of them, those without a value.
        best: the one with the best value; None before there is one.
    """

    def __init__(
        self,
        most: int,
        *,
        greater_is_better: bool,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.ended, self.failed = most, 0, 0
        self.best: TrialRecord | None = None
        self._sign = 1 if greater_is_better else -1
        self._timeout, self._clock = timeout, clock
        self._began = self.now = clock()

    def note(self, trial: TrialRecord) -> None:
        """Take a trial that has ended."""
        self.ended, self.now = self.ended + 1, self._clock()
        if trial.value is None:
            self.failed += 1
        elif self.best is None or self._sign * (trial.value - (self.best.value or 0.0)) > 0:
            self.best = trial

    def best_text(self) -> str:
        """Return the best value and its family; empty before there is one."""
        return f"{self.best.value:.5g} by {self.best.family}" if self.best is not None else ""

    def left_text(self) -> str:
        """Return about how long the search still takes; empty before the first trial, and after the last."""
        spent, left = self.now - self._began, self.most - self.ended
        if not self.ended or not left:
            return ""
        seconds = spent / self.ended * left
        if self._timeout is not None:
            seconds = min(seconds, max(self._timeout - spent, 0.0))
        return f"about {seconds:.0f} s left" if seconds < _MINUTES_FROM else f"about {seconds / 60:.0f} min left"


def no_trials_yet(spec: PipelineSpec) -> TrialsSoFar:
    """Return the state of a search that begins; of no trials where a pipeline searches nothing."""
    most = spec.tuning.n_trials if spec.tuning.enabled else 0
    return TrialsSoFar(most, greater_is_better=primary_metric(spec).greater_is_better, timeout=spec.tuning.timeout)


class TrialLines:
    """Decides which trials have a line in a log, so that a search of many short trials does not fill it.

    Args:
        log: takes one line.
        so_far: of the search, which this notes each trial in.
    """

    def __init__(self, log: Callable[[str], None], so_far: TrialsSoFar) -> None:
        self._log, self._so_far = log, so_far
        self._shown_at = float("-inf")

    def __call__(self, trial: TrialRecord) -> None:
        """Take a trial that has ended."""
        so_far = self._so_far
        so_far.note(trial)
        if so_far.ended == so_far.most or so_far.now - self._shown_at >= EVERY_SECONDS:
            self._shown_at = so_far.now
            self._log(self._line(trial))

    def _line(self, trial: TrialRecord) -> str:
        outcome = f"{trial.value:.5g}" if trial.value is not None else f"{trial.state}: {trial.reason}"
        so_far = self._so_far
        best, left = so_far.best_text(), so_far.left_text()
        said = [
            f"trial {so_far.ended} of at most {so_far.most}: {trial.family} {outcome}, {trial.seconds:.1f} s",
            *([f"best so far {best}"] if best else []),
            *([left] if left else []),
        ]
        return "; ".join(said)
