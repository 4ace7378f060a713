"""What the search may vary: for each candidate, a range for each of some hyperparameters.

Does not belong here: how points are drawn.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.estimators.family import Family
from assay.estimators.hyperparameters import require_accepted
from assay.estimators.registry import family_names
from assay.specs.learning import SearchParameter
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.trial import Trial

SearchSpace: TypeAlias = Mapping[str, Mapping[str, SearchParameter]]


def search_space(spec: PipelineSpec, families: Sequence[Family]) -> SearchSpace:
    """Return the ranges of each candidate, by family name and parameter name.

    `C` goes to each candidate that takes it, `logistic_regression.C` to that one, and wins. What is meant for a
    family that is no candidate is left out, so that a run may choose among the families of a file.

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
    """Let a trial choose a value of one parameter, under a name of its own in the study."""
    low, high = parameter.low or 0.0, parameter.high or 0.0
    if parameter.type == "categorical":
        return trial.suggest_categorical(name, parameter.choices or ())
    if parameter.type == "int":
        return trial.suggest_int(name, int(low), int(high), step=int(parameter.step or 1), log=parameter.log)
    return trial.suggest_float(name, low, high, step=parameter.step, log=parameter.log)


def holds(parameter: SearchParameter, value: Any) -> bool:
    """Return whether a value lies in the range, so that a trial can be asked to start from it."""
    if parameter.type == "categorical":
        return value in (parameter.choices or ())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high = parameter.low or 0.0, parameter.high or 0.0
    step = parameter.step or (1 if parameter.type == "int" else None)
    steps = (value - low) / step if step else 0.0
    return low <= value <= high and math.isclose(steps, round(steps), abs_tol=1e-9)
