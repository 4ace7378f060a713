"""The joint search space of families and hyperparameters, and the point that each trial tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.learning.estimators.family import Family
from assay.learning.estimators.registry import family_names, require_accepted
from assay.specs.learning import SearchParameter
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

SearchSpace: TypeAlias = Mapping[str, Mapping[str, SearchParameter]]


def search_space(spec: PipelineSpec, families: Sequence[Family]) -> SearchSpace:
    """Return the ranges of each candidate, by family name and parameter name.

    `C` applies to each candidate that takes it; `logistic_regression.C` applies to that family and overrides `C`.
    Entries of families that are no candidates are ignored, so that a run may choose among a file's families.

    Raises:
        UnknownHyperparameterError: no candidate takes a name.
    """
    asked = spec.tuning.search_space
    if asked == "auto":
        return {each.name: each.default_search_space() for each in families}
    by_name = {each.name: each for each in families}
    space: dict[str, dict[str, SearchParameter]] = {name: {} for name in by_name}
    own: dict[str, dict[str, SearchParameter]] = {name: {} for name in by_name}
    for key, parameter in asked.items():
        prefix, _, name = key.rpartition(".")
        if prefix in by_name:
            require_accepted([name], [by_name[prefix]], where=f"tuning.search_space.{key}")
            own[prefix][name] = parameter
        elif prefix not in family_names():
            require_accepted([key], families, where="tuning.search_space")
            for each in families:
                if each.accepts(key):
                    space[each.name][key] = parameter
    return {name: space[name] | own[name] for name in by_name}


def draw(trial: "Trial", name: str, parameter: SearchParameter) -> Any:
    """Draw a value of one parameter from a trial, under the given name in the study."""
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.type == "categorical":
        return trial.suggest_categorical(name, parameter.choices or ())
    if parameter.type == "int":
        return trial.suggest_int(name, int(low), int(high), step=int(parameter.step or 1), log=parameter.log)
    return trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What the search chooses from; the same for all trials.

    Attributes:
        spec: the pipeline.
        families: the candidates by name, in the pipeline's order.
        base: the base hyperparameters of each.
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
        candidates: what to choose from.
        study: proposes the values.
        start: name of a family to start from its base values; None lets the study choose.

    Returns:
        The trial, the family's name, and its hyperparameters, base values and proposed ones together.
    """
    inside: dict[str, Any] = {}
    if start is not None:
        inside = _base_values_inside(candidates, start)
        study.enqueue_trial({"family": start} | {f"{start}.{key}": value for key, value in inside.items()})
    trial = study.ask()
    name = str(trial.suggest_categorical("family", list(candidates.families)))
    ranges = candidates.space[name]
    if start is not None and candidates.spec.tuning.search_space == "auto":
        # the base point belongs to a family's own space, even where its value is no number of the range (None, 0)
        ranges = {key: ranges[key] for key in inside}
    drawn = {key: draw(trial, f"{name}.{key}", parameter) for key, parameter in ranges.items()}
    return trial, name, candidates.base[name] | drawn


def _base_values_inside(candidates: Candidates, name: str) -> dict[str, Any]:
    """Return the base values of a family, its defaults included, that are in their ranges."""
    training = candidates.spec.training
    known = candidates.families[name].build(candidates.base[name], training.seed, training.threads).get_params()
    return {
        key: known[key] for key, ranged in candidates.space[name].items() if key in known and ranged.holds(known[key])
    }
