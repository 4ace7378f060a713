"""Other sources of a pipeline's features: joined by their keys and times, or read by a SELECT by their names."""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import Spec
from assay.specs.dataset import NO_TARGET, CsvDialect, DataFormat, DatasetSpec, JsonOrient, Scalar

_SPAN = re.compile(r"([1-9][0-9]*) (second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}


def _span(text: str) -> str:
    if not _SPAN.fullmatch(text):
        msg = f"a span such as 30 days: a number of seconds, minutes, hours, days or weeks, not {text!r}"
        raise ValueError(msg)
    return text


Span: TypeAlias = Annotated[str, AfterValidator(_span)]


def microseconds(span: str) -> int:
    """Return the length of a span."""
    found = _SPAN.fullmatch(span)
    return int(found[1]) * _SECONDS[found[2]] * 1_000_000 if found else 0


class AsOf(Spec):
    """The times of an as-of join: each row gets the newest row that was known at its time."""

    left: str
    """The rows' column of times."""
    right: str
    """The other source's column of times."""
    delay: Span | None = None
    """How long after its time a row of the other source is known."""


class OtherSource(Spec):
    """Another source, which is read as strictly as the pipeline's own and has a frozen schema."""

    table: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The name of the other source, also of its schema file."""
    source: str = Field(min_length=1)
    """As `dataset.source`."""
    format: DataFormat = DataFormat.AUTO
    """As `dataset.format`."""
    query: str | None = None
    """As `dataset.query`."""
    parameters: dict[str, Scalar] = {}
    """As `dataset.parameters`."""
    member: str | None = None
    """As `dataset.member`."""
    sheet: str | None = None
    """As `dataset.sheet`."""
    orient: JsonOrient | None = Field(default=None, exclude_if=lambda orient: orient is None)
    """As `dataset.orient`."""
    dialect: CsvDialect = CsvDialect()
    """As `dataset.dialect`."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.table in RESERVED_TABLES:
            msg = f"table is a name of its own, not {self.table!r}"
            raise ValueError(msg)
        problem = self.dataset.source_problem(self.source) or self.dataset.layout_problem
        if problem:
            raise ValueError(problem)
        return self

    @property
    def dataset(self) -> DatasetSpec:
        """How the other source is read."""
        names = ("format", "query", "parameters", "member", "sheet", "orient", "dialect")
        read = {name: getattr(self, name) for name in names}
        return DatasetSpec.model_construct(source=self.source, target=NO_TARGET, **read)

    @property
    def changes_with_time(self) -> bool:
        """Whether a row finds another row of it at another time, so that a model cannot carry its rows."""
        return False


class Table(OtherSource):
    """Another source that the SELECT of a step reads by its name."""

    time: str | Literal[False] | None = None
    """The column that says when a row was known, for the check that no row sees later ones; its only column of times
    unless given. `false`: its rows do not change with time. A row without a time is taken to be always known."""


class Join(OtherSource):
    """Columns of another source."""

    on: dict[str, str] | tuple[str, ...] = ()
    """The columns of the key, or the other source's by the rows'; of an as-of join all rows have one key without."""
    as_of: AsOf | None = None
    """The times, where the other source's rows change with time; without it a key has one row at most."""
    columns: dict[str, str] | tuple[str, ...] = ()
    """The other source's columns that are added, or their new names by them; all but key and time unless given."""
    type: Literal["left", "inner"] = "left"
    """`inner` drops rows that find none; `left` leaves the columns missing."""

    @model_validator(mode="after")
    def _finds_rows(self) -> Self:
        if not self.on and self.as_of is None:
            msg = "on or as_of is missing: by what a row finds its row"
            raise ValueError(msg)
        return self

    @property
    def keys(self) -> dict[str, str]:
        """The other source's column of the key by the rows'."""
        return self.on if isinstance(self.on, dict) else {name: name for name in self.on}

    @property
    def changes_with_time(self) -> bool:
        """Whether a row finds another row of it at another time."""
        return self.as_of is not None


RESERVED_TABLES = frozenset({"rows", "features"})
"""Names that no joined source may have."""
