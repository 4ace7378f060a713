"""The result of a search."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import Field, JsonValue

from assay.results.recalibration import Recalibration
from assay.specs.base import Spec
from assay.specs.learning import WEIGHT, parameters_of

SearchEnd: TypeAlias = Literal["disabled", "empty_space", "exhausted", "n_trials", "timeout"]
"""`exhausted`: every point of the search space was tried."""
ENDED: Mapping[str, str] = {
    "n_trials": "all trials were made",
    "timeout": "the time was up",
    "disabled": "the search is disabled",
    "exhausted": "every point of the space was tried",
    "empty_space": "there is nothing to search",
}
"""Why a search ended, in words."""


class TrialRecord(Spec):
    """One trial of the search."""

    number: int
    state: Literal["complete", "pruned", "failed", "stopped", "too_slow"]
    """`stopped`: the time bound ended it; `too_slow`: its predictions take longer than `tuning.max_latency_ms`."""
    family: str
    parameters: dict[str, JsonValue]
    value: float | None = None
    """Mean of the primary metric over the folds; missing when the trial failed."""
    reason: str = ""
    """Why there is no value."""
    seconds: float = 0.0
    latency_ms: float | None = Field(default=None, exclude_if=lambda latency: latency is None)
    """What 1,000 predictions take; missing where it was not asked for, or not measured."""


class Tie(Spec):
    """The family with the best trial, in place of which a simpler one is chosen."""

    family: str
    difference: float
    """By how much it is better on the validation rows, in the metric's unit; below 0 where it is worse on all of them
    together."""
    share: float
    """Share of the resamples of these rows in which it is better."""


class BestHyperparameters(Spec):
    """The family and hyperparameters to train with."""

    family: str
    parameters: dict[str, JsonValue]
    """Base values and found values."""
    metric: str
    """Name of the optimised metric."""
    direction: Literal["maximize", "minimize"]
    value: float | None = None
    """The metric's mean over the folds, of the family's best trial; of an average of families its metric on the rows of
    all folds; missing when nothing was searched."""
    ensemble_gain: float | None = Field(default=None, exclude_if=lambda gain: gain is None)
    """By how much an average of families is better than the best trial, in the metric's unit; missing where one family
    alone is chosen."""
    tie: Tie | None = Field(default=None, exclude_if=lambda tie: tie is None)
    """With which family the chosen one is tied; missing where the chosen one has the best trial."""
    recalibration: Recalibration | None = Field(default=None, exclude_if=lambda found: found is None)
    """How the model's probabilities are corrected; missing where they are well calibrated, or it is not asked for."""
    latency_ms: float | None = Field(default=None, exclude_if=lambda latency: latency is None)
    """What 1,000 predictions take, of an average its members' together; missing without `tuning.max_latency_ms`."""
    searched: bool
    stopped_by: SearchEnd
    grid_points: int | None = Field(default=None, exclude_if=lambda points: points is None)
    """How many points a grid has; missing with other samplers."""
    trials: tuple[TrialRecord, ...] = ()
    seed: int
    begun_with: str = Field(default="", exclude_if=lambda key: not key)
    """Partition whose best point was tried first; empty for none."""
    search_factor: int = 1
    """How many times as long as the pipeline says the search was; above 1 after a missed minimum."""
    basis: str = ""
    """Digest of the rows and parts of the pipeline that it is made of; recorded where searches are repeated."""

    def caution(self, candidates: Sequence[str]) -> str:
        """Return what the search left out because it ended early; empty if it tried every candidate, and went on."""
        if not self.searched:
            return ""
        return "; ".join(each for each in (self._left_out(candidates), self._left_of_grid) if each)

    @property
    def _left_of_grid(self) -> str:
        tried = len(self.trials)
        if self.grid_points is None or tried >= self.grid_points:
            return ""
        bound = "tuning.timeout" if self.stopped_by == "timeout" else "tuning.n_trials"
        return f"the grid has {self.grid_points:,} points, of which {tried:,} were tried; raise {bound} to try all"

    def _left_out(self, candidates: Sequence[str]) -> str:
        measured = {trial.family for trial in self.trials if trial.state != "stopped"}
        stopped = [name for name in candidates if name in {trial.family for trial in self.trials} - measured]
        untried = [name for name in candidates if name not in measured and name not in stopped]
        left = [
            *([f"{', '.join(untried)} not at all"] if untried else []),
            *([f"{', '.join(stopped)} not to the end of a trial"] if stopped else []),
        ]
        if len(self.trials) > len(candidates) or self.stopped_by in {"empty_space", "exhausted"}:
            tried = f": it tried {' and '.join(left)}; raise tuning.timeout"
            return f"the search ended by {self.stopped_by} after {len(self.trials)} trials{tried}" if left else ""
        missed = "".join(f", and {each}" for each in left)
        return (
            f"the search ended by {self.stopped_by} after {len(self.trials)} trials of {len(candidates)} candidates: "
            f"each was tried once, from its base values{missed}; raise tuning.n_trials or tuning.timeout to search more"
        )

    def members(self) -> list[dict[str, Any]]:
        """Return the families of an average that the search found: weight, and what the best trial alone reaches."""
        if self.ensemble_gain is None:
            return []
        weights = parameters_of(WEIGHT, self.parameters)
        pick = max if self.direction == "maximize" else min
        alone = {
            name: pick(trial.value for trial in self.trials if trial.family == name and trial.value is not None)
            for name in weights
        }
        return [{"family": name, "weight": share, self.metric: alone[name]} for name, share in weights.items()]

    def too_slow(self) -> list[dict[str, Any]]:
        """Return the fastest trial beyond `tuning.max_latency_ms` of each family that has one."""
        slow = sorted((each for each in self.trials if each.state == "too_slow"), key=lambda each: each.latency_ms or 0)
        first = {each.family: each for each in reversed(slow)}
        return [
            {"family": each.family, "ms for 1,000 rows": each.latency_ms, "hyperparameters": str(each.parameters)}
            for each in sorted(first.values(), key=lambda each: each.latency_ms or 0)
        ]

    @property
    def tie_text(self) -> str:
        """Why a simpler family than that of the best trial is chosen; empty where it is not."""
        if self.tie is None:
            return ""
        found = "worse" if self.tie.difference < 0 else "better"
        return (
            f"{self.tie.family} is {found} by {abs(self.tie.difference):.2g} than {self.family} on all validation "
            f"rows, and better in {self.tie.share:.0%} of their resamples: the simpler family is chosen"
        )

    @property
    def early_end(self) -> str:
        """Why the search ended before `n_trials`; empty if it did not, or by the timeout."""
        ended = f"the search ended after {len(self.trials)} trials: every point of the search space was tried"
        return ended if self.stopped_by == "exhausted" else ""

    def identity(self) -> dict[str, Any]:
        """Leave out what is measured by the clock, and what only decides whether another search follows."""
        return self.model_dump(
            mode="json",
            exclude={
                "trials": {"__all__": {"seconds", "latency_ms"}},
                "latency_ms": True,
                "begun_with": True,
                "search_factor": True,
                "basis": True,
            },
        )
