"""The rules that data must keep before anything may learn from it.

Does not belong here: how rules are checked (`assay.validation`).
"""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from assay.specs.base import Spec
from assay.specs.dataset import Scalar
from assay.specs.sentinel import SentinelSpec

DtypeName: TypeAlias = Literal["integer", "float", "number", "boolean", "string", "datetime"]


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
        return self


class ValidationSpec(Spec):
    """The rules of one pipeline. Columns named here must exist; the target always must."""

    min_rows: int = Field(default=10, ge=1)
    """Fewest rows of a partition."""
    max_rows: int | None = Field(default=None, ge=1)
    """Most rows of a partition."""
    columns_present: tuple[str, ...] = ()
    """Columns that must exist, beside those named anywhere else in the file."""
    dtypes: dict[str, DtypeName] = {}
    """Type that a column must have."""
    max_missing: float | dict[str, float] = Field(default=1.0)
    """Largest share of missing values: of every column, or by column."""
    not_null: tuple[str, ...] = ()
    """Columns without any missing value; the target is always one."""
    unique: tuple[tuple[str, ...], ...] = ()
    """Keys: the combination of these columns occurs once."""
    ranges: dict[str, RangeRule] = {}
    """Bounds by column."""
    allowed: dict[str, tuple[Scalar, ...]] = {}
    """Allowed values by column; missing values are not judged here."""
    custom: dict[str, str] = {}
    """Rules of the user's own: name to `package.module:function`, from the rows to one boolean per row or one."""
    sentinel: SentinelSpec = SentinelSpec()
    """What is looked for without being asked."""
    warn: tuple[str, ...] = ()
    """Names of rules whose failure is shown and does not block."""
    block: tuple[str, ...] = ()
    """Names of rules that only warn by default, and shall block."""
    show_values: bool = True
    """Whether failure tables quote values; those of pii columns never are."""
    drop_null_rows: bool | tuple[str, ...] = False
    """Before the rules: drop rows with a missing value in any column, or in these; the number is reported."""

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Self:
        shares = self.max_missing.values() if isinstance(self.max_missing, dict) else [self.max_missing]
        if any(not 0 <= share <= 1 for share in shares):
            msg = "max_missing is a share between 0 and 1"
            raise ValueError(msg)
        if self.max_rows is not None and self.max_rows < self.min_rows:
            msg = f"max_rows {self.max_rows} is below min_rows {self.min_rows}"
            raise ValueError(msg)
        return self
