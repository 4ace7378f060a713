"""Numbers as they are, for models that take missing values themselves."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted


class RawNumbers(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Hand numbers on with NaN where missing; a column without any value at fit becomes a constant 0.

    Histogram binning fails on a column of NaN alone, and dropping the column would change the model's inputs unseen.

    Attributes:
        empty_: shape (columns,), bool; columns that had no value at fit.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Note the columns without any value.

        Args:
            X: shape (rows, columns), float64 with NaN.
            y: not used.
        """
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.empty_ = X.isna().to_numpy().all(axis=0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return float64 of the same shape."""
        check_is_fitted(self)
        numbers = X.to_numpy(dtype=np.float64, copy=True)
        numbers[:, self.empty_] = 0.0
        return numbers
