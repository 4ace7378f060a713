"""Stacks and votes: a candidate that combines other families, each with the preprocessing that suits it.

Members are fitted on the feature frame, so that their preprocessing is fitted inside the folds of a stack as well. A
hyperparameter of a member is named `<member>.<parameter>`, one of a stack's final model `final.<parameter>`, the weight
of a vote's member `weight.<member>`.

Sources: Wolpert (1992), "Stacked Generalization"; Breiman (1996), "Stacked Regressions".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay.errors import LearningError
from assay.importing import import_object
from assay.learning.estimators.family import Family, FamilyCard, card_of, family
from assay.specs.learning import ENSEMBLES, WEIGHT, ModelSpec, parameters_of
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.preprocessing import CATEGORIES
from assay.specs.tuning import SearchParameter

FINAL = "final"
_ESTIMATORS = {
    ("stack", True): "assay.learning.estimators.labelled_ensembles:LabelledStackingClassifier",
    ("stack", False): "sklearn.ensemble:StackingRegressor",
    ("vote", True): "assay.learning.estimators.labelled_ensembles:LabelledVotingClassifier",
    ("vote", False): "sklearn.ensemble:VotingRegressor",
}
_OF_FINAL = f"{FINAL}.{CATEGORIES}"
"""A stack's final model takes predictions, no categories."""
_SHARE = SearchParameter(type="float", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True)
class Ensemble(Family):
    """A stack or vote of families.

    Attributes:
        parts: the members by name; for a stack also its final model, as `final`.
        weights: weight of each member of a vote before the search; empty for a stack.
        folds: of the rows by which a stack's final model sees predictions of rows that a member has not learned from.
    """

    parts: Mapping[str, Family]
    weights: Mapping[str, float]
    folds: int

    @property
    def members(self) -> dict[str, Family]:
        """The members by name."""
        return {name: each for name, each in self.parts.items() if name != FINAL}

    def parameter_names(self) -> frozenset[str]:
        """Return the names of all hyperparameters."""
        own = (f"{part}.{name}" for part, each in self.parts.items() for name in each.parameter_names())
        return frozenset(own) - {_OF_FINAL} | {f"{WEIGHT}.{name}" for name in self.weights}

    def values(self, parameters: Mapping[str, Any], seed: int, threads: int) -> dict[str, Any]:
        """Return all hyperparameters, those that are not given included.

        Raises:
            LearningError: a part refuses a value, or cannot take part.
        """
        found = {f"{WEIGHT}.{name}": weight for name, weight in self.weights.items()}
        for part, each in self.parts.items():
            built = each.build(parameters_of(part, parameters), seed, threads)
            self._require_probabilities(part, built)
            found |= {f"{part}.{name}": value for name, value in built.get_params().items()}
        return found | dict(parameters)

    def _require_probabilities(self, part: str, built: Any) -> None:
        if self.name == "vote" and self.card.classifier and not hasattr(built, "predict_proba"):
            raise LearningError(
                f"'{part}' has no predict_proba, which a vote averages",
                where="model.vote",
                expected="models with predict_proba",
                remedy="name another model, or a stack, which takes any",
            )


def family_of(name: str, task: Task, model: ModelSpec) -> Family:
    """Return a candidate of a pipeline, its libraries imported: a family, or an ensemble of some.

    Raises:
        UnknownModelError: a family cannot be used.
    """
    if name not in ENSEMBLES:
        return family(name, task)
    parts = {member: _member(family(member, task)) for member in model.members_of(name)}
    if name == "stack":
        parts[FINAL] = family(_final_of(model, task), task)
    path = _ESTIMATORS[name, task.is_classification]
    card = FamilyCard(
        name=name,
        encoding="frame",
        classifier=path if task.is_classification else None,
        regressor=None if task.is_classification else path,
        distributions=tuple({each: None for part in parts.values() for each in part.card.distributions}),
        search_space=_search_space(name, parts, model),
        cost=4,
    )
    weights = {member: model.weights.get(member, 1.0) for member in parts} if name == "vote" else {}
    folds = model.stacked.folds if model.stacked is not None else 0
    return Ensemble(card, import_object(path, where=f"model.{name}"), parts, weights, folds)


def model_with(model: ModelSpec, name: str, parameters: Mapping[str, Any]) -> ModelSpec:
    """Return the model part of a pipeline with the vote that a search found, if the file declares none."""
    weights = parameters_of(WEIGHT, parameters) if name == "vote" and model.vote is None else {}
    return model.model_copy(update={"vote": weights}) if weights else model


def vote_parameters(weights: Mapping[str, float], members: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the hyperparameters of a vote of families with their own hyperparameters."""
    own = {f"{member}.{key}": value for member in weights for key, value in members[member].items()}
    return {**own, **{f"{WEIGHT}.{member}": weight for member, weight in weights.items()}}


def candidate_families(spec: PipelineSpec) -> tuple[Family, ...]:
    """Return the candidates of a pipeline in its order, their libraries imported.

    Raises:
        UnknownModelError: a candidate cannot be used.
    """
    return tuple(family_of(name, spec.task, spec.model) for name in spec.model.candidates)


def declared_parameters(name: str, task: Task, model: ModelSpec) -> frozenset[str]:
    """Return the hyperparameters of an ensemble by its members' cards; nothing is imported.

    Of members by import path nothing is known.
    """
    parts = {member: member for member in model.members_of(name)}
    parts |= {FINAL: _final_of(model, task)} if name == "stack" else {}
    own = {f"{part}.{each}" for part, of in parts.items() for each in card_of(of, task).parameter_names(task)}
    return frozenset(own | ({f"{WEIGHT}.{member}" for member in parts} if name == "vote" else set())) - {_OF_FINAL}


def _final_of(model: ModelSpec, task: Task) -> str:
    written = model.stacked.final if model.stacked is not None else None
    return written or ("logistic_regression" if task.is_classification else "ridge")


def _member(each: Family) -> Family:
    return replace(each, card=replace(each.card, defaults={**each.card.defaults, **each.card.member_defaults}))


def _search_space(name: str, parts: Mapping[str, Family], model: ModelSpec) -> dict[str, SearchParameter]:
    """Return the members' own ranges, and those of weights that the file does not give."""
    members = {part: each.card for part, each in parts.items() if part != FINAL}
    own = {f"{part}.{key}": ranged for part, card in members.items() for key, ranged in card.member_space.items()}
    return own | ({f"{WEIGHT}.{part}": _SHARE for part in members} if name == "vote" and not model.weights else {})
