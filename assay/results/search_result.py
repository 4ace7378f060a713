"""The result of a search."""

from typing import Any, Literal

from pydantic import JsonValue

from assay.specs.base import Spec


class TrialRecord(Spec):
    """One trial of the search."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    family: str
    parameters: dict[str, JsonValue]
    value: float | None = None
    """Mean of the primary metric over the folds; missing when the trial failed."""
    reason: str = ""
    """Why there is no value."""
    seconds: float = 0.0


class BestHyperparameters(Spec):
    """The family and hyperparameters to train with."""

    family: str
    parameters: dict[str, JsonValue]
    """Base values and found values."""
    metric: str
    """Name of the optimised metric."""
    direction: Literal["maximize", "minimize"]
    value: float | None = None
    """The metric's mean over the folds, of the best trial; missing when nothing was searched."""
    searched: bool
    stopped_by: Literal["disabled", "empty_space", "n_trials", "timeout"]
    trials: tuple[TrialRecord, ...] = ()
    seed: int

    def identity(self) -> dict[str, Any]:
        """Leave out the duration of trials."""
        return self.model_dump(mode="json", exclude={"trials": {"__all__": {"seconds"}}})
