"""What a search chooses from: the families, their base hyperparameters and ranges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from assay.data.schema import TableSchema
from assay.errors import UnknownHyperparameterError, did_you_mean
from assay.learning.estimators.ensembles import Ensemble, candidate_families
from assay.learning.estimators.family import Family, family_names
from assay.learning.preprocessing.step_names import unknown_given, unknown_searched
from assay.specs.dataset import ColumnRole
from assay.specs.learning import ENSEMBLES
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import CATEGORIES, FITTED_PREFIX, is_step_key
from assay.specs.tuning import SearchParameter

SearchSpace: TypeAlias = Mapping[str, Mapping[str, SearchParameter]]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What the search chooses from; the same for all trials.

    Attributes:
        spec: the pipeline.
        families: the candidates by name, in the pipeline's order.
        base: the base hyperparameters of each.
        space: the ranges of each, the families' own and the declared ones.
        asked: those of them that the file declares, which bind the base values, too.
    """

    spec: PipelineSpec
    families: dict[str, Family]
    base: dict[str, dict[str, Any]]
    space: SearchSpace
    asked: SearchSpace

    @classmethod
    def of(cls, spec: PipelineSpec, features: TableSchema | None = None) -> "Candidates":
        """Return the candidates of a pipeline.

        Args:
            spec: the pipeline.
            features: columns and roles of the rows. The encoding of categories is searched where there are some that
                no step takes, and where the columns are not known.

        Raises:
            UnknownModelError: a candidate cannot be used.
            LearningError: a hyperparameter or search range is not acceptable.
        """
        families = {each.name: each for each in candidate_families(spec)}
        base = {name: base_hyperparameters(spec, each) for name, each in families.items()}
        for name, each in families.items():
            # a refused base value is the user's mistake, not a failed trial
            each.values(base[name], spec.training.seed, spec.training.threads)
        asked = asked_space(spec, tuple(families.values()))
        space = _merged(spec, families, asked)
        if features is not None and not _has_free_categories(spec, features):
            asked, space = _without_encodings(asked), _without_encodings(space)
        return cls(spec, families, base, space, asked)

    @property
    def is_empty(self) -> bool:
        """Whether no parameter is varied."""
        return not any(self.space.values())


def may_average(spec: PipelineSpec) -> bool:
    """Return whether a search may end with an average of families.

    A continued fit has one family, and a file with a vote of its own means that one. Members of an average share the
    fitted steps of `features`, so that a search of these has one family as well.
    """
    if any(key.startswith(FITTED_PREFIX) for key in spec.tuning.asked_space):
        return False
    several = len(spec.model.candidates) > 1
    return several and spec.tuning.ensemble and spec.training.scenario == "full" and spec.model.vote is None


def may_choose_simpler(spec: PipelineSpec) -> bool:
    """Return whether a search may end with a simpler family than that of the best trial.

    A continued fit keeps its family; labels at a threshold that each fold finds cannot be compared by probabilities.
    """
    asked = spec.tuning.prefer_simpler and len(spec.model.candidates) > 1
    return asked and spec.training.scenario == "full" and spec.training.threshold is None


def may_recalibrate(spec: PipelineSpec) -> bool:
    """Return whether a search may correct the probabilities of the model that it chooses.

    A continued fit keeps its calibration; weights of classes and a threshold say how probabilities are to be.
    """
    given = (spec.training.calibration, spec.training.class_weight, spec.training.threshold)
    asked = spec.tuning.recalibrate and spec.task.is_classification and spec.training.scenario == "full"
    return asked and not any(each is not None for each in given)


def keeps_predictions(spec: PipelineSpec) -> bool:
    """Return whether trials keep what they predict of the validation rows."""
    return may_average(spec) or may_choose_simpler(spec) or may_recalibrate(spec)


def base_hyperparameters(spec: PipelineSpec, chosen: Family) -> dict[str, Any]:
    """Return the hyperparameters that the pipeline gives to one candidate, without the family's own defaults.

    A bare name applies to each candidate that takes it; a name under a family applies to that family and overrides the
    bare one. Entries of families that are no candidates are ignored, so that a run may choose among a file's families.
    Names of a search that begin with `steps.` or `features.` are of what prepares the rows.

    Raises:
        UnknownHyperparameterError: no candidate, or not the named one, takes a name.
        SpecError: a name of a step means none, or the step refuses the value.
    """
    given = spec.model.hyperparameters
    nested = {name: values for name, values in given.items() if _is_candidate(name, spec) and isinstance(values, dict)}
    bare = {name: value for name, value in given.items() if name not in nested}
    prepared = {name: bare.pop(name) for name in [*bare] if is_step_key(name) and name != CATEGORIES}
    for name, value in prepared.items():
        if (unknown := unknown_given(spec, name, value)) is not None:
            raise unknown
    known = families_by_name(candidate_families(spec))
    for name, values in nested.items():
        if name in known:
            require_accepted(values, (known[name],), where=f"model.hyperparameters.{name}")
    require_accepted(bare, tuple(known.values()), where="model.hyperparameters")
    if not isinstance(chosen, Ensemble):
        return _accepted(bare, chosen) | nested.get(chosen.name, {}) | prepared
    own = {
        f"{part}.{key}": value
        for part, each in chosen.members.items()
        for key, value in (_accepted(bare, each) | nested.get(part, {})).items()
    }
    return own | nested.get(chosen.name, {}) | prepared


