"""The settings of the gate's rules: bounds, patterns, conditions, ages, references, and the sentinel's limits."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import ColumnName, Spec, invalid
from assay.specs.dataset import Scalar
from assay.specs.rules import RAW_RULES, RULES, RuleNames, known_rule

RuleName: TypeAlias = Annotated[str, AfterValidator(known_rule), RuleNames()]


def _refuse_contradictions(warn: Sequence[str], block: Sequence[str]) -> None:
    """Refuse a rule in both lists, and a warning where training relies on the rule."""
    both = [name for name in warn if name in block]
    if both:
        msg = f"'{both[0]}' cannot both warn and block: remove it from one of the lists"
        raise ValueError(msg)
    needed = [name for name in warn if RULES[name].required]
    if needed:
        msg = f"'{needed[0]}' cannot merely warn: without it training breaks, or learns nothing, and does not say so"
        raise ValueError(msg)


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
    """Bounds of a numeric column; missing values pass."""

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
    """Which rows are checked; a row for which it is NULL passes."""
    then: str = Field(min_length=1)
    """What must hold there; NULL does not hold."""


class FreshnessRule(Spec):
    """How old the newest row may be, as of the partition's end, or of the run's start where there is no time cadence.

    A timestamp without a time zone is of the partitions' zone.
    """

    column: ColumnName = Field(min_length=1)
    """A column of timestamps or dates."""
    max_age_hours: float = Field(gt=0)
    """The newest value lies at most this long before the as-of moment."""
    max_future_hours: float = Field(default=24, ge=0)
    """No value lies further than this after the as-of moment."""


class DistributionRule(Spec):
    """How far columns may lie from those of data that passed before."""

    reference: str = "previous"
    """`previous`: the partition before, or without partitions the data that passed last; or a partition's key."""
    columns: Literal["auto"] | tuple[ColumnName, ...] = "auto"
    """`auto`: every numeric, boolean and categorical column."""
    max_effect: float = Field(default=0.1, gt=0, lt=1)
    """Distance from which a difference counts: the Kolmogorov-Smirnov statistic of a number, the total variation
    distance of a category. 0.1: a tenth of the rows lie elsewhere; a shift by half a standard deviation is 0.2."""
    false_discovery_rate: float = Field(default=0.01, gt=0, lt=1)
    """Expected share of false alarms among the columns that are found to differ."""


class SentinelSpec(Spec):
    """Bounds of the rules that are on without being asked for."""

    enabled: bool = True
    """Whether the sentinel's rules run."""
    trusted: tuple[ColumnName, ...] = ()
    """Columns that were reviewed and may predict the target as well as they do."""
    max_single_feature_score: float = Field(default=0.99, gt=0.5, le=1)
    """AUC, or R2 of ranks for numbers, from which a single feature predicts the target too well."""
    max_category_share: float = Field(default=0.5, gt=0, le=1)
    """Distinct categories per row from which a categorical column is absurd."""
    max_duplicate_share: float = Field(default=0.05, ge=0, le=1)
    """Share of rows that repeat another row in every feature and the target, above which the holdout is no holdout."""
    min_class_members: int = Field(default=10, ge=2)
    """Fewest rows of a class."""
    max_future_share: float = Field(default=0.001, ge=0, lt=1, exclude_if=lambda share: share == 0.001)  # noqa: PLR2004
    """Share of rows in which a feature may lie after the end of the row's own partition, as a trip does that ends
    after midnight."""
    future_delay_hours: float = Field(default=0, ge=0, exclude_if=lambda hours: hours == 0)
    """How long after the end of the row's own partition a feature may lie in any number of rows."""


DtypeName: TypeAlias = Literal["integer", "float", "number", "boolean", "string", "datetime"]


