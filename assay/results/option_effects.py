"""What options of the fit change on the holdout: calibration, threshold and intervals."""

from collections.abc import Iterator

from pydantic import Field

from assay.specs.base import Spec


class LabelCounts(Spec):
    """Rows of a binary classification by their label and the predicted one."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class DecisionEffects(Spec):
    """What calibration and threshold change on the holdout."""

    threshold: float | None = None
    """The probability from which a row is labelled positive."""
    counts: LabelCounts | None = None
    """By the threshold."""
    cost: float | None = None
    """Of wrong labels for each row by the threshold, in the unit of `training.threshold.cost`."""
    cost_as_fitted: float | None = None
    """By the likeliest class of the model without calibration and threshold."""
    as_fitted: dict[str, float] = Field(default={})
    """The metrics of the model without calibration and threshold."""

    def changed(self, metrics: dict[str, float]) -> Iterator[tuple[str, float, float]]:
        """Yield each metric that differs: its name, its value without and with calibration and threshold."""
        both = ((name, self.as_fitted[name], value) for name, value in metrics.items() if name in self.as_fitted)
        yield from ((name, before, after) for name, before, after in both if before != after)
        if self.cost is not None and self.cost_as_fitted is not None:
            yield "cost per row", self.cost_as_fitted, self.cost


class IntervalEffects(Spec):
    """What the intervals of predictions hold on the holdout, whose rows did not make them."""

    share: float
    """Of the targets that they are to hold."""
    coverage: float
    """Of the holdout's targets that they hold."""
    mean_width: float
    """From end to end, in the target's unit."""

    @property
    def in_words(self) -> str:
        """Say what they hold."""
        return (
            f"intervals that are {self.mean_width:.4g} wide on average hold {self.coverage:.1%} of the holdout's "
            f"targets ({self.share:.3g} asked for)"
        )
