"""The measurement of a trial: the metric's mean over the folds."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from assay.learning.estimators.assembly import build_model
from assay.learning.estimators.constraints import place
from assay.learning.estimators.early_stopping import EarlyStopping, fit_stopped
from assay.learning.estimators.family import Family
from assay.learning.evaluation.metrics import Metric, measure
from assay.learning.evaluation.predictions import Predictions, predict
from assay.learning.evaluation.thresholds import labelled_at_threshold
from assay.learning.latency import in_words, latency_ms
from assay.learning.tuning.candidates import keeps_predictions
from assay.learning.tuning.fold_schemes import repeats
from assay.learning.tuning.folds import FoldCache, FoldMatrices
from assay.learning.weights import fit_options
from assay.specs.pipeline import PipelineSpec

Report: TypeAlias = Callable[[int, float], bool]
"""Takes the number of a fold and the mean so far; returns whether to give the trial up."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The outcome of a trial: the mean of the metric over the folds, or the reason why it is missing.

    Attributes:
        state: how the trial ended.
        value: the mean.
        reason: why the mean is missing.
        found: hyperparameters that the folds found: the rounds at which boosters stopped.
        refit_seconds: what the final fits, preparation included, may take, by those of the slowest fold.
        predicted: probabilities of the validation rows, shape (n, k), or predicted numbers, shape (n,), one fold after
            the other, of the first repeat; None where they are not kept, or the model has no probabilities.
        latency_ms: what 1,000 predictions take, preparation included; None where it was not asked for.
    """

    state: Literal["complete", "pruned", "failed", "stopped", "too_slow"]
    value: float | None = None
    reason: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)
    refit_seconds: float = 0.0
    predicted: np.ndarray | None = None
    latency_ms: float | None = None


class _FoldError(Exception):
    """The metric has no value on a fold."""


class TrialRunner:
    """Measures points by the mean of the primary metric over the folds."""

    def __init__(self, cache: FoldCache, metric: Metric, classes: tuple[Any, ...], spec: PipelineSpec) -> None:
        self._cache = cache
        self._metric = metric
        self._classes = classes
        self._spec = spec
        self._keeps_predictions = keeps_predictions(spec)
        self._bound = spec.tuning.max_latency_ms

    def measure(self, family: Family, parameters: Mapping[str, Any], report: Report) -> Measurement:
        """Fit and measure on each fold in turn; an exception of the model becomes a reason.

        Args:
            family: what is fitted.
            parameters: hyperparameters, those of preprocessing steps among them.
            report: called after each fold but the last with the mean so far; the trial ends where it returns True.
        """
        try:
            return self._over_folds(family, parameters, report)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, and the search goes on
            return Measurement("failed", reason=_reason(error))

    def _over_folds(self, family: Family, parameters: Mapping[str, Any], report: Report) -> Measurement:
        values: list[float] = []
        rounds: list[int] = []
        seconds: list[float] = []
        predicted: list[np.ndarray | None] = []
        latency: float | None = None
        stopping = family.card.stopping
        if stopping is not None and not stopping.applies(parameters):
            stopping = None
        for number in range(len(self._cache)):
            matrices = self._cache.fold(number, family, parameters)
            model = build_model(family, parameters, self._cache.features, self._spec)
            model = place(model, matrices.sources) if matrices.sources else model
            began = time.perf_counter()
            rounds.append(self._fitted(model, matrices, stopping))
            seconds.append(matrices.seconds + time.perf_counter() - began)
            if number == 0 and self._bound is not None:
                latency = self._latency(model, matrices)
                if latency > self._bound:
                    return Measurement("too_slow", reason=in_words(latency, self._bound), latency_ms=latency)
            predictions = self._predictions(model, matrices)
            values.append(self._measured(predictions, matrices, number))
            if self._keeps_predictions and number < len(self._cache) // repeats(self._spec):
                predicted.append(predictions.probabilities if self._classes else predictions.labels)
            if report(number, float(np.mean(values))) and number + 1 < len(self._cache):
                return Measurement("pruned", reason=self._pruned(number + 1))
        return Measurement(
            "complete",
            value=float(np.mean(values)),
            found={} if stopping is None else stopping.found(rounds),
            refit_seconds=max(seconds) * self._cache.refit_factor,
            predicted=_joined(predicted),
            latency_ms=latency,
        )

    def _latency(self, model: Any, matrices: FoldMatrices) -> float:
        """Return what preparation and prediction of 1,000 rows take; both depend on nothing that the folds change."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return matrices.preparation_ms + latency_ms(model.predict, matrices.validation)

    def _pruned(self, folds: int) -> str:
        pruner = self._spec.tuning.pruner
        why = "below the median" if pruner == "median" else f"given up by {pruner}"
        return f"{why} after fold {folds} of {len(self._cache)}"

    def _fitted(self, model: Any, matrices: FoldMatrices, stopping: EarlyStopping | None) -> int:
        """Fit a model, and return its best round where it stops early, else 0."""
        train, validation = matrices.train_part, matrices.validation_part
        with warnings.catch_warnings():
            # a model that has not converged is measured like any other
            warnings.simplefilter("ignore")
            if stopping is not None:
                classes = self._spec.task.is_classification
                return fit_stopped(stopping, model, train, validation, matrices.weights, is_classification=classes)
            model.fit(*train, **fit_options(None if matrices.weights is None else matrices.weights[0]))
            return 0

    def _predictions(self, model: Any, matrices: FoldMatrices) -> Predictions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predictions = predict(model, matrices.validation, self._classes, self._spec.task)
        predictions = labelled_at_threshold(predictions, matrices.validation_target, self._spec)
        return predictions.beside(matrices.validation_asked)

    def _measured(self, predictions: Predictions, matrices: FoldMatrices, number: int) -> float:
        measured = measure(self._metric, matrices.validation_target, predictions)
        if measured.value is None:
            raise _FoldError(f"{self._metric.name} on fold {number + 1}: {measured.reason}")
        return measured.value


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def _reason(error: Exception) -> str:
    found = getattr(error, "found", "")
    text = f"{error.args[0] if error.args else error}" + (f": {found}" if found else "")
    return text if isinstance(error, _FoldError) else f"{type(error).__name__}: {text}"
