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


def named_scorer(name: str) -> Scored:
    """Return the metric that scikit-learn gives a name; classes are codes for it, the positive one 1."""

    def compute(truth: np.ndarray, predictions: Predictions) -> Any:
        from sklearn.metrics import get_scorer

        if not predictions.classes:
            return _scored(get_scorer(name), truth.astype(np.float64), predictions.labels, predictions)
        true, said = label_codes(truth, predictions)
        return _scored(get_scorer(name), true, said, predictions, np.arange(len(predictions.classes)))

    return compute


def scorer_sign(found: Any) -> int | None:
    """Return the sign by which a `make_scorer` object multiplies its function, 1 or -1; None for any other object."""
    made = type(found).__module__ == "sklearn.metrics._scorer"
    return getattr(found, "_sign", None) if made else None


def users_scorer(scorer: Any, sign: int, weights: Callable[[Predictions], np.ndarray | None]) -> Scored:
    """Return the metric of a `make_scorer` object, without its sign; it gets classes as the table has them."""

    def compute(truth: np.ndarray, predictions: Predictions) -> Any:
        given = {} if (weight := weights(predictions)) is None else {"sample_weight": weight}
        if not predictions.classes:
            return sign * _scored(scorer, truth.astype(np.float64), predictions.labels, predictions, **given)
        plain = [np.array(list(values)) for values in (truth, predictions.labels, predictions.classes)]
        return sign * _scored(scorer, plain[0], plain[1], predictions, plain[2], **given)

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
