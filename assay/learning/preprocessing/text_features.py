"""Texts as numbers."""

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted


class TextFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """TF-IDF weights of one text column, optionally condensed, and the logarithm of the number of words.

    The word count is there for texts without any known word too, so a column of empty texts still has its place.

    Args:
        max_features: largest vocabulary.
        components: condense the weights to this many by a truncated singular value decomposition (latent semantic
            analysis, Deerwester et al. 1990); None leaves them as a sparse matrix.
        seed: seed of the decomposition.

    Attributes:
        vectorizer_: the fitted `TfidfVectorizer`, or None when no text had a word.
        condenser_: the fitted `TruncatedSVD`, or None when it was not asked for or the vocabulary is smaller.
    """

    def __init__(self, max_features: int = 256, components: int | None = None, seed: int = 0) -> None:
        self.max_features = max_features
        self.components = components
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Learn the vocabulary.

        Args:
            X: shape (rows, 1), object of str, "" where missing.
            y: not used.
        """
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        texts = X.iloc[:, 0]
        vectorizer = TfidfVectorizer(max_features=self.max_features, sublinear_tf=True, strip_accents="unicode")
        tokenise = vectorizer.build_analyzer()
        self.vectorizer_ = vectorizer.fit(texts) if any(tokenise(text) for text in texts) else None
        self.condenser_ = self._fitted_condenser(texts)
        return self

    def _fitted_condenser(self, texts: pd.Series) -> TruncatedSVD | None:
        if self.vectorizer_ is None or self.components is None:
            return None
        if self.components >= min(len(texts), len(self.vectorizer_.vocabulary_)):
            return None
        weights = self.vectorizer_.transform(texts)
        return TruncatedSVD(n_components=self.components, random_state=self.seed).fit(weights)

    def transform(self, X: pd.DataFrame) -> Any:  # noqa: N803 - scikit-learn's name
        """Return float64 of shape (rows, 1 + weights), sparse unless `components` is set."""
        check_is_fitted(self, "condenser_")
        texts = X.iloc[:, 0]
        counts = np.log1p(texts.str.split().str.len().to_numpy(dtype=np.float64)).reshape(-1, 1)
        if self.vectorizer_ is None:
            return counts
        weights = self.vectorizer_.transform(texts)
        if self.components is None:
            return sparse.hstack([sparse.csr_matrix(counts), weights], format="csr")
        dense = weights.toarray() if self.condenser_ is None else self.condenser_.transform(weights)
        return np.hstack([counts, dense])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return ``<column>_words`` and ``<column>_<word>`` or ``<column>_topic<n>``."""
        check_is_fitted(self, "condenser_")
        parts = ["words"]
        if self.condenser_ is not None:
            parts += [f"topic{number}" for number in range(self.condenser_.n_components)]
        elif self.vectorizer_ is not None:
            parts += list(self.vectorizer_.get_feature_names_out())
        return np.array([f"{self.feature_names_in_[0]}_{part}" for part in parts], dtype=object)
