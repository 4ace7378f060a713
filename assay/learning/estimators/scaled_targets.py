"""A regressor for targets of any scale: scikit-learn's neural network takes steps that suit targets near 0 and 1.

Stored models name the class by this module's path: see `assay.moved_modules` before moving it. The module imports
scikit-learn, so import it inside functions only.
"""

from typing import Any, Self

import numpy as np
from sklearn.neural_network import MLPRegressor


class ScaledMLPRegressor(MLPRegressor):  # type: ignore[misc]  # no published types
    """`sklearn.neural_network.MLPRegressor` that is fitted on the standardised target.

    Attributes:
        center_: mean of the training target.
        scale_: its standard deviation, 1 where that is 0.
    """

    def fit(self, X: Any, y: Any, **options: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit on numbers of any scale."""
        target = np.asarray(y, dtype=np.float64)
        self.center_, self.scale_ = float(target.mean()), float(target.std()) or 1.0
        super().fit(X, (target - self.center_) / self.scale_, **options)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return a number for each row, in the target's unit."""
        return np.asarray(super().predict(X) * self.scale_ + self.center_)
