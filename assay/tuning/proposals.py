"""Which point of the joint space of families and hyperparameters a trial tries.

Does not belong here: the ranges (`search_space`), the measurement (`trial`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.estimators.family import Family
from assay.specs.pipeline import PipelineSpec
from assay.tuning.search_space import SearchSpace, draw, holds

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What the search chooses among; the same for all trials.

    Attributes:
        spec: the pipeline.
        families: the candidates by name, in the pipeline's order.
        base: the hyperparameters that each starts from.
        space: the ranges of each.
    """

    spec: PipelineSpec
    families: dict[str, Family]
    base: dict[str, dict[str, Any]]
    space: SearchSpace

    @property
    def is_empty(self) -> bool:
        """Whether no parameter is varied."""
        return not any(self.space.values())


def propose(candidates: Candidates, study: "Study", start: str | None) -> tuple["Trial", str, dict[str, Any]]:
    """Ask a study for a trial.

    Args:
        candidates: what there is to choose among.
        study: proposes the values.
        start: name of a family whose base values are to be tried as they are; None leaves the choice to the study.

    Returns:
        The trial, the family's name, and its hyperparameters, base values and proposed ones together.
    """
    if start is not None:
        study.enqueue_trial(_start_point(candidates, start))
    trial = study.ask()
    name = str(trial.suggest_categorical("family", list(candidates.families)))
    ranges = candidates.space[name]
    if start is not None:
        # a base value outside its range is measured as it is, and kept from the sampler
        known = _base_values(candidates, start)
        ranges = {key: ranges[key] for key in ranges if key in known and holds(ranges[key], known[key])}
    drawn = {key: draw(trial, f"{name}.{key}", parameter) for key, parameter in ranges.items()}
    return trial, name, candidates.base[name] | drawn


def _start_point(candidates: Candidates, name: str) -> dict[str, Any]:
    known = _base_values(candidates, name)
    inside = {
        key: known[key] for key, ranged in candidates.space[name].items() if key in known and holds(ranged, known[key])
    }
    return {"family": name} | {f"{name}.{key}": value for key, value in inside.items()}


def _base_values(candidates: Candidates, name: str) -> dict[str, Any]:
    training = candidates.spec.training
    built: dict[str, Any] = (
        candidates.families[name].build(candidates.base[name], training.seed, training.threads).get_params()
    )
    return built
