"""The measurement of one point of the search space."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assay.learning.estimators.family import Family
from assay.learning.evaluation.metrics import Metric, measure, predict
from assay.learning.tuning.folds import FoldCache
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    from optuna.trial import Trial


@dataclass(frozen=True, slots=True)
class Measurement:
    """How a trial ended.

    Attributes:
        state: `complete` has a value, the others a reason.
        value: mean of the metric over the folds.
        reason: why there is no value.
    """

    state: Literal["complete", "pruned", "failed"]
    value: float | None = None
    reason: str = ""


class _FoldError(Exception):
    """A fold gave no value."""


class TrialRunner:
    """Measures points by the mean of the primary metric over the folds; a point met before is not fitted again."""

    def __init__(self, cache: FoldCache, metric: Metric, classes: tuple[Any, ...], spec: PipelineSpec) -> None:
        self._cache = cache
        self._metric = metric
        self._classes = classes
        self._spec = spec
        self._known: dict[str, Measurement] = {}

    def measure(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        """Fit and measure on each fold in turn.

        Args:
            family: the model family.
            parameters: its hyperparameters.
            trial: told the mean so far after each fold; may ask for an end.

        Returns:
            The mean, or why there is none: whatever a model raises is a reason, never an exception.
        """
        key = digest_of(family.name, dict(parameters))
        if key not in self._known:
            try:
                self._known[key] = self._over_folds(family, parameters, trial)
            except Exception as error:  # noqa: BLE001 - a model may raise anything, and the search goes on
                self._known[key] = Measurement("failed", reason=_reason(error))
        return self._known[key]

    def _over_folds(self, family: Family, parameters: Mapping[str, Any], trial: "Trial") -> Measurement:
        values: list[float] = []
        for number in range(len(self._cache)):
            values.append(self._on_fold(number, family, parameters))
            trial.report(float(np.mean(values)), step=number)
            if number + 1 < len(self._cache) and trial.should_prune():
                return Measurement("pruned", reason=f"below the median after fold {number + 1} of {len(self._cache)}")
        return Measurement("complete", value=float(np.mean(values)))

    def _on_fold(self, number: int, family: Family, parameters: Mapping[str, Any]) -> float:
        matrices = self._cache.fold(number, family)
        model = family.build(parameters, self._spec.training.seed, self._spec.training.threads)
        with warnings.catch_warnings():
            # a model that has not converged is judged by its metric like any other
            warnings.simplefilter("ignore")
            model.fit(matrices.train, matrices.train_target)
            predictions = predict(model, matrices.validation, self._classes, self._spec.task)
        measured = measure(self._metric, matrices.validation_target, predictions)
        if measured.value is None:
            raise _FoldError(f"{self._metric.name} on fold {number + 1}: {measured.reason}")
        return measured.value


def _reason(error: Exception) -> str:
    found = getattr(error, "found", "")
    text = f"{error.args[0] if error.args else error}" + (f": {found}" if found else "")
    return text if isinstance(error, _FoldError) else f"{type(error).__name__}: {text}"
