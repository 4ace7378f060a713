"""What a pipeline file says of a fit beyond its family: weights, calibration and threshold, target, constraints."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from assay.specs.base import ColumnName, Spec, invalid


def label_text(label: Any) -> str:
    """Return a class label as pipeline files write it as a key: `true` of a boolean, else its own text."""
    return str(label).lower() if isinstance(label, bool) else str(label)


ClassLabel: TypeAlias = Annotated[str, BeforeValidator(label_text)]
"""A label as text: keys of recorded specs are texts, whatever the labels are."""
Direction: TypeAlias = Literal["increasing", "decreasing"]
TargetTransform: TypeAlias = Literal["log", "log1p", "yeo_johnson"]
ThresholdMetric: TypeAlias = Literal["accuracy", "balanced_accuracy", "f1", "matthews_corrcoef"]


class Costs(Spec):
    """What a wrong label of a binary classification costs, in any unit."""

    false_positive: float = Field(ge=0)
    """Of a negative row that is labelled positive."""
    false_negative: float = Field(ge=0)
    """Of a positive row that is labelled negative."""

    @model_validator(mode="after")
    def _something_costs(self) -> Self:
        if not (self.false_positive and self.false_negative):
            msg = "both costs are above 0: otherwise one label for all rows costs nothing"
            raise ValueError(msg)
        return self


class ThresholdSpec(Spec):
    """What the threshold of the positive class is chosen for; either a metric or costs."""

    metric: ThresholdMetric | None = None
    """The metric of labels that is to be best."""
    cost: Costs | None = None
    """The costs whose sum is to be least."""

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        if (self.metric is None) == (self.cost is None):
            msg = "give either `metric` or `cost`"
            raise ValueError(msg)
        return self


class ConstraintsSpec(Spec):
    """What a model may make of columns."""

    monotone: dict[ColumnName, Direction] = {}
    """Numeric or boolean columns by which predictions may only rise (of a binary classification the probability of the
    positive class), or only fall, other columns being equal."""
    interactions: tuple[tuple[ColumnName, ...], ...] = ()
    """Groups of columns: a tree splits by columns of one group alone. All other columns are one further group."""

    @model_validator(mode="after")
    def _something_is_constrained(self) -> Self:
        if not self.monotone and not self.interactions:
            msg = "give `monotone`, `interactions` or both"
            raise ValueError(msg)
        if any(not group or len(set(group)) < len(group) for group in self.interactions):
            raise invalid("groups of one or more columns, each once in a group", "interactions")
        return self
