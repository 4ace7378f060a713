"""The rules that data must keep before anything may learn from it.

Does not belong here: how rules are checked (`assay.validation`).
"""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from assay.specs.base import Spec
from assay.specs.dataset import Scalar
from assay.specs.rule_names import ListedRule, refuse_contradictions
from assay.specs.rule_settings import ConditionalRule, DistributionRule, FreshnessRule, Pattern, RangeRule
from assay.specs.sentinel import SentinelSpec

DtypeName: TypeAlias = Literal["integer", "float", "number", "boolean", "string", "datetime"]


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
    unique: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = ()
    """Keys: the combination of these columns occurs once."""
    ranges: dict[str, RangeRule] = {}
    """Bounds by column."""
    allowed: dict[str, Annotated[tuple[Scalar, ...], Field(min_length=1)]] = {}
    """Allowed values by column; missing values are not judged here."""
    matches: dict[str, Pattern] = {}
    """Regular expression by text column, which every whole value matches; missing values are not judged here. The
    syntax is RE2: as Perl's, but without look-around and back-references, in time linear in the text."""
    finite: bool | tuple[str, ...] = False
    """Every float column, or these: no infinity, and no NaN stored as a value; missing values are not judged here."""
    expressions: dict[str, str] = {}
    """Name to a SQL expression over the columns, such as `arr_time >= dep_time`, which no row breaks. The dialect is
    DuckDB's; a row for which it is NULL is not judged. Aggregates, subqueries, and functions of the clock or of
    chance are refused."""
    conditional: tuple[ConditionalRule, ...] = ()
    """Expressions that must hold where another does: `{when: "country = 'US'", then: "state is not null"}`."""
    freshness: FreshnessRule | None = None
    """How old the newest row may be."""
    distributions: DistributionRule | None = None
    """How far columns may lie from those of data that passed before; warns unless `block` names its rule."""
    pandera_schema: str | None = None
    """A pandera schema of the user's own, `package.module:Name`: a DataFrameSchema or a DataFrameModel."""
    custom: dict[str, str] = {}
    """Rules of the user's own: name to `package.module:function`, from the rows to one boolean per row or one."""
    sentinel: SentinelSpec = SentinelSpec()
    """What is looked for without being asked."""
    warn: tuple[ListedRule, ...] = ()
    """Names of rules whose failure is shown and does not block; not of those without which nothing can be learned."""
    block: tuple[ListedRule, ...] = ()
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
        refuse_contradictions(self.warn, self.block)
        return self
