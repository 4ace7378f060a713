"""Models of the user's own, by import path.

Does not belong here: a list of known packages; whatever has the four methods is accepted.
"""

from typing import Any

from assay.errors import UnknownModelError
from assay.estimators.family import FamilyCard
from assay.importing import import_object

REQUIRED_METHODS = ("fit", "predict", "get_params", "set_params")


def custom_card(path: str) -> FamilyCard:
    """Describe a model of which nothing is known: scaled, imputed, dense columns suit almost all."""
    return FamilyCard(name=path, encoding="one_hot", classifier=path, regressor=path, dense=True)


def import_estimator(path: str, *, where: str) -> Any:
    """Import an estimator class and check that it can be fitted and cloned.

    Args:
        path: ``package.module:Class``.
        where: the field of the pipeline, for the message.

    Returns:
        The class.

    Raises:
        UnknownModelError: it cannot be imported, or lacks a method.
    """
    estimator = import_object(path, where=where, error=UnknownModelError)
    missing = [name for name in REQUIRED_METHODS if not callable(getattr(estimator, name, None))]
    if missing or not isinstance(estimator, type):
        raise UnknownModelError(
            f"'{path}' is no estimator",
            where=where,
            found=f"missing: {', '.join(missing)}" if missing else f"{type(estimator).__name__}, not a class",
            expected=f"a class with {', '.join(REQUIRED_METHODS)}",
            remedy="derive it from sklearn.base.BaseEstimator, or wrap it in a class that is",
        )
    return estimator
