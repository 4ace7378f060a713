"""Transformers that scikit-learn lacks: numbers with gaps, categories, moments in time, texts.

Stored models name these classes by this module's path: see `assay.moved_modules` before moving one. The module imports
scikit-learn, so import it inside functions only.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    import pandas as pd

_CYCLES = {"hour": 24.0, "weekday": 7.0, "month": 12.0}
_CLOCK = ("year", "elapsed_days")
_PARTS = ("year", "month", "day", "weekday", "hour")
_ALL_PARTS = (*_PARTS, *(f"{cycle}_{wave}" for cycle in _CYCLES for wave in ("sin", "cos")), "elapsed_days", "missing")
_FEWEST_ROWS_FOR_MEANS = 10
_SECONDS_PER_DAY = 86_400.0
_UNSEEN = -1
_FEWEST_CATEGORIES_TO_POOL = 2
# rows of a column that stand for unseen categories: enough for a leaf of any booster, and few of a small table
_POOLED_SHARE, _POOLED_ROWS, _LARGEST_POOLED_SHARE = 0.01, 100, 0.05


def as_frame(X: Any) -> "pd.DataFrame":  # noqa: N803 - scikit-learn's name
    """Return rows as a frame; a transformer before this one in a chain may return an array."""
    import pandas as pd

    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)


def remember_columns(transformer: Any, X: "pd.DataFrame") -> None:  # noqa: N803 - scikit-learn's name
    """Give a transformer the attributes by which scikit-learn knows its columns."""
    transformer.feature_names_in_ = np.asarray(X.columns, dtype=object)
    transformer.n_features_in_ = X.shape[1]


class RawNumbers(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Pass numbers through with NaN where missing; a column without any value at fit becomes a constant 0.

    Histogram binning fails on a column of NaN alone, and dropping the column would silently change the model's inputs.

    Attributes:
        empty_: shape (columns,), bool; columns that had no value at fit.
    """

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Remember the columns without any value; `X` is float64 with NaN."""
        remember_columns(self, X)
        self.empty_ = X.isna().to_numpy().all(axis=0)
        return self

    def transform(self, X: "pd.DataFrame") -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return float64 of the same shape."""
        check_is_fitted(self)
        numbers = X.to_numpy(dtype=np.float64, copy=True)
        numbers[:, self.empty_] = 0.0
        return numbers


