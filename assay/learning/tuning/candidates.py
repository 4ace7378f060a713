"""What a search chooses from: the families, their base hyperparameters and ranges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from assay.errors import UnknownHyperparameterError, did_you_mean
from assay.learning.estimators.family import Family, candidate_families, family, family_names
from assay.learning.preprocessing.chains import unknown_parameter
from assay.specs.learning import SearchParameter
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import is_step_key

SearchSpace: TypeAlias = Mapping[str, Mapping[str, SearchParameter]]


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

    @classmethod
    def of(cls, spec: PipelineSpec) -> "Candidates":
        """Return the candidates of a pipeline.

        Raises:
            UnknownModelError: a candidate cannot be used.
            LearningError: a hyperparameter or search range is not acceptable.
        """
        families = {each.name: each for each in candidate_families(spec)}
        base = {name: base_hyperparameters(spec, each) for name, each in families.items()}
        for name, each in families.items():
            # a refused base value is the user's mistake, not a failed trial
            each.build(base[name], spec.training.seed, spec.training.threads)
        return cls(spec, families, base, search_space(spec, tuple(families.values())))

    @property
    def is_empty(self) -> bool:
        """Whether no parameter is varied."""
        return not any(self.space.values())


def base_hyperparameters(spec: PipelineSpec, chosen: Family) -> dict[str, Any]:
    """Return the hyperparameters that the pipeline gives to one candidate, without the family's own defaults.

    A bare name applies to each candidate that takes it; a name under a family applies to that family and overrides the
    bare one. Entries of families that are no candidates are ignored, so that a run may choose among a file's families.

    Raises:
        UnknownHyperparameterError: no candidate, or not the named one, takes a name.
    """
    names, given = {*family_names(), *spec.model.candidates}, spec.model.hyperparameters
    nested = {name: value for name, value in given.items() if name in names and isinstance(value, dict)}
    bare = {name: value for name, value in given.items() if name not in nested}
    for name, values in nested.items():
        if name in spec.model.candidates:
            require_accepted(values, (family(name, spec.task),), where=f"model.hyperparameters.{name}")
    require_accepted(bare, candidate_families(spec), where="model.hyperparameters")
    accepted = chosen.parameter_names()
    return {name: value for name, value in bare.items() if name in accepted} | nested.get(chosen.name, {})


def require_accepted(names: Iterable[str], families: Sequence[Family], *, where: str) -> None:
    """Refuse a name that none of the families takes.

    Raises:
        UnknownHyperparameterError: there is one.
    """
    known = sorted({parameter for each in families for parameter in each.parameter_names()})
    for name in names:
        if name not in known:
            raise unknown_hyperparameter(name, known, [each.name for each in families], where=where)


def unknown_hyperparameter(
    name: str, known: Sequence[str], candidates: Sequence[str], *, where: str = ""
) -> UnknownHyperparameterError:
    """Return the error of a name that is no hyperparameter of any candidate."""
    return UnknownHyperparameterError(
        f"no candidate takes a hyperparameter '{name}'{did_you_mean(name, [*known, *family_names()])}",
        where=where,
        found=f"candidates {', '.join(candidates)}",
        expected=f"one of {', '.join(known)}",
        remedy="correct or remove it",
    )


def search_space(spec: PipelineSpec, families: Sequence[Family]) -> SearchSpace:
    """Return the ranges of each candidate, by family name and parameter name.

    `C` applies to each candidate that takes it; `logistic_regression.C` applies to that family and overrides `C`;
    `steps.<group>.<transformer>.<parameter>` applies to the preprocessing of all.
    Entries of families that are no candidates are ignored, so that a run may choose among a file's families.

    Raises:
        UnknownHyperparameterError: no candidate takes a name.
        SpecError: a name of a step means none.
    """
    asked = spec.tuning.search_space
    if asked == "auto":
        return {each.name: dict(each.card.search_space) for each in families}
    by_name = {each.name: each for each in families}
    space: dict[str, dict[str, SearchParameter]] = {name: {} for name in by_name}
    own: dict[str, dict[str, SearchParameter]] = {name: {} for name in by_name}
    for key, parameter in asked.items():
        if is_step_key(key):
            unknown = unknown_parameter(spec.preparation, key)
            if unknown is not None:
                raise unknown
            for ranges in own.values():
                ranges[key] = parameter
            continue
        prefix, _, name = key.rpartition(".")
        if prefix in by_name:
            require_accepted([name], [by_name[prefix]], where=f"tuning.search_space.{key}")
            own[prefix][name] = parameter
        elif prefix not in family_names():
            require_accepted([key], families, where="tuning.search_space")
            for each in families:
                if key in each.parameter_names():
                    space[each.name][key] = parameter
    return {name: space[name] | own[name] for name in by_name}
