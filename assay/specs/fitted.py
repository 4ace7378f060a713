"""What steps of `features` may fit on the training rows: bounds of numbers, and values for missing ones."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from assay.specs.base import Spec

Quantile: TypeAlias = Annotated[float, Field(ge=0, le=1)]


def _unset(value: object) -> bool:
    # fields that files of earlier versions lack: unset, they are no part of a digest
    return value is None


class SpreadBounds(Spec):
    """Bounds of a numeric column that follow from the training rows."""

    quantiles: tuple[Quantile, Quantile] | None = Field(default=None, exclude_if=_unset)
    """The quantiles of the training rows that are the bounds, such as `[0.01, 0.99]`; 0 and 1 are their smallest and
    largest value."""
    iqr: float | None = Field(default=None, gt=0, exclude_if=_unset)
    """How many interquartile ranges the bounds lie below the first and above the third quartile; 1.5 is usual (Tukey
    1977, "Exploratory Data Analysis")."""

    def searched(self) -> Iterator[tuple[str, Any, tuple[str | int, ...]]]:
        """Yield what a search may set: name, value and location."""
        if self.iqr is not None:
            yield "iqr", self.iqr, ("iqr",)
        for position, name in enumerate(("lower", "upper")) if self.quantiles is not None else ():
            yield name, self.quantiles[position] if self.quantiles is not None else None, ("quantiles", position)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the same with other values.

        Raises:
            ValueError: they are no bounds.
        """
        low, high = self.quantiles or (0.0, 1.0)
        quantiles = (values.get("lower", low), values.get("upper", high)) if self.quantiles is not None else None
        changed = self.model_dump() | {"iqr": values.get("iqr", self.iqr), "quantiles": quantiles}
        return type(self).model_validate(changed)

    @property
    def is_fitted(self) -> bool:
        """Whether the bounds follow from the training rows."""
        return self.quantiles is not None or self.iqr is not None

    @model_validator(mode="after")
    def _spread_makes_sense(self) -> Self:
        if self.quantiles is not None and self.iqr is not None:
            msg = "quantiles and iqr exclude each other"
            raise ValueError(msg)
        if self.quantiles is not None and self.quantiles[0] >= self.quantiles[1]:
            msg = f"the lower quantile comes first: [{self.quantiles[1]}, {self.quantiles[0]}]"
            raise ValueError(msg)
        return self


class OutlierBounds(SpreadBounds):
    """The bounds beyond which a training row is dropped; missing values are within."""

    @model_validator(mode="after")
    def _has_bounds(self) -> Self:
        if not self.is_fitted:
            msg = "quantiles or iqr is missing; rows beyond fixed bounds are dropped by a filter"
            raise ValueError(msg)
        return self


class Bounds(SpreadBounds):
    """The bounds that values are clipped to: fixed, or fitted on the training rows; missing values stay missing."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
        is_fixed = self.min is not None or self.max is not None
        if is_fixed == self.is_fitted:
            msg = "bounds need min, max or both; or quantiles or iqr, which are fitted on the training rows"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min {self.min} is above max {self.max}"
            raise ValueError(msg)
        return self


class FittedFill(Spec):
    """What missing values become: the middle of the training rows, or of those of them that agree in some columns."""

    strategy: Literal["median", "mean", "most_frequent"]
    """`most_frequent` is the only one for categories and truth values."""
    by: tuple[str, ...] = ()
    """Features whose values group the rows; a group without a value takes that of all rows."""

    def searched(self) -> Iterator[tuple[str, Any, tuple[str | int, ...]]]:
        """Yield what a search may set: name, value and location."""
        yield "strategy", self.strategy, ("strategy",)

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return the same with other values.

        Raises:
            ValueError: there is no such strategy.
        """
        return type(self).model_validate(self.model_dump() | dict(values))