class OrdinalCategories(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Categories as numbers, with one code for those that are rare or were not there at fit.

    scikit-learn's encoder writes a code of its own for unseen categories, which no row has at fit: trees treat it as
    they treat the first category. Here an unseen category has the code of the encoder's rare ones. Where the encoder
    pools none, the code follows all others, and `fit_transform` writes it to n * a / (n + a) of the n rows of each
    category: nearly all rows of the rarest, and about `a` of every other, so that the models learn the mean of the
    categories for it. Missing values keep a code of their own, NaN where the encoder leaves them out.

    Source: Kiperwasser and Goldberg (2016), "Simple and Accurate Dependency Parsing Using Bidirectional LSTM Feature
    Representations", word dropout.

    Args:
        encoder: unfitted `OrdinalEncoder` that writes -1 for unknown categories.
        seed: seed of the choice of rows.

    Attributes:
        encoder_: the fitted encoder.
        pools_: shape (columns,), float64; the code of rare and unseen categories.
    """

    def __init__(self, encoder: Any = None, seed: int = 0) -> None:
        self.encoder = encoder
        self.seed = seed

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit the encoder; `X` is object of str with None, or float64 with NaN."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: "pd.DataFrame", y: Any = None) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Fit the encoder, and return the codes as float64 of the same shape, some of them the pools'."""
        X = as_frame(X)  # noqa: N806
        remember_columns(self, X)
        self.encoder_ = clone(self.encoder)
        coded = np.asarray(self.encoder_.fit_transform(X), dtype=np.float64)
        order = _order_of_targets(y, len(X), self.seed)
        self.pools_ = np.empty(X.shape[1])
        for column, rare in enumerate(self.infrequent_categories_):
            present, codes = X.iloc[:, column].notna().to_numpy(), coded[:, column]
            if rare is not None:
                self.pools_[column] = codes[X.iloc[:, column].isin(rare[:1]).to_numpy()][0]
                continue
            self.pools_[column] = np.nanmax(codes, initial=-1) + 1
            codes[_pooled_rows(np.where(present, codes, np.nan), order)] = self.pools_[column]
        return coded

    def transform(self, X: "pd.DataFrame") -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return the codes as float64 of the same shape."""
        check_is_fitted(self)
        coded = np.asarray(self.encoder_.transform(as_frame(X)), dtype=np.float64)
        return np.where(coded == _UNSEEN, self.pools_, coded)

    @property
    def infrequent_categories_(self) -> list[np.ndarray | None]:
        """The rare categories of each column; None for a column without."""
        return list(getattr(self.encoder_, "infrequent_categories_", None) or [None] * self.n_features_in_)


def _order_of_targets(y: Any, rows: int, seed: int) -> np.ndarray:
    """Return all rows in the order of their targets, equal ones in random order."""
    order = np.random.default_rng(seed).permutation(rows)
    return order if y is None else order[np.argsort(np.asarray(y)[order], kind="stable")]


def _pooled_rows(codes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the rows of a column that stand for unseen categories at fit; `codes` is NaN where missing.

    Of each category they are evenly spaced in the order of the targets, so that few rows have its mean.
    """
    known, counts = np.unique(codes[~np.isnan(codes)], return_counts=True)
    if len(known) < _FEWEST_CATEGORIES_TO_POOL:
        return np.empty(0, dtype=np.int64)
    rows = len(codes)
    each = max(_POOLED_SHARE * rows, min(_POOLED_ROWS, _LARGEST_POOLED_SHARE * rows)) / len(known)
    wanted = np.ceil(counts * each / (counts + each)).astype(np.int64)
    ordered = ((order[codes[order] == code], number) for code, number in zip(known, wanted, strict=True))
    return np.concatenate([rows[((np.arange(n) + 0.5) * len(rows) / n).astype(np.int64)] for rows, n in ordered])


class Categories(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Few categories as the encoder writes them, many as the mean of the target.

    The means are out-of-fold for the rows that they are fitted on (Micci-Barreca 2001; scikit-learn's `TargetEncoder`),
    so `fit_transform` differs from `fit` and `transform`. On 60,000 made rows of 5,000 users a pool of all but 50
    users leaves LightGBM an AUC of 0.68, its native categories reach 0.75, and the means 0.80.

    Args:
        few: unfitted encoder of columns with at most `most` categories.
        many: unfitted supervised encoder of the others.
        most: bound on the categories of a column, missing included.

    Attributes:
        many_columns_: names of the columns that `many` encodes; empty where the rows are fitted without a target.
    """

    def __init__(self, few: Any = None, many: Any = None, most: int = 50) -> None:
        self.few = few
        self.many = many
        self.most = most

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit both encoders; `X` is object of str with None."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: "pd.DataFrame", y: Any = None) -> Any:  # noqa: N803 - scikit-learn's name
        """Fit both encoders, and return the columns with out-of-fold means."""
        remember_columns(self, X)
        means = self.many is not None and y is not None and len(X) >= _FEWEST_ROWS_FOR_MEANS
        self.many_columns_ = [name for name in X.columns if means and X[name].nunique(dropna=False) > self.most]
        self.few_columns_ = [name for name in X.columns if name not in self.many_columns_]
        self.few_ = clone(self.few) if self.few_columns_ else None
        self.many_ = clone(self.many) if self.many_columns_ else None
        return _beside([encoder.fit_transform(X[columns], y) for encoder, columns in self._fitted()])

    def transform(self, X: "pd.DataFrame") -> Any:  # noqa: N803 - scikit-learn's name
        """Return the encoded columns, those of `few` first; an unknown category has the mean of all rows."""
        check_is_fitted(self, "many_columns_")
        return _beside([encoder.transform(X[columns]) for encoder, columns in self._fitted()])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return the encoders' own names."""
        return np.concatenate([encoder.get_feature_names_out() for encoder, _ in self._fitted()])

    def _fitted(self) -> list[tuple[Any, list[str]]]:
        both = ((self.few_, self.few_columns_), (self.many_, self.many_columns_))
        return [(encoder, columns) for encoder, columns in both if encoder is not None]


def _beside(blocks: list[Any]) -> Any:
    if any(sparse.issparse(block) for block in blocks):
        return sparse.hstack(blocks, format="csr")
    return np.hstack(blocks)


class CalendarFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Calendar parts, their position in the cycles of day, week and year, and days since the training minimum.

    The last part says whether the moment is missing; NaT becomes NaN in every other part. Cycles are given as sine and
    cosine, so that December is next to January. A column without any value at fit becomes a constant 0.

    The year and the days grow without end. A tree puts all moments after its training rows into one leaf, so trees get
    them only on demand.

    Args:
        clock: whether `year` and `elapsed_days` are among the parts.

    Attributes:
        origins_: shape (columns,), float64; the earliest moment at fit in seconds since 1970, NaN if there was none.
    """

    clock = True  # models that were stored before the argument existed have both parts

    def __init__(self, *, clock: bool = True) -> None:
        self.clock = clock

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Remember the earliest moment of each column; `X` is datetime64."""
        remember_columns(self, X)
        self.origins_ = np.array([_seconds(X[name]).min() for name in X.columns], dtype=np.float64)
        return self

    def transform(self, X: "pd.DataFrame") -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return float64 of shape (rows, columns * parts)."""
        check_is_fitted(self)
        blocks = [
            np.zeros((len(X), len(_ALL_PARTS))) if np.isnan(origin) else _parts(X[name], origin)
            for name, origin in zip(X.columns, self.origins_, strict=True)
        ]
        kept = [part in self._kept() for part in _ALL_PARTS]
        return np.hstack([block[:, kept] for block in blocks])

    def _kept(self) -> list[str]:
        return [part for part in _ALL_PARTS if self.clock or part not in _CLOCK]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002 - scikit-learn's signature
        """Return ``<column>_<part>`` for each part."""
        return np.array(
            [f"{column}_{part}" for column in self.feature_names_in_ for part in self._kept()], dtype=object
        )


def _seconds(moments: "pd.Series") -> "pd.Series":
    import pandas as pd

    return (moments - pd.Timestamp(0)).dt.total_seconds()


def _parts(moments: "pd.Series", origin: float) -> np.ndarray:
    parts = {part: getattr(moments.dt, part).to_numpy(dtype=np.float64) for part in _PARTS}
    angles = {cycle: 2 * np.pi * parts[cycle] / length for cycle, length in _CYCLES.items()}
    waves = [wave(angle) for angle in angles.values() for wave in (np.sin, np.cos)]
    elapsed = (_seconds(moments).to_numpy(dtype=np.float64) - origin) / _SECONDS_PER_DAY
    return np.column_stack([*parts.values(), *waves, elapsed, moments.isna().to_numpy(dtype=np.float64)])


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

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Learn the vocabulary; `X` has one column, object of str, "" where missing."""
        remember_columns(self, X)
        texts = X.iloc[:, 0]
        vectorizer = TfidfVectorizer(max_features=self.max_features, sublinear_tf=True, strip_accents="unicode")
        tokenise = vectorizer.build_analyzer()
        self.vectorizer_ = vectorizer.fit(texts) if any(tokenise(text) for text in texts) else None
        self.condenser_ = self._fitted_condenser(texts)
        return self

    def _fitted_condenser(self, texts: "pd.Series") -> TruncatedSVD | None:
        if self.vectorizer_ is None or self.components is None:
            return None
        if self.components >= min(len(texts), len(self.vectorizer_.vocabulary_)):
            return None
        weights = self.vectorizer_.transform(texts)
        return TruncatedSVD(n_components=self.components, random_state=self.seed).fit(weights)

    def transform(self, X: "pd.DataFrame") -> Any:  # noqa: N803 - scikit-learn's name
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
