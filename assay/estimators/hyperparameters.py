"""The user's hyperparameters, dealt out to the candidates.

Does not belong here: ranges to search (`assay.tuning.search_space`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.errors import UnknownHyperparameterError, did_you_mean
from assay.estimators.family import Family
from assay.estimators.registry import family, family_names
from assay.specs.pipeline import PipelineSpec


def candidate_families(spec: PipelineSpec) -> tuple[Family, ...]:
    """Return the candidates of a pipeline in its order, their libraries imported.

    Raises:
        UnknownModelError: a candidate cannot be used.
    """
    return tuple(family(name, spec.task) for name in spec.model.candidates)


def base_hyperparameters(spec: PipelineSpec, chosen: Family) -> dict[str, Any]:
    """Return the hyperparameters that the pipeline gives to one candidate.

    A bare name goes to each candidate that takes it; a name under a family's goes to that family and wins. What
    stands under a family that is no candidate is left out, so that a run may choose among the families of a file.

    Args:
        spec: the pipeline.
        chosen: one of its candidates.

    Returns:
        Values by name; the family's own defaults are not among them.

    Raises:
        UnknownHyperparameterError: no candidate, or not the named one, takes a name.
    """
    nested, bare = _separated(spec)
    for name, values in nested.items():
        if name in spec.model.candidates:
            require_accepted(values, (family(name, spec.task),), where=f"model.hyperparameters.{name}")
    require_accepted(bare, candidate_families(spec), where="model.hyperparameters")
    return {name: value for name, value in bare.items() if chosen.accepts(name)} | nested.get(chosen.name, {})


def require_accepted(names: Iterable[str], families: Sequence[Family], *, where: str) -> None:
    """Refuse a name that none of the families takes.

    Raises:
        UnknownHyperparameterError: there is one.
    """
    known = sorted({parameter for each in families for parameter in each.parameter_names()})
    for name in names:
        if name not in known:
            raise UnknownHyperparameterError(
                f"no candidate takes a hyperparameter '{name}'{did_you_mean(name, known)}",
                where=where,
                found=f"candidates {', '.join(each.name for each in families)}",
                expected=f"one of {', '.join(known)}",
                remedy="correct or remove it",
            )


def _separated(spec: PipelineSpec) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    names = {*family_names(), *spec.model.candidates}
    given: Mapping[str, Any] = spec.model.hyperparameters
    nested = {name: dict(value) for name, value in given.items() if name in names and isinstance(value, dict)}
    return nested, {name: value for name, value in given.items() if name not in nested}
