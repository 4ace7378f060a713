"""scikit-learn's boosting on categories, with a fitted state that can be stored.

Stored models name the classes by this module's path: see `assay.moved_modules` before moving one. The module imports
scikit-learn, so import it inside functions only.
"""

from typing import Any, Self

from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import FunctionTransformer


class _Stored:
    """Keeps no function: the library's encoder of categories checks the other columns by one."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit on a frame whose numbers are float64."""
        super().fit(X, y, sample_weight, **options)  # type: ignore[misc]  # of the library's class
        prepared = self._preprocessor  # type: ignore[attr-defined]
        for _, transformer, _ in [] if prepared is None else [*prepared.transformers, *prepared.transformers_]:
            if isinstance(transformer, FunctionTransformer):
                transformer.func = None
        return self


class NativeHistGradientBoostingClassifier(_Stored, HistGradientBoostingClassifier):  # type: ignore[misc]
    """scikit-learn's class."""


class NativeHistGradientBoostingRegressor(_Stored, HistGradientBoostingRegressor):  # type: ignore[misc]
    """scikit-learn's class."""
