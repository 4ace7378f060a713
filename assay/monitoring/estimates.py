"""The champion's metric on rows without labels, estimated from what its holdout says about its errors.

Truths are drawn for the window's rows and the metric is computed of them, so that every metric can be estimated, the
user's own too. The same is done for the holdout itself; the difference of both is the estimated change, in which the
estimator's own bias cancels out. Both methods see what a change of the features does. They cannot see a change of what
the features mean: that takes labels.

Sources: classification: CBPE, confidence-based performance estimation; Białek, Kuberski, Perrakis and Bifet (2024),
Estimating Model Performance Under Covariate Shift Without Labels; arXiv 2401.08348. Regression: DLE, direct loss
estimation, of the same authors' library NannyML: a model of the champion's absolute error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np

from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import Predictions, codes
from assay.monitoring.scored import Scored
from assay.results.trained_model import ModelManifest
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_DRAWS = 40
_MOST_ROWS = 20_000
_FEWEST_ROWS = 100
"""Of the holdout; fewer say too little about the champion's errors."""
_FOLDS = 3
_REFITS = 10
"""Of the error's model, on rows drawn with replacement: how uncertain it is where a shift brings rows."""
_BINS, _BIN_ROWS = 20, 30


class PerformanceEstimate(Spec):
    """The primary metric of a window's rows, without their labels."""

    method: Literal["CBPE", "DLE"]
    partition: str
    """The partition whose rows it is about."""
    value: float
    lower: float
    """Ends of the interval: the noise of the holdout that the estimate comes from, and of the labels to come."""
    upper: float
    loss: float
    """Estimated loss since promotion; positive is worse for every metric."""
    share_worse: float
    """Probability that the loss exceeds `max_loss`, if only the features have changed."""
    warning: bool = False
    """Whether that is sure enough for a warning; an estimate raises no alarm."""


class _ErrorModel(Protocol):
    """What draws truths for rows, as the champion's errors on its holdout make them likely."""

    method: Literal["CBPE", "DLE"]
    needs_features: bool
    known: np.ndarray
    """What `of_rows` returns for the holdout."""

    def of_rows(self, features: "pd.DataFrame", predictions: Predictions) -> np.ndarray:
        """Return what the truths of rows are drawn from."""
        ...

    def redrawn(self, random: np.random.Generator) -> "_Draw":
        """Return a function that draws truths, after the holdout was resampled once."""
        ...


