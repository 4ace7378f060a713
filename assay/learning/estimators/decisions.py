"""What a classifier's predictions go through after its fit: calibrated probabilities, and the threshold of a label.

Both are found once, on predictions of training rows that the predicting model was not fitted on, and applied to every
fit of the recipe. The stored forms are scikit-learn's `CalibratedClassifierCV` and `FixedThresholdClassifier`, around a
fitted model. Stored models name the classes here by this module's path: see `assay.moved_modules` before moving one.
The module imports scikit-learn, so import it inside functions only.
"""

import copy
import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, KFold
from sklearn.pipeline import Pipeline

from assay.learning.weights import fit_options

_SMALLEST = float(np.finfo(np.float64).eps)


class LogOdds(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """A fitted classifier that gives log-odds of its probabilities, the scale on which a sigmoid corrects them.

    Args:
        model: fitted classifier with `predict_proba`.
    """

    def __init__(self, model: Any = None) -> None:
        self.model = model

    @property
    def classes_(self) -> np.ndarray:
        """The labels of the model."""
        return np.asarray(self.model.classes_)

    def __sklearn_is_fitted__(self) -> bool:
        """Return that the model is fitted."""
        return True

    def fit(self, X: Any, y: Any, **options: Any) -> Self:  # noqa: ARG002, N803 - scikit-learn's signature
        """Return itself: the model is fitted."""
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return the model's labels."""
        return np.asarray(self.model.predict(X))

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        """Return log-odds of the positive class, shape (n,), or of each class against the rest, shape (n, k)."""
        shares = np.clip(np.asarray(self.model.predict_proba(X), dtype=np.float64), _SMALLEST, 1 - _SMALLEST)
        odds = np.log(shares / (1 - shares))
        return np.asarray(odds[:, 1] if shares.shape[1] == 2 else odds)  # noqa: PLR2004 - two classes


class _Predicted(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no published types
    """Stands for a model whose probabilities of some rows are known; rows are given by position."""

    def __init__(self, probabilities: Any = None, classes: Any = None) -> None:
        self.probabilities = probabilities
        self.classes = classes

    @property
    def classes_(self) -> np.ndarray:
        return np.asarray(self.classes)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803 - scikit-learn's name
        return np.asarray(self.probabilities[np.asarray(X)[:, 0]])


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is applied to the predictions of a fitted classifier.

    Attributes:
        calibrated: fitted calibration of some model's probabilities; None for none.
        threshold: probability from which a row is labelled positive; None for the likeliest class.
    """

    calibrated: Any = None
    threshold: float | None = None

    def applied_to(self, fitted: Pipeline) -> Pipeline:
        """Return a fitted pipeline with this decision in place of its own; the given one is not changed."""
        *before, (name, model) = fitted.steps
        model = undecided(model)
        if self.calibrated is not None:
            model = _around(self.calibrated, model)
        if self.threshold is not None:
            model = _labelled_from(model, self.threshold)
        return type(fitted)([*before, (name, model)])


def undecided(model: Any) -> Any:
    """Return the fitted model below calibration and threshold."""
    if isinstance(model, FixedThresholdClassifier):
        model = model.estimator.estimator
    return uncalibrated(model) if isinstance(model, CalibratedClassifierCV) else model


def uncalibrated(model: CalibratedClassifierCV) -> Any:
    """Return the model whose probabilities are calibrated; a model of a user's own is left as it is."""
    frozen = getattr(model, "estimator", None)
    inner = getattr(frozen, "estimator", None) if isinstance(frozen, FrozenEstimator) else None
    return inner.model if isinstance(inner, LogOdds) else model


def decision_of(fitted: Pipeline) -> Decision:
    """Return the decision that a fitted pipeline applies."""
    return _decision_around(fitted.steps[-1][1])


def _decision_around(model: Any) -> Decision:
    threshold = None
    if isinstance(model, FixedThresholdClassifier) and isinstance(model.estimator, FrozenEstimator):
        model, threshold = model.estimator.estimator, float(model.threshold)
    is_ours = isinstance(model, CalibratedClassifierCV) and uncalibrated(model) is not model
    return Decision(model if is_ours else None, threshold)


def calibration(
    probabilities: np.ndarray, truth: np.ndarray, classes: np.ndarray, method: str, weights: np.ndarray | None
) -> tuple[CalibratedClassifierCV, np.ndarray]:
    """Fit a calibration to known probabilities.

    Sources: Platt (1999), "Probabilistic outputs for support vector machines"; Zadrozny and Elkan (2002),
    "Transforming classifier scores into accurate multiclass probability estimates".

    Args:
        probabilities: of rows that the predicting model was not fitted on, shape (n, k).
        truth: their labels, shape (n,).
        classes: the labels, in the order of the columns.
        method: `isotonic` or `sigmoid`.
        weights: how much rows count, shape (n,); None where all count alike.

    Returns:
        The calibration, for `Decision`, and the calibrated probabilities of the same rows, shape (n, k).

    Raises:
        ValueError: a class has too few rows.
    """
    places = np.arange(len(truth))[:, None]
    stored = FrozenEstimator(LogOdds(_Predicted(probabilities, classes)))
    found = CalibratedClassifierCV(stored, method=method, ensemble=False, cv=KFold(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the fitted model is not fitted by the weights
        found.fit(places, truth, **fit_options(weights))
    return found, np.asarray(found.predict_proba(places))


def sigmoid_curves(
    probabilities: np.ndarray, truth: np.ndarray, classes: np.ndarray, weights: np.ndarray | None
) -> tuple[tuple[float, float], ...]:
    """Return slope and intercept of each sigmoid of a calibration, see `calibration`."""
    found, _ = calibration(probabilities, truth, classes, "sigmoid", weights)
    return tuple((float(each.a_), float(each.b_)) for each in found.calibrated_classifiers_[0].calibrators)


def calibration_of(curves: tuple[tuple[float, float], ...], classes: np.ndarray) -> CalibratedClassifierCV:
    """Return the calibration, for `Decision`, of known slopes and intercepts.

    Args:
        curves: of `sigmoid_curves`.
        classes: the labels that they were found for.
    """
    places = np.arange(2 * len(classes)) % len(classes)
    shape, _ = calibration(np.eye(len(classes))[places], classes[places], classes, "sigmoid", None)
    for each, (slope, intercept) in zip(shape.calibrated_classifiers_[0].calibrators, curves, strict=True):
        each.a_, each.b_ = slope, intercept
    return shape


def corrected(probabilities: np.ndarray, curves: tuple[tuple[float, float], ...], classes: np.ndarray) -> np.ndarray:
    """Return known probabilities, shape (n, k), corrected by sigmoids."""
    around = _around(calibration_of(curves, classes), _Predicted(probabilities, classes))
    return np.asarray(around.predict_proba(np.arange(len(probabilities))[:, None]))


def _around(calibrated: CalibratedClassifierCV, model: Any) -> CalibratedClassifierCV:
    """Return a calibration around another model."""
    frozen = FrozenEstimator(LogOdds(model))
    (correction,) = map(copy.copy, calibrated.calibrated_classifiers_)
    correction.estimator = frozen
    whole = copy.copy(calibrated)
    whole.estimator, whole.calibrated_classifiers_ = frozen, [correction]
    whole.__dict__.pop("n_features_in_", None)
    return whole


def _labelled_from(model: Any, threshold: float) -> FixedThresholdClassifier:
    positive = model.classes_[-1]
    labels = FixedThresholdClassifier(
        FrozenEstimator(model), threshold=threshold, pos_label=positive, response_method="predict_proba"
    )
    return labels.fit(np.zeros((len(model.classes_), 1)), model.classes_)  # fits nothing: the model is frozen


def labels_of(model: Any, probabilities: np.ndarray) -> np.ndarray | None:
    """Return what a model with a decision predicts where its probabilities are known, shape (n,); None of any other."""
    decision = _decision_around(model)
    if decision.threshold is not None:
        return np.asarray(model.classes_.take((probabilities[:, -1] >= decision.threshold).astype(np.int64)))
    return None if decision.calibrated is None else np.asarray(model.classes_.take(probabilities.argmax(axis=1)))
