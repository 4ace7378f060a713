"""Families by name, models of the user's own by import path, and the user's hyperparameters of each candidate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assay.errors import UnknownHyperparameterError, UnknownModelError, did_you_mean
from assay.importing import import_object, import_users_object, is_import_path
from assay.learning.estimators.family import FAMILIES, Family, FamilyCard
from assay.specs.pipeline import PipelineSpec, Task

_REQUIRED_METHODS = ("fit", "predict", "get_params", "set_params")


def _custom_card(path: str) -> FamilyCard:
    """Describe an unknown model: scaled, imputed, dense columns suit almost all."""
    return FamilyCard(name=path, encoding="one_hot", classifier=path, regressor=path, dense=True)


def _import_estimator(path: str, *, where: str) -> Any:
    """Import an estimator class and check that it can be fitted and cloned.

    Args:
        path: ``package.module:Class``.
        where: the field of the pipeline, for the message.

    Returns:
        The class.

    Raises:
        UnknownModelError: it cannot be imported, or lacks a method.
    """
    estimator = import_users_object(path, where=where, error=UnknownModelError)
    missing = [name for name in _REQUIRED_METHODS if not callable(getattr(estimator, name, None))]
    if missing or not isinstance(estimator, type):
        raise UnknownModelError(
            f"'{path}' is no estimator",
            where=where,
            found=f"missing: {', '.join(missing)}" if missing else f"{type(estimator).__name__}, not a class",
            expected=f"a class with {', '.join(_REQUIRED_METHODS)}",
            remedy="derive it from sklearn.base.BaseEstimator, or wrap it in a class that is",
        )
    return estimator


def family_names(task: Task | None = None) -> tuple[str, ...]:
    """Return the names of all families, or of those for one task; custom models are not included."""
    return tuple(name for name, card in FAMILIES.items() if task is None or card.path(task))


def family(name: str, task: Task) -> Family:
    """Return a family, its library imported.

    Args:
        name: a known name, or ``package.module:Class``.
        task: what is predicted.

    Returns:
        The family.

    Raises:
        UnknownModelError: there is none of that name, it does not do the task, or its library is not installed.
    """
    if is_import_path(name):
        return Family(_custom_card(name), task, _import_estimator(name, where="model.candidates"))
    card = FAMILIES.get(name)
    if card is None:
        raise UnknownModelError(
            f"there is no model family '{name}'{did_you_mean(name, FAMILIES)}",
            where="model.candidates",
            expected=f"one of {', '.join(family_names(task))}, or package.module:Class",
        )
    path = card.path(task)
    if path is None:
        raise UnknownModelError(
            f"'{name}' does not do {task}",
            where="model.candidates",
            expected=f"one of {', '.join(family_names(task))}",
            remedy="name another candidate, or change task",
        )
    return Family(card, task, _import_library(card, path))


def _import_library(card: FamilyCard, path: str) -> object:
    try:
        found: object = import_object(path, where="model.candidates", error=UnknownModelError)
    except UnknownModelError as error:
        if card.extra is None:
            raise
        raise UnknownModelError(
            f"the model family '{card.name}' is not installed",
            where="model.candidates",
            found=error.found,
            remedy=f"install assay[{card.extra}]",
        ) from error
    return found


def candidate_families(spec: PipelineSpec) -> tuple[Family, ...]:
    """Return the candidates of a pipeline in its order, their libraries imported.

    Raises:
        UnknownModelError: a candidate cannot be used.
    """
    return tuple(family(name, spec.task) for name in spec.model.candidates)


def base_hyperparameters(spec: PipelineSpec, chosen: Family) -> dict[str, Any]:
    """Return the hyperparameters that the pipeline gives to one candidate.

    A bare name applies to each candidate that takes it; a name under a family applies to that family and overrides the
    bare one. Entries of families that are no candidates are ignored, so that a run may choose among a file's families.

    Args:
        spec: the pipeline.
        chosen: one of its candidates.

    Returns:
        Values by name; without the family's own defaults.

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
