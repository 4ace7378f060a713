"""What single rules are told: bounds, patterns, conditions, ages, references.

Does not belong here: which rules a pipeline has (`assay.specs.validation`), how they are judged (`assay.validation`).
"""

from typing import Annotated, Literal, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import Spec


def whole_value(pattern: str) -> str:
    """Return an RE2 pattern that must match a value from its first to its last character."""
    return rf"\A(?:{pattern})\z"


def _compiles(pattern: str) -> str:
    # the pattern alone as well: `a)|(b` is only one when something stands around it
    for written in (pattern, whole_value(pattern)):
        try:
            pc.match_substring_regex(pa.array([""]), pattern=written)
        except pa.ArrowInvalid as error:
            msg = f"a regular expression of RE2, which this is not: {error}"
            raise ValueError(msg) from error
    return pattern


Pattern: TypeAlias = Annotated[str, AfterValidator(_compiles)]


class RangeRule(Spec):
    """Bounds of a numeric column; missing values are not judged here."""

    min: float | None = None
    max: float | None = None
    strict: bool = False
    """Whether the bounds themselves are refused."""

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
        if self.min is None and self.max is None:
            msg = "a range needs min, max or both"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min {self.min} is above max {self.max}"
            raise ValueError(msg)
        if self.strict and self.min is not None and self.min == self.max:
            msg = f"nothing lies strictly between {self.min} and {self.max}"
            raise ValueError(msg)
        return self


class ConditionalRule(Spec):
    """Rows for which `when` holds must keep `then`; both are SQL expressions."""

    when: str = Field(min_length=1)
    """Which rows are judged; those for which it is NULL are not."""
    then: str = Field(min_length=1)
    """What must hold there; NULL does not hold."""


class FreshnessRule(Spec):
    """How old the newest row may be, as of the partition's end, or of the run's start where there is no time cadence.

    A timestamp without a time zone is taken as UTC.
    """

    column: str = Field(min_length=1)
    """A column of timestamps or dates."""
    max_age_hours: float = Field(gt=0)
    """The newest value lies at most this long before the as-of moment."""
    max_future_hours: float = Field(default=24, ge=0)
    """No value lies further than this after the as-of moment."""


class DistributionRule(Spec):
    """How far columns may lie from those of data that passed before."""

    reference: str = "previous"
    """`previous`: the partition before, or without partitions the data that passed last; or a partition's key."""
    columns: Literal["auto"] | tuple[str, ...] = "auto"
    """`auto`: every numeric, boolean and categorical column."""
    max_effect: float = Field(default=0.1, gt=0, lt=1)
    """Distance from which a difference counts: the Kolmogorov-Smirnov statistic of a number, the total variation
    distance of a category. 0.1: a tenth of the rows lie elsewhere; a shift by half a standard deviation is 0.2."""
    false_discovery_rate: float = Field(default=0.01, gt=0, lt=1)
    """Expected share of false alarms among the columns that are found to differ."""
