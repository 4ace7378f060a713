"""Encoders of many categories, and filling by groups of rows, which scikit-learn lacks.

Stored models name these classes by this module's path: see `assay.moved_modules` before moving one. The module imports
scikit-learn, so import it inside functions only.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.feature_extraction import FeatureHasher
from sklearn.utils.validation import check_is_fitted

from assay.learning.preprocessing.transformers import as_frame, remember_columns

if TYPE_CHECKING:
    import pandas as pd

_MISSING = "\x00missing"
"""Name of the category of missing values; no text of a file holds this character."""
_BETWEEN = "\x1f"


def _names(values: "pd.Series") -> "pd.Series":
    """Return values as texts, missing ones as a category of their own."""
    return values.where(values.notna(), _MISSING).astype(str)


class FrequencyEncoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """The share of the training rows that have a row's category; 0 for a category that was not there.

    Source: count encoding, as of Pargent et al. (2022), "Regularized target encoding outperforms traditional methods in
    supervised machine learning with high cardinality features".

    Attributes:
        shares_: for each column the share by category, missing values included.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Count the categories; `X` is object of str with None, or numbers with NaN."""
        frame = as_frame(X)
        remember_columns(self, frame)
        counts = (_names(frame.iloc[:, number]).value_counts(normalize=True) for number in range(frame.shape[1]))
        self.shares_ = [{str(name): float(share) for name, share in each.items()} for each in counts]
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return float64 of the same shape."""
        check_is_fitted(self)
        frame = as_frame(X)
        shares = [_names(frame.iloc[:, number]).map(each).fillna(0.0) for number, each in enumerate(self.shares_)]
        return np.column_stack([each.to_numpy(dtype=np.float64) for each in shares])


class HashingEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Each category as +1 or -1 in one of a fixed number of outputs, chosen by its hash; nothing is learned.

    Categories that share an output are distinguished by other columns alone, so take more outputs than frequent
    categories. Unseen categories and new columns of them need no new fit.

    Source: Weinberger et al. (2009), "Feature Hashing for Large Scale Multitask Learning".

    Args:
        n_features: number of outputs, of all columns together.
    """

    def __init__(self, n_features: int = 256) -> None:
        self.n_features = n_features

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Remember the columns."""
        remember_columns(self, as_frame(X))
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Return a sparse matrix of shape (rows, n_features), float64."""
        check_is_fitted(self)
        frame, hasher = as_frame(X), FeatureHasher(self.n_features, input_type="string")
        hashed = None
        for number, name in enumerate(self.feature_names_in_):
            codes, categories = _names(frame.iloc[:, number]).factorize()
            # only the distinct values are hashed
            column = hasher.transform([[f"{name}={each}"] for each in categories])[codes]
            hashed = column if hashed is None else hashed + column
        return hashed

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return ``hash<n>``."""
        return np.array([f"hash{number}" for number in range(self.n_features)], dtype=object)


class GroupImputer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Missing values filled by the middle of the rows that agree in some columns, else of all rows.

    Args:
        by: names of the columns whose values group the rows; they are not returned. Without any, all rows are one
            group.
        strategy: `median`, `mean` or `most_frequent`; texts take `most_frequent` whatever it says.

    Attributes:
        names_: of the columns that are returned.
        fills_: for each of them the value by group.
        overall_: for each of them the value of all rows.
    """

    def __init__(self, by: Sequence[str] = (), strategy: str = "median") -> None:
        self.by = by
        self.strategy = strategy

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Find the value of each group; `X` has the columns to fill and those of `by`."""
        if self.strategy not in {"median", "mean", "most_frequent"}:
            msg = f"strategy is median, mean or most_frequent, not {self.strategy!r}"
            raise ValueError(msg)
        remember_columns(self, X)
        keys = self._keys(X)
        self.names_ = [name for name in X.columns if name not in self.by]
        found = [X[name].dropna().groupby(keys).agg(self._middle).to_dict() for name in self.names_]
        self.fills_ = [{str(key): _plain(value) for key, value in each.items()} for each in found]
        self.overall_ = [_plain(self._middle(X[name].dropna())) for name in self.names_]
        return self

    def transform(self, X: "pd.DataFrame") -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return the filled columns without those of `by`: float64, or object where one of them is of text."""
        check_is_fitted(self)
        keys = self._keys(X)
        filled = [
            X[name].where(X[name].notna(), keys.map(fills)).fillna(overall).to_numpy()
            for name, fills, overall in zip(self.names_, self.fills_, self.overall_, strict=True)
        ]
        return np.column_stack(filled)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return the names of the filled columns."""
        return np.asarray(self.names_, dtype=object)

    def _keys(self, rows: "pd.DataFrame") -> "pd.Series":
        import pandas as pd

        first, *others = [_names(rows[name]) for name in self.by] or [pd.Series("", index=rows.index)]
        for each in others:
            first = first + _BETWEEN + each
        return first

    def _middle(self, values: "pd.Series") -> Any:
        if not len(values):
            return 0.0
        if self.strategy == "most_frequent" or values.dtype == object:
            return values.mode().iloc[0]
        # an exact sum is the same for rows in any order
        return math.fsum(values) / len(values) if self.strategy == "mean" else values.median()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)
