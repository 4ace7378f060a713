"""The steps from a source's rows to the feature set, which is what the gate judges and the model sees."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import Location, Spec, digest_of, invalid
from assay.specs.dataset import Scalar
from assay.specs.fitted import Bounds, FittedFill, OutlierBounds
from assay.specs.other_sources import Join, OtherSource, Span, Table
from assay.specs.preprocessing import FITTED_PREFIX

Sql: TypeAlias = Annotated[str, Field(min_length=1)]
"""One SQL expression over the columns of a row."""
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class ColumnType(StrEnum):
    """What `convert` makes of a column."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    DATE = "date"
    TIME = "time"


class Conversion(Spec):
    """The type of a column, and what it may cost."""

    to: ColumnType
    """The type of the result; `time` is a date with a time of day."""
    missing: tuple[str, ...] = ()
    """Texts that become missing, such as `NA` or `?`; blanks around a text do not count, so that `""` is any blank."""
    lossy: bool = False
    """Whether values may be rounded or cut; without it each value must be the same in both types."""


class AllBut(Spec):
    """All columns but some."""

    but: tuple[str, ...] = Field(min_length=1)
    """The columns that are left out."""


_PREFIX = re.compile(r"[a-z0-9_=-]+(/[a-z0-9_=-]+)*")


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        names = "lower-case letters, digits, _, = and - between slashes"
        msg = f"a folder below the store such as features or shared/features ({names}), not {text!r}"
        raise ValueError(msg)
    return text


Prefix: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_prefix)]


class Aggregation(Spec):
    """Aggregates over rows: of the rows before each row, or one row for each key."""

    by: tuple[str, ...] = ()
    """The columns of the key; all rows have one key without them."""
    columns: dict[str, Sql] = Field(min_length=1)
    """Columns and their aggregates, such as `count(*)` or `sum(amount)`."""
    time: str | None = None
    """The column of times. With it each row stays, and its aggregates are over the rows of its key strictly before it;
    without it there is one row for each key."""
    over: Span | None = None
    """How far back rows count, such as `30 days`; without it all earlier rows do."""
    delay: Span | None = None
    """How long after its time a row is known; later ones do not count yet."""

    @model_validator(mode="after")
    def _spans_need_a_time(self) -> Self:
        if self.time is None and (self.over or self.delay):
            msg = "over and delay need time: the column of times"
            raise ValueError(msg)
        if self.time is None and not self.by:
            msg = "by or time is missing: one row for each key, or aggregates of the rows before each row"
            raise ValueError(msg)
        return self


