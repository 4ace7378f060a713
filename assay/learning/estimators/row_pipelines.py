"""A pipeline whose model is fitted with weights of rows, and with constraints by column.

scikit-learn's own hands weights on as `<step>__sample_weight` alone, which stacks and votes of pipelines cannot name.
Stored models name the class by this module's path: see `assay.moved_modules` before moving it. The module imports
scikit-learn, so import it inside functions only.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.pipeline import Pipeline

from assay.learning.estimators.constraints import place
from assay.learning.preprocessing.output_sources import output_sources
from assay.learning.weights import fit_options

if TYPE_CHECKING:
    import pandas as pd


class PipelineOfWeightedRows(Pipeline):  # type: ignore[misc]  # no published types
    """A pipeline of two steps, preprocessing and model, of which the model gets the weights of the rows."""

    def fit(self, X: "pd.DataFrame", y: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit the preprocessing on all rows, and the model on those that it keeps, by their weights."""
        (_, prepared), (_, model) = self.steps
        kept: Any = slice(None)
        if hasattr(prepared, "fit_rows"):
            matrix, kept = prepared.fit_rows(X, y)
        else:
            matrix = prepared.fit_transform(X, y)
        weights = None if sample_weight is None else np.asarray(sample_weight)[kept]
        if hasattr(getattr(prepared, "columns_", prepared), "output_indices_"):
            place(model, output_sources(prepared))
        model.fit(matrix, y[kept], **fit_options(weights))
        return self