class RowRules(Spec):
    """Rules about rows, whatever is predicted. Columns named here must exist."""

    min_rows: int = Field(default=1, ge=1)
    """Fewest rows of a partition."""
    max_rows: int | None = Field(default=None, ge=1)
    """Most rows of a partition."""
    columns_present: tuple[ColumnName, ...] = ()
    """Columns that must exist, beside those named anywhere else in the file."""
    dtypes: dict[ColumnName, DtypeName] = {}
    """Type that a column must have."""
    max_missing: float | dict[ColumnName, float] = Field(default=1.0)
    """Largest share of missing values: of every column, or by column."""
    not_null: tuple[ColumnName, ...] = ()
    """Columns without any missing value; the target is always one."""
    unique: tuple[Annotated[tuple[ColumnName, ...], Field(min_length=1)], ...] = ()
    """Keys: the combination of these columns occurs once."""
    ranges: dict[ColumnName, RangeRule] = {}
    """Bounds by column."""
    allowed: dict[ColumnName, Annotated[tuple[Scalar, ...], Field(min_length=1)]] = {}
    """Allowed values by column; missing values pass."""
    matches: dict[ColumnName, Pattern] = {}
    """Regular expression by text column, which every whole value matches; missing values pass. The
    syntax is RE2: as Perl's, but without look-around and back-references, in time linear in the text."""
    finite: bool | tuple[ColumnName, ...] = False
    """Every float column, or these: no infinity, and no NaN stored as a value; missing values pass."""
    expressions: dict[str, str] = {}
    """Name to a SQL expression over the columns, such as `arr_time >= dep_time`, which no row breaks. The dialect is
    DuckDB's; a row for which it is NULL passes. Aggregates, subqueries, and functions of the clock or of
    chance are refused."""
    conditional: tuple[ConditionalRule, ...] = ()
    """Expressions that must hold where another does: `{when: "country = 'US'", then: "state is not null"}`."""
    freshness: FreshnessRule | None = None
    """How old the newest row may be."""
    pandera_schema: str | None = None
    """A pandera schema of the user's own, `package.module:Name`: a DataFrameSchema or a DataFrameModel."""
    custom: dict[str, str] = {}
    """Rules of the user's own: name to `package.module:function`, from the rows to one boolean per row or one."""
    warn: tuple[RuleName, ...] = ()
    """Names of rules whose failure is shown and does not block; not of those without which nothing can be learned."""

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


class RawRules(RowRules):
    """The rules that the source's rows must pass before the steps of `features`; their columns are the source's."""

    @model_validator(mode="after")
    def _warns_of_raw_rules(self) -> Self:
        foreign = [name for name in self.warn if not RULES[name].raw]
        if foreign:
            msg = f"'{foreign[0]}' judges the feature set alone; rules of the source's rows are {', '.join(RAW_RULES)}"
            raise invalid(msg, "warn", value=foreign[0])
        _refuse_contradictions(self.warn, ())
        return self


class ValidationSpec(RowRules):
    """The rules of one pipeline. Columns named here must exist; the target always must."""

    min_rows: int = Field(default=10, ge=1)
    """Fewest rows of a partition."""
    distributions: DistributionRule | None = None
    """How far columns may lie from those of data that passed before; warns unless `block` names its rule."""
    sentinel: SentinelSpec = SentinelSpec()
    """Limits of the rules that run without being configured."""
    block: tuple[RuleName, ...] = ()
    """Names of rules that only warn by default, and shall block."""
    show_values: bool = True
    """Whether failure tables quote values; those of pii columns never are."""
    drop_null_rows: bool | tuple[ColumnName, ...] = False
    """Before the rules: drop rows with a missing value in any column, or in these; the number is reported."""

    raw: RawRules | None = Field(default=None, exclude_if=lambda rules: rules is None)
    """Rules of the source's rows, before the steps of `features`; without steps the rules here judge these rows."""

    @model_validator(mode="after")
    def _rules_agree(self) -> Self:
        _refuse_contradictions(self.warn, self.block)
        return self