class FeatureStep(Spec):
    """One step: exactly one kind (`derive`, `filter`, ...), and what is asked of it."""

    derive: dict[str, Sql] | None = Field(default=None, min_length=1)
    """Columns and their SQL expressions, in order: an expression may name the columns before it. A present column is
    replaced."""
    filter: Sql | Annotated[dict[str, Sql], Field(min_length=1)] | None = None
    """The condition of the rows that stay, or several by the reason under which the other rows are counted. A row for
    which a condition is NULL does not stay."""
    convert: dict[str, ColumnType | Conversion] | None = Field(default=None, min_length=1)
    """Types of columns, without loss unless it is stated."""
    clip: dict[str, Bounds] | None = Field(default=None, min_length=1)
    """Bounds of numeric columns; values beyond become the bound. Quantiles and interquartile ranges are those of the
    training rows, and travel in the model."""
    outliers: dict[str, OutlierBounds] | None = Field(default=None, min_length=1, exclude_if=lambda each: each is None)
    """Bounds of numeric columns, of the target too; training rows beyond are not learned from. No row of the holdout
    and no row to predict is dropped."""
    fill: dict[str, Scalar | FittedFill] | None = Field(default=None, min_length=1)
    """What missing values of a column become: a value, or `{strategy: median}` of the training rows."""
    aggregate: Aggregation | None = None
    """Aggregates over other rows of the partition."""
    join: Join | None = None
    """Columns of another source; as of each row's time, where it changes."""
    sql: Sql | None = None
    """One SELECT over `rows`, the rows of the partition, and the tables of `features.tables`."""
    python: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] | None = None
    """A function of your own, `module:function`: a pyarrow table in, a table with the same number of rows out."""
    gives: dict[str, ColumnType] | None = Field(default=None, exclude_if=lambda each: each is None)
    """The columns that a function of Python adds or replaces, and their types; all others stay. Without it what follows
    the step is checked when it is run, and not when the file is loaded."""
    rename: dict[str, str] | None = Field(default=None, min_length=1)
    """New names by the present ones."""
    select: Annotated[tuple[str, ...], Field(min_length=1)] | AllBut | None = None
    """The columns that stay, in this order; or `{but: [...]}`."""
    name: str = ""
    """Shown in metadata and errors; the kind and the number of the step unless given."""
    max_dropped: Share | None = None
    """Largest share of its rows that the step may drop; more is refused."""
    applies_to: Literal["labelled", "all"] = "labelled"
    """Whether a filter also drops rows that are only predicted; by default each of those gets its prediction."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f", not {' and '.join(given)}" if given else ""
            msg = f"a step is exactly one of {', '.join(KINDS)}{found}"
            raise ValueError(msg)
        if self.applies_to == "all" and self.filter is None:
            msg = "applies_to belongs to a filter: every other step applies to all rows"
            raise ValueError(msg)
        if self.gives is not None and self.python is None:
            msg = f"gives belongs to python: what {given[0]} gives follows from the file"
            raise ValueError(msg)
        is_inner = self.join is not None and self.join.type == "inner"
        drops = any(each is not None for each in (self.filter, self.outliers, self.sql)) or is_inner
        if self.max_dropped is not None and not drops:
            msg = f"max_dropped belongs to a filter, outliers, sql or an inner join: {given[0]} drops no row"
            raise ValueError(msg)
        fixed = [name for name, fitted in self._fitted_by_column.items() if not fitted]
        if self.is_fitted and fixed:
            msg = f"what is fitted on the training rows is a step of its own: '{fixed[0]}' belongs into another"
            raise invalid(msg, given[0], fixed[0], value=fixed[0])
        return self

    @property
    def _fitted_by_column(self) -> dict[str, bool]:
        """Whether what is asked of each column follows from the training rows."""
        bounds = {name: each.is_fitted for name, each in {**(self.clip or {}), **(self.outliers or {})}.items()}
        return bounds | {name: isinstance(each, FittedFill) for name, each in (self.fill or {}).items()}

    @property
    def is_fitted(self) -> bool:
        """Whether the step is fitted on the training rows, and so is part of the model."""
        return any(self._fitted_by_column.values())

    @property
    def fitted_columns(self) -> tuple[tuple[Location, str], ...]:
        """The columns that a fitted step names, each with its location in the step."""
        if not self.is_fitted:
            return ()
        own: list[tuple[Location, str]] = [((self.kind, name), name) for name in self._fitted_by_column]
        fills = {name: each.by for name, each in (self.fill or {}).items() if isinstance(each, FittedFill)}
        by = [((self.kind, name, "by", n), each) for name, names in fills.items() for n, each in enumerate(names)]
        return (*own, *by)

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def is_of_rows_alone(self) -> bool:
        """Whether each row's result follows from the row alone: the kinds that can see other rows are no such steps."""
        return self.aggregate is None and self.sql is None and self.python is None

    @property
    def expressions(self) -> dict[str, str]:
        """Its SQL expressions of a row by derived column or reason; a filter without reasons has the reason ""."""
        if self.derive is not None:
            return self.derive
        return {"": self.filter} if isinstance(self.filter, str) else self.filter or {}

    def identity(self) -> dict[str, Any]:
        """Leave out the name and the bound, which change no row."""
        return self.model_dump(mode="json", exclude={"name", "max_dropped"}, exclude_defaults=True)


_MODIFIERS = frozenset({"name", "max_dropped", "applies_to", "gives"})
KINDS = tuple(name for name in FeatureStep.model_fields if name not in _MODIFIERS)
"""The kinds of steps; each is a field of `FeatureStep`."""


