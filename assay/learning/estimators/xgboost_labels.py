"""XGBoost's classifier for labels of any type; the library's own takes the numbers 0 to n-1 only."""

from typing import Any, Self

import numpy as np
from xgboost import XGBClassifier


class LabelledXGBClassifier(XGBClassifier):
    """`xgboost.XGBClassifier` that keeps the labels it was fitted on.

    Attributes:
        labels_: the distinct labels, ascending, in the order of `predict_proba`'s columns.
    """

    @property
    def classes_(self) -> np.ndarray:
        """The distinct labels, ascending."""
        return self.labels_

    def fit(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any,
        *,
        sample_weight: Any = None,
        eval_set: Any = None,
        **options: Any,
    ) -> Self:
        """Fit on labels of any type that sorts; those of `eval_set` are among them."""
        self.labels_, codes = np.unique(np.asarray(y), return_inverse=True)
        coded = [(rows, np.searchsorted(self.labels_, labels)) for rows, labels in eval_set] if eval_set else None
        encoder = XGBClassifier(**self.get_params())
        encoder.fit(X, codes, sample_weight=sample_weight, eval_set=coded, **options)
        self._Booster = encoder.get_booster()
        self.n_classes_ = encoder.n_classes_
        self.objective = encoder.objective
        return self

    def predict(self, X: Any, **options: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return the most probable label of each row."""
        return np.asarray(self.labels_[np.argmax(self.predict_proba(X, **options), axis=1)])
