"""scikit-learn's ensembles of classifiers with weights of classes by label; theirs reach members as codes."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier

if TYPE_CHECKING:
    from collections.abc import Iterator

_WEIGHTS = "model__class_weight"


@contextmanager
def _coded_weights(ensemble: Any, y: Any) -> "Iterator[None]":
    """Give members their class weights by the codes of the labels, which the ensemble fits them on."""
    given, codes = ensemble.estimators, {label: code for code, label in enumerate(np.unique(y).tolist())}
    ensemble.estimators = [(name, _coded(member, codes)) for name, member in given]
    try:
        yield
    finally:
        ensemble.estimators = given


def _coded(member: Any, codes: dict[Any, int]) -> Any:
    weights = member.get_params().get(_WEIGHTS)
    if not isinstance(weights, dict):
        return member
    return clone(member).set_params(**{_WEIGHTS: {codes[label]: weight for label, weight in weights.items()}})


class LabelledStackingClassifier(StackingClassifier):  # type: ignore[misc]  # no published types
    """`sklearn.ensemble.StackingClassifier` whose members may have class weights by label."""

    def fit(self, X: Any, y: Any, **options: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit on labels of any type."""
        with _coded_weights(self, y):
            super().fit(X, y, **options)
        return self


class LabelledVotingClassifier(VotingClassifier):  # type: ignore[misc]  # no published types
    """`sklearn.ensemble.VotingClassifier` whose members may have class weights by label."""

    def fit(self, X: Any, y: Any, **options: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit on labels of any type."""
        with _coded_weights(self, y):
            super().fit(X, y, **options)
        return self
