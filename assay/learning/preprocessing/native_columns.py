"""Prepared columns whose categories a booster takes natively.

Stored models name the class by this module's path: see `assay.moved_modules` before moving it. The module imports
scikit-learn, so import it inside functions only.
"""

from typing import TYPE_CHECKING, Any

from sklearn.compose import ColumnTransformer

from assay.learning.preprocessing.native_frames import native_frame

if TYPE_CHECKING:
    import pandas as pd

CATEGORICAL = "categorical"
"""Name of the block whose columns become categories."""


class NativeColumns(ColumnTransformer):  # type: ignore[misc]  # no published types
    """A column transformer that returns a frame, in which columns of categories are of pandas' `category`.

    Its block `categorical` is `Categories`, whose columns of codes come first. A missing value is a category of its
    own, and an unseen one has the code of the pool.

    Attributes:
        natives_: number of codes, missing included, of each native column by its position.
    """

    def fit_transform(self, X: "pd.DataFrame", y: Any = None, **params: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Fit the transformers, and return the prepared rows; a matrix where no column is native."""
        matrix = super().fit_transform(X, y, **params)
        self.natives_ = self._natives()
        return native_frame(matrix, self.natives_)

    def transform(self, X: "pd.DataFrame", **params: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Return the prepared rows, as `fit_transform` does."""
        return native_frame(super().transform(X, **params), self.natives_)

    def _natives(self) -> dict[int, int]:
        encoder = self.named_transformers_[CATEGORICAL].few_
        begin = self.output_indices_[CATEGORICAL].start
        # the pool has the last code, and missing values follow it
        return {} if encoder is None else {begin + place: int(pool) + 2 for place, pool in enumerate(encoder.pools_)}
