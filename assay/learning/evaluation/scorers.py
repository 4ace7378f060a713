"""scikit-learn's scorers on predictions: those that it names, and those that a user makes.

A scorer takes an estimator and rows; it gets the stored predictions in the place of both. More is better for each name:
those of errors begin with `neg_`, and their values are negative. The scorer that a user makes of an error shows the
error itself, of which less is better.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from assay.learning.estimators.family import names
from assay.learning.evaluation.predictions import Predictions, label_codes
from assay.specs.pipeline import Task

Scored: TypeAlias = Callable[[np.ndarray, Predictions], Any]
OfRows: TypeAlias = Callable[[np.ndarray], Any]
"""Takes positions of rows, shape (n,), and returns the metric of these rows."""

_CLASSES = names(
    "accuracy average_precision balanced_accuracy d2_brier_score d2_log_loss_score f1_macro f1_micro f1_weighted "
    "jaccard_macro jaccard_micro jaccard_weighted matthews_corrcoef neg_brier_score neg_log_loss precision_macro "
    "precision_micro precision_weighted recall_macro recall_micro recall_weighted roc_auc_ovo roc_auc_ovo_weighted "
    "roc_auc_ovr roc_auc_ovr_weighted top_k_accuracy"
)
_TWO_CLASSES = names("f1 jaccard neg_negative_likelihood_ratio positive_likelihood_ratio precision recall roc_auc")
_NUMBERS = names(
    "d2_absolute_error_score explained_variance neg_max_error neg_mean_absolute_error "
    "neg_mean_absolute_percentage_error neg_mean_gamma_deviance neg_mean_poisson_deviance neg_mean_squared_error "
    "neg_mean_squared_log_error neg_median_absolute_error neg_root_mean_squared_error neg_root_mean_squared_log_error "
    "r2"
)
SCORERS: dict[Task, frozenset[str]] = {
    Task.BINARY: _CLASSES | _TWO_CLASSES,
    Task.MULTICLASS: _CLASSES,
    Task.REGRESSION: _NUMBERS,
}
"""Names of scikit-learn's scorers by the task that they fit; those of clusters and of several labels fit none."""


def named_scorer(name: str, truth: np.ndarray, predictions: Predictions) -> OfRows:
    """Return what scikit-learn's scorer of a name gives for some rows; classes are codes for it, the positive one 1."""
    from sklearn.metrics import get_scorer

    scorer, classes = get_scorer(name), np.arange(len(predictions.classes)) if predictions.classes else None
    true, said = label_codes(truth, predictions) if predictions.classes else (truth.astype(float), predictions.labels)
    return lambda rows: _scored(scorer, true[rows], said[rows], predictions.take(rows), classes)


def of_all_rows(of_rows: Callable[[np.ndarray, Predictions], OfRows]) -> Scored:
    """Return a metric of the rows that it is given."""
    return lambda truth, predictions: of_rows(truth, predictions)(np.arange(len(truth)))


def scorer_sign(found: Any) -> int | None:
    """Return the sign by which a `make_scorer` object multiplies its function, 1 or -1; None for any other object."""
    made = type(found).__module__ == "sklearn.metrics._scorer"
    return getattr(found, "_sign", None) if made else None


def users_scorer(
    scorer: Any,
    sign: int,
    weights: Callable[[Predictions], np.ndarray | None],
    truth: np.ndarray,
    predictions: Predictions,
) -> OfRows:
    """Return what a `make_scorer` object gives for some rows, without its sign; classes are as the table has them."""
    weight, classes = weights(predictions), np.array(list(predictions.classes)) if predictions.classes else None
    plain = [np.array(list(values)) for values in (truth, predictions.labels)] if predictions.classes else []
    true, said = plain or (truth.astype(np.float64), predictions.labels)

    def compute(rows: np.ndarray) -> Any:
        given = {} if weight is None else {"sample_weight": weight[rows]}
        return sign * _scored(scorer, true[rows], said[rows], predictions.take(rows), classes, **given)

    return compute


def _scored(
    scorer: Any,
    true: np.ndarray,
    said: np.ndarray,
    predictions: Predictions,
    classes: np.ndarray | None = None,
    **given: Any,
) -> Any:
    stored = _stored_kind(classification=classes is not None)()
    outputs = {"predict": said, "predict_proba": predictions.probabilities, "decision_function": predictions.scores}
    for method, output in outputs.items():
        if output is not None:
            setattr(stored, method, _returning(output, method))
    if classes is not None:
        stored.classes_ = classes
    with warnings.catch_warnings():
        # what has no value is recorded as such
        warnings.simplefilter("ignore")
        return scorer(stored, np.empty((len(true), 1)), true, **given)


def _returning(output: np.ndarray, method: str) -> Callable[[Any], np.ndarray]:
    def returned(_: Any) -> np.ndarray:
        return output

    returned.__name__ = method  # by which scikit-learn knows the kind of output
    return returned


@cache
def _stored_kind(*, classification: bool) -> type[Any]:
    """Return the class of estimators that stand for stored predictions."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    kind = ClassifierMixin if classification else RegressorMixin
    return type("StoredPredictions", (kind, BaseEstimator), {})