def families_by_name(families: Iterable[Family]) -> dict[str, Family]:
    """Return the candidates and the members of ensembles among them, each by its name."""
    found: dict[str, Family] = {}
    for each in families:
        found |= {each.name: each} | (each.members if isinstance(each, Ensemble) else {})
    return found


def _is_candidate(name: str, spec: PipelineSpec) -> bool:
    """Return whether a key of hyperparameters or a search space names a family, not a parameter."""
    members = (each for candidate in ENSEMBLES for each in spec.model.members_of(candidate))
    return name in {*family_names(), *ENSEMBLES, *spec.model.candidates, *members}


def _accepted(bare: Mapping[str, Any], chosen: Family) -> dict[str, Any]:
    accepted = chosen.parameter_names()
    return {name: value for name, value in bare.items() if name in accepted}


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
    """Return the ranges of each candidate, by family name and parameter name: the declared ones over its own.

    Raises:
        UnknownHyperparameterError, SpecError: as of `asked_space`.
    """
    return _merged(spec, {each.name: each for each in families}, asked_space(spec, families))


def _merged(spec: PipelineSpec, families: Mapping[str, Family], asked: SearchSpace) -> SearchSpace:
    own = {name: each.card.full_space if spec.tuning.has_default_space else {} for name, each in families.items()}
    kept = own if spec.preparation.categories == "auto" else _without_encodings(own)
    return {name: {**kept[name], **asked[name]} for name in families}


def _has_free_categories(spec: PipelineSpec, features: TableSchema) -> bool:
    taken = {column for step in spec.preparation.steps for column in step.columns}
    return bool({*features.with_role(ColumnRole.CATEGORICAL)} - taken)


def _without_encodings(space: SearchSpace) -> SearchSpace:
    """Return a space without the encodings of categories, those of members of ensembles included."""
    return {
        name: {key: ranged for key, ranged in ranges.items() if not key.endswith(CATEGORIES)}
        for name, ranges in space.items()
    }


def asked_space(spec: PipelineSpec, families: Sequence[Family]) -> SearchSpace:
    """Return the declared ranges of each candidate, by family name and parameter name.

    `C` applies to each candidate that takes it; `logistic_regression.C` applies to that family and overrides `C`; so do
    `preprocessing.categories` and `lightgbm.preprocessing.categories`;
    `steps.<group>.<transformer>.<parameter>` applies to the preprocessing of all, and
    `features.<step>.<column>.<parameter>` to the steps of `features` that are fitted on the training rows.
    Entries of families that are no candidates are ignored, so that a run may choose among a file's families.

    Raises:
        UnknownHyperparameterError: no candidate takes a name.
        SpecError: a name of a step means none.
    """
    known = families_by_name(families)
    shared: dict[str, dict[str, SearchParameter]] = {name: {} for name in known}
    own: dict[str, dict[str, SearchParameter]] = {name: {} for name in known}
    for key, parameter in spec.tuning.asked_space.items():
        if is_step_key(key) and key != CATEGORIES:
            unknown = unknown_searched(spec, spec.preparation, key, parameter)
            if unknown is not None:
                raise unknown
            for each in families:
                own[each.name][key] = parameter
            continue
        prefix, name = parted(key)
        if prefix in known:
            require_accepted([name], [known[prefix]], where=f"tuning.search_space.{key}")
            own[prefix][name] = parameter
        elif not _is_candidate(prefix, spec):
            require_accepted([key], tuple(known.values()), where="tuning.search_space")
            for member in known.values():
                if key in member.parameter_names():
                    shared[member.name][key] = parameter
    found = {name: shared[name] | own[name] for name in known}
    return {each.name: _of_members(each, found) | found[each.name] for each in families}


def parted(key: str) -> tuple[str, str]:
    """Return the family and the parameter that a key names; an ensemble's begins with its name."""
    first, _, rest = key.partition(".")
    if first in ENSEMBLES:
        return first, rest
    if key.endswith(CATEGORIES):
        return key.removesuffix(CATEGORIES).removesuffix("."), CATEGORIES
    prefix, _, name = key.rpartition(".")
    return prefix, name


def _of_members(each: Family, found: Mapping[str, Mapping[str, SearchParameter]]) -> dict[str, SearchParameter]:
    """Return what is searched of an ensemble's members, by the ensemble's names for it."""
    if not isinstance(each, Ensemble):
        return {}
    return {
        f"{part}.{key}": ranged
        for part in each.members
        for key, ranged in found[part].items()
        if key == CATEGORIES or not is_step_key(key)
    }
