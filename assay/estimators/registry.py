"""All families by name. A new one is a module with a `FamilyCard` and an entry here.

Does not belong here: what the families are.
"""

from assay.errors import UnknownModelError, did_you_mean
from assay.estimators.custom import custom_card, import_estimator
from assay.estimators.family import Family, FamilyCard
from assay.estimators.forest import RANDOM_FOREST, RANDOM_FOREST_CLASSIFIER, RANDOM_FOREST_REGRESSOR
from assay.estimators.hist_gradient_boosting import HIST_GRADIENT_BOOSTING
from assay.estimators.lightgbm import LIGHTGBM
from assay.estimators.linear import LINEAR_REGRESSION, LOGISTIC_REGRESSION, RIDGE
from assay.estimators.xgboost import XGBOOST
from assay.importing import import_object, is_import_path
from assay.specs.pipeline import Task

_CARDS: dict[str, FamilyCard] = {
    card.name: card
    for card in (
        LOGISTIC_REGRESSION,
        LINEAR_REGRESSION,
        RIDGE,
        RANDOM_FOREST,
        RANDOM_FOREST_CLASSIFIER,
        RANDOM_FOREST_REGRESSOR,
        HIST_GRADIENT_BOOSTING,
        LIGHTGBM,
        XGBOOST,
    )
}


def family_names(task: Task | None = None) -> tuple[str, ...]:
    """Return the names of all families, or of those for one task; custom models are not among them."""
    return tuple(name for name, card in _CARDS.items() if task is None or card.path(task))


def family(name: str, task: Task) -> Family:
    """Return a family, its library imported.

    Args:
        name: a known name, or ``package.module:Class``.
        task: what it is to predict.

    Returns:
        The family.

    Raises:
        UnknownModelError: there is none of that name, it does not do the task, or its library is not installed.
    """
    if is_import_path(name):
        return Family(custom_card(name), task, import_estimator(name, where="model.candidates"))
    card = _CARDS.get(name)
    if card is None:
        raise UnknownModelError(
            f"there is no model family '{name}'{did_you_mean(name, _CARDS)}",
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