class FeaturesSpec(Spec):
    """How the feature set is made of the source's rows."""

    steps: tuple[FeatureStep, ...] = Field(min_length=1)
    """The steps, in order."""
    max_dropped: Share | None = None
    """Largest share of all rows that the steps together may drop; more is refused."""
    time: str | None = None
    """The source's column that says when a row was known, for the check that no row sees later ones;
    `dataset.partitions.column` unless given."""
    prefix: Prefix = Field(default="features", exclude_if=lambda prefix: prefix == "features")
    """Where the newest rows of each partition are kept as a file that other programs read: below the artifact store,
    `<prefix>/<pipeline>/<partition>.parquet`."""
    tables: tuple[Table, ...] = Field(default=(), exclude_if=lambda tables: not tables)
    """Other sources that a step `sql` reads by their names, each under a frozen schema of its own."""
    earlier_partitions: Literal["read", "require", "ignore"] = Field(
        default="read", exclude_if=lambda earlier: earlier == "read"
    )
    """Whether a window `over` some time sees the source's rows of earlier partitions. `read`: of those that were made;
    missing ones are counted. `require`: a missing one blocks. `ignore`: it sees the rows of its partition alone."""

    @property
    def is_of_rows_alone(self) -> bool:
        """Whether no step can see other rows."""
        return all(step.is_of_rows_alone for step in self.steps)

    @property
    def joins(self) -> tuple[Join, ...]:
        """The joins, in order."""
        return tuple(step.join for step in self.steps if step.join is not None)

    @property
    def other_sources(self) -> tuple[OtherSource, ...]:
        """All sources beside the pipeline's own: of the tables and of the joins."""
        return (*self.tables, *self.joins)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The names that a SELECT may read beside the rows."""
        return tuple(each.table for each in self.tables)

    @property
    def needs_row_numbers(self) -> bool:
        """Whether the rows' order has to be restored after a step."""
        return bool(self.joins) or not self.is_of_rows_alone

    @model_validator(mode="after")
    def _tables_once(self) -> Self:
        names = [each.table for each in self.other_sources]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            kind = "sources" if twice[0] in self.table_names else "joins"
            msg = f"two {kind} have the table {twice[0]!r}: give each a name of its own"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _fitted_last(self) -> Self:
        last = max((number for number, step in enumerate(self.steps) if not step.is_fitted), default=-1)
        for number, step in self.fitted.items():
            if number < last:
                msg = (
                    f"{step.kind} is fitted on the training rows, inside the model, so it comes after all steps that "
                    f"make the feature set: move it behind {self.title(last)}"
                )
                raise invalid(msg, "steps", number, step.kind, value=self.title(number))
        return self

    @property
    def fitted(self) -> dict[int, FeatureStep]:
        """The steps that are fitted on the training rows, by number; they change no row of the feature set."""
        return {number: step for number, step in enumerate(self.steps) if step.is_fitted}

    def fitted_parameters(self) -> Iterator[tuple[str, Any, Location]]:
        """Yield what a search may set in fitted steps: its name, the file's value and its location.

        A name is `features.<step>.<column>.<parameter>`, the step by its `name`, else by its position from 0.
        Parameters are `iqr`, `lower` and `upper` (of quantiles) and `strategy`.
        """
        for number, step in self.fitted.items():
            for column, asked in getattr(step, step.kind).items():
                place: Location = ("steps", number, step.kind, column)
                head = f"{FITTED_PREFIX}{step.name or number}.{column}"
                for name, value, further in asked.searched():
                    yield f"{head}.{name}", value, (*place, *further)

    def with_fitted(self, parameters: Mapping[str, Any]) -> Self:
        """Return the same steps with what a search found for those that are fitted, by the names of parameters.

        Raises:
            ValueError: the lower quantile is not below the upper one.
        """
        steps = list(self.steps)
        for number, step in self.fitted.items():
            columns = dict(getattr(step, step.kind))
            for column, asked in columns.items():
                head = f"{FITTED_PREFIX}{step.name or number}.{column}."
                given = {key.removeprefix(head): value for key, value in parameters.items() if key.startswith(head)}
                columns[column] = asked.with_values(given) if given else asked
            steps[number] = step.model_copy(update={step.kind: columns})
        return self.model_copy(update={"steps": tuple(steps)})

    @property
    def fitted_columns(self) -> tuple[tuple[Location, str], ...]:
        """The columns that fitted steps name, each with its location."""
        found = ((("steps", n, *place), name) for n, step in self.fitted.items() for place, name in step.fitted_columns)
        return tuple(found)

    @property
    def digest(self) -> str:
        """Digest of what the rows of the feature set depend on beside the source's."""
        return digest_of([step.identity() for step in self.steps if not step.is_fitted], *self.tables)

    def title(self, number: int) -> str:
        """Return what a step, counted from 0, is called."""
        step = self.steps[number]
        return step.name or f"{step.kind} (step {number + 1})"
