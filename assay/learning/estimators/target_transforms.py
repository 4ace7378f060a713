"""A regressor that is fitted on a transform of the target, for targets whose errors grow with their size.

Stored models name the class by this module's path: see `assay.moved_modules` before moving it. The module imports
scikit-learn, so import it inside functions only.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.preprocessing import PowerTransformer
from sklearn.utils.validation import check_is_fitted

_PLAIN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "log": (np.log, np.exp),
    "log1p": (np.log1p, np.expm1),
}


def within_transform(model: Any) -> "tuple[Any, TransformedTarget | None]":
    """Return the fitted regressor below a transform of the target and that transform; the model alone without one."""
    return (model.model_, model) if isinstance(model, TransformedTarget) else (model, None)


class TransformedTarget(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """A regressor and the transform of the target that it is fitted on; predictions are in the target's own unit.

    Predictions and intervals are kept within the range of the training targets, beyond which the inverse may
    have no value. The inverse of a mean is no mean: after a logarithm predictions estimate the median.

    Source: Yeo and Johnson (2000), "A new family of power transformations to improve normality or symmetry".

    Args:
        model: unfitted regressor.
        transform: `log`, `log1p` or `yeo_johnson`.

    Attributes:
        model_: the fitted regressor.
        power_: the fitted power transform; None for logarithms.
        bounds_: least and largest transformed training target.
    """

    def __init__(self, model: Any = None, transform: str = "log") -> None:
        self.model = model
        self.transform = transform

    def fit(self, X: Any, y: Any, **options: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit on numbers that the transform takes."""
        self.begun(y).fit(X, self.transformed(y), **options)
        return self

    def begun(self, y: Any) -> Any:
        """Fit the transform alone; returns `model_`, which is to be fitted on `transformed(y)`."""
        values = np.asarray(y, dtype=np.float64)
        self.power_ = None if self.transform in _PLAIN else PowerTransformer().fit(values[:, None])
        within = self.transformed(values)
        self.bounds_ = [float(within.min()), float(within.max())]
        self.model_ = clone(self.model)
        return self.model_

    def transformed(self, y: Any) -> np.ndarray:
        """Return what the model is fitted on for targets, shape (n,)."""
        values = np.asarray(y, dtype=np.float64)
        if self.power_ is None:
            return np.asarray(_PLAIN[self.transform][0](values))
        return np.asarray(self.power_.transform(values[:, None])[:, 0])

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return a number for each row, in the target's unit."""
        check_is_fitted(self, "model_")
        return self._inverse(np.asarray(self.model_.predict(X), dtype=np.float64))

    def around(self, predicted: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of intervals that reach as far to both sides of each transformed prediction.

        Args:
            predicted: in the target's unit, shape (n,).
            width: on the scale of the transform.
        """
        center = self.transformed(predicted)
        return self._inverse(center - width), self._inverse(center + width)

    def _inverse(self, transformed: np.ndarray) -> np.ndarray:
        """Return numbers in the target's unit, kept within the range of the training targets."""
        low, high = self.bounds_
        predicted = np.clip(transformed, low, high)
        if self.power_ is None:
            return np.asarray(_PLAIN[self.transform][1](predicted))
        return np.asarray(self.power_.inverse_transform(predicted[:, None])[:, 0])

    def continued(self, model: Any, y: Any) -> Self:
        """Return the same transform around a model that was fitted on with further targets."""
        further = self.transformed(y)
        copy = type(self)(self.model, self.transform)
        copy.power_, copy.model_ = self.power_, model
        copy.bounds_ = [min(self.bounds_[0], float(further.min())), max(self.bounds_[1], float(further.max()))]
        return copy
