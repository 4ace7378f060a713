"""What a model was fitted with beyond its family and hyperparameters."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from assay.results.recalibration import Recalibration
from assay.specs.base import Spec
from assay.specs.learning import TrainingSpec
from assay.specs.training_options import ConstraintsSpec, TargetTransform, ThresholdSpec


def _optional(default: Any = None) -> Any:
    return Field(default=default, exclude_if=lambda value: value is None)


class FitOptions(Spec):
    """The options of `training` that a model was fitted with."""

    sample_weight: str | None = _optional()
    class_weight: Literal["balanced"] | dict[str, float] | None = _optional()
    calibration: Literal["isotonic", "sigmoid"] | None = _optional()
    recalibration: Recalibration | None = _optional()
    """The correction of probabilities that the search found, where `calibration` is not asked for."""
    threshold: float | None = _optional()
    """The probability from which a row is labelled positive."""
    threshold_for: ThresholdSpec | None = _optional()
    """What it was chosen for; missing where the pipeline file gives the number."""
    target_transform: TargetTransform | None = _optional()
    constraints: ConstraintsSpec | None = _optional()
    interval: float | None = _optional()

    @classmethod
    def of(
        cls, asked: TrainingSpec, threshold: float | None, recalibration: Recalibration | None = None
    ) -> "FitOptions | None":
        """Return the options that a pipeline asks for, with what was found for them, or None."""
        found = cls(
            sample_weight=asked.sample_weight,
            class_weight=asked.class_weight,
            calibration=asked.calibration,
            recalibration=recalibration,
            threshold=threshold,
            threshold_for=asked.threshold if isinstance(asked.threshold, ThresholdSpec) else None,
            target_transform=asked.target_transform,
            constraints=asked.constraints,
            interval=asked.interval,
        )
        return None if found == cls() else found

    def in_words(self) -> Iterator[tuple[str, str]]:
        """Yield each option and its value, for people."""
        weights = self.class_weight
        by_label = weights if isinstance(weights, str) else ", ".join(f"{k} {v:g}" for k, v in (weights or {}).items())
        yield from (("rows weighted by", self.sample_weight or ""), ("classes weighted", by_label))
        by_search = "a sigmoid that the search found" if self.recalibration else ""
        yield "probabilities calibrated by", self.calibration or by_search
        yield "labelled positive from a probability of", self._threshold_in_words
        yield "fitted on the target's", self.target_transform or ""
        if self.constraints is not None:
            ways = [f"{way} by {name}" for name, way in self.constraints.monotone.items()]
            groups = [" with ".join(group) + " alone" for group in self.constraints.interactions]
            yield "constraints", "; ".join([*ways, *groups])
        yield "intervals hold", f"{self.interval:.3g} of the targets" if self.interval is not None else ""

    @property
    def _threshold_in_words(self) -> str:
        if self.threshold is None:
            return ""
        aim = self.threshold_for
        if aim is None:
            return f"{self.threshold:.4g}"
        if aim.cost is None:
            return f"{self.threshold:.4g}, the best {aim.metric} on training rows"
        costs = f"{aim.cost.false_positive:g} for a false positive and {aim.cost.false_negative:g} for a false negative"
        return f"{self.threshold:.4g}, the least costs on training rows ({costs})"