_Draw: TypeAlias = Callable[[np.ndarray, Predictions], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class LabelFreeEstimator:
    """An estimator fitted on the champion's holdout.

    Attributes:
        errors: the model of the champion's errors.
        predictions: of the holdout.
        seed: of the draws.
    """

    errors: _ErrorModel
    predictions: Predictions
    seed: int

    @classmethod
    def fitted(cls, known: Scored, manifest: ModelManifest, spec: PipelineSpec) -> "LabelFreeEstimator | None":
        """Fit on the holdout; None with fewer than 100 rows, or for a classifier without probabilities."""
        from assay.learning.estimators.assembly import limited_threads

        seed, given = spec.training.seed, known.predictions.probabilities
        unusable = spec.task.is_classification and (given is None or not np.isfinite(given).all())
        if unusable or len(known.truth) < _FEWEST_ROWS:
            return None
        known = known.take(_some_rows(len(known.truth), seed))
        if spec.task.is_classification:
            return cls(_ClassErrors(known), known.predictions, seed)
        with limited_threads(spec.training.threads):
            return cls(_NumberErrors(known, manifest, seed), known.predictions, seed)

    def gains(self, metric: Metric, features: "pd.DataFrame", predictions: Predictions) -> np.ndarray:
        """Return by how much the metric is better on a window's rows than on the holdout, shape (draws,)."""
        random, rows = np.random.default_rng(self.seed), _some_rows(len(features), self.seed)
        predictions = predictions.take(rows)
        now = self.errors.of_rows(features.iloc[rows], predictions)
        gains = []
        for _ in range(_DRAWS):
            draw = self.errors.redrawn(random)
            before = measure(metric, draw(self.errors.known, self.predictions), self.predictions).value
            after = measure(metric, draw(now, predictions), predictions).value
            if before is not None and after is not None:
                gains.append(metric.gain(before, after))
        return np.array(gains)


class _ClassErrors:
    """Calibrated probabilities of each class."""

    method: Literal["CBPE", "DLE"] = "CBPE"
    needs_features = False

    def __init__(self, known: Scored) -> None:
        self._classes = known.predictions.classes
        self.known = self.of_rows(known.features, known.predictions)
        self._truth = codes(known.truth, self._classes)

    def of_rows(self, features: "pd.DataFrame", predictions: Predictions) -> np.ndarray:  # noqa: ARG002 - as the other
        return np.asarray(predictions.probabilities)

    def redrawn(self, random: np.random.Generator) -> _Draw:
        rows = random.integers(0, len(self._truth), len(self._truth))
        first = 1 if len(self._classes) == len(("no", "yes")) else 0
        fitted = [
            _calibrator(self.known[rows, each], self._truth[rows] == each) for each in range(first, len(self._classes))
        ]
        labels = np.empty(len(self._classes), dtype=object)
        labels[:] = self._classes

        def draw(given: np.ndarray, predictions: Predictions) -> np.ndarray:
            calibrated = np.column_stack([each(given[:, n]) for n, each in enumerate(fitted, start=first)])
            if first:
                calibrated = np.column_stack([1 - calibrated, calibrated])
            calibrated = np.where(calibrated.sum(axis=1, keepdims=True) > 0, calibrated, given)
            limits = calibrated.cumsum(axis=1) / calibrated.sum(axis=1, keepdims=True)
            drawn = (random.random((len(given), 1)) > limits[:, :-1]).sum(axis=1)
            return np.asarray(labels[drawn].astype(predictions.labels.dtype))

        return draw


def _calibrator(scores: np.ndarray, hits: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what maps scores to shares of hits: isotonic regression over bins of equally many rows, and lines between.

    Without bins the ends of an isotonic regression are 0 and 1 wherever the last rows agree, which promises too much
    of rows that a shift brings there: a gain of AUC of 0.018 where 0.007 was true (2,000 rows), with bins 0.007.

    Source: Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates;
        KDD.
    """
    from sklearn.isotonic import IsotonicRegression

    bins = np.array_split(np.argsort(scores, kind="stable"), max(2, min(_BINS, len(scores) // _BIN_ROWS)))
    centres = np.array([scores[rows].mean() for rows in bins])
    shares = IsotonicRegression().fit_transform(centres, [hits[rows].mean() for rows in bins])
    return lambda given: np.asarray(np.interp(given, centres, shares))


class _NumberErrors:
    """A model of the size of the champion's error, and its signed errors in units of that size."""

    method: Literal["CBPE", "DLE"] = "DLE"
    needs_features = True

    def __init__(self, known: Scored, manifest: ModelManifest, seed: int) -> None:
        from sklearn.base import clone
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.model_selection import KFold, cross_val_predict

        self._names = manifest.features.with_role(ColumnRole.NUMERIC, ColumnRole.BOOLEAN)
        self._categories = {
            name: known.features[name].value_counts().index
            for name in manifest.features.with_role(ColumnRole.CATEGORICAL)
        }
        error = known.truth.astype(np.float64) - known.predictions.labels
        size, seen = np.abs(error), self._seen(known.features, known.predictions)
        self._least = max(float(np.quantile(size, 0.01)), 1e-12)
        model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, min_samples_leaf=30, random_state=seed)
        # sizes of rows that the model has not seen: its own rows would look too well known
        folds = KFold(_FOLDS, shuffle=True, random_state=seed)
        sizes = np.maximum(cross_val_predict(model, seen, size, cv=folds), self._least)
        self.known = np.broadcast_to(sizes, (_REFITS, len(sizes)))
        self._units = error / sizes
        random = np.random.default_rng(seed)
        drawn = [random.integers(0, len(size), len(size)) for _ in range(_REFITS)]
        self._models = [clone(model).fit(seen[rows], size[rows]) for rows in drawn]

    def of_rows(self, features: "pd.DataFrame", predictions: Predictions) -> np.ndarray:
        """Return the expected size of each row's error by each refit, shape (refits, n)."""
        seen = self._seen(features, predictions)
        return np.maximum([each.predict(seen) for each in self._models], self._least)

    def redrawn(self, random: np.random.Generator) -> _Draw:
        units, refit = random.choice(self._units, len(self._units)), random.integers(_REFITS)

        def draw(sizes: np.ndarray, predictions: Predictions) -> np.ndarray:
            return np.asarray(predictions.labels + sizes[refit] * random.choice(units, sizes.shape[1]))

        return draw

    def _seen(self, features: "pd.DataFrame", predictions: Predictions) -> np.ndarray:
        """Return numbers, ranks of categories and the prediction, shape (n, columns)."""
        import pandas as pd

        columns = [features[name].to_numpy(dtype=np.float64) for name in self._names]
        for name, known in self._categories.items():
            rank = pd.Index(known).get_indexer(pd.Index(features[name])).astype(np.float64)
            columns.append(np.where(rank < 0, np.nan, rank))
        return np.column_stack([*columns, predictions.labels.astype(np.float64)])


def _some_rows(rows: int, seed: int) -> np.ndarray:
    if rows <= _MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False))
