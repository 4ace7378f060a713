"""Where a pipeline's rows come from and what each column is."""

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from assay.specs.base import ColumnName, Spec, invalid
from assay.specs.references import Reference, reference_of, reference_problem

Scalar: TypeAlias = str | bool | int | float
_FIRST_SUNDAY = dt.datetime(2013, 1, 6)  # noqa: DTZ001 - partition keys have no zone


class DataFormat(StrEnum):
    """How a source's bytes are laid out."""

    AUTO = "auto"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    JSON = "json"
    JSONL = "jsonl"
    XLSX = "xlsx"
    FEATHER = "feather"


class JsonOrient(StrEnum):
    """How a JSON document holds a table, by the names of pandas; JSON lines are a format of their own, `jsonl`."""

    RECORDS = "records"
    SPLIT = "split"
    INDEX = "index"
    COLUMNS = "columns"
    VALUES = "values"
    TABLE = "table"


class ColumnRole(StrEnum):
    """What a column means to the model."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    IDENTIFIER = "identifier"
    IGNORED = "ignored"


_YEAR = re.compile(r"%[YyGcx]")


def _dates(form: str) -> str:
    try:
        dt.datetime.strptime(dt.datetime(2000, 1, 2, tzinfo=dt.UTC).strftime(form), form)  # noqa: DTZ007 - not kept
    except ValueError as error:
        msg = f"a format of strptime, which this is not: {error}"
        raise ValueError(msg) from error
    if not _YEAR.search(form):
        msg = "a format with a year: dates without one would all fall into 1900"
        raise ValueError(msg)
    if "%Z" in form:
        msg = "a format without %Z, since the name of a zone says no moment; %z reads +02:00"
        raise ValueError(msg)
    return form


DateFormat: TypeAlias = Annotated[str, AfterValidator(_dates)]
_SUNDAY = 6


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"a time zone of the IANA database such as Europe/Berlin, not {name!r}"
        raise ValueError(msg) from error
    return name


ZoneName: TypeAlias = Annotated[str, AfterValidator(_zone)]


class CsvDialect(Spec):
    """How delimited text is written; what is not set is the format's default."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Field separator; the default is `,` for csv and a tab for tsv."""
    quote: str = Field(default='"', min_length=1, max_length=1)
    """Quote character; doubled inside a quoted field."""
    encoding: str = "utf-8"
    """A Python codec name; a byte order mark is removed."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers."""
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    """Mark between groups of three digits."""
    header: bool = True
    """Whether the first row names the columns; without it they are `names`, or `column_1`, `column_2` and so on."""
    names: tuple[ColumnName, ...] = Field(default=(), exclude_if=lambda names: not names)
    """The names of all columns in order, of a file without header."""
    strip: bool = Field(default=False, exclude_if=lambda strip: not strip)
    """Remove blanks and tabs around fields, as in `39, State-gov, 77516`, but not inside quotes."""
    date_format: DateFormat | None = None
    """How dates are written, as for `strptime`, e.g. `%d.%m.%Y`; ISO 8601 is understood without it. It has a year; a
    zone is read by `%z`."""
    null_values: tuple[str, ...] = ("",)
    """Unquoted texts that mean 'missing'."""
    null_words: tuple[str, ...] = ()
    """Unquoted texts that mean 'missing' in every column but those of text, where they may be values, as `NA`."""
    detect: bool = False
    """Find what is not set here in the first data, once; the finding is frozen with the schema."""

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        marks = [self.delimiter, self.quote, self.decimal, self.thousands]
        given = [mark for mark in marks if mark is not None]
        if len(set(given)) != len(given):
            msg = "delimiter, quote, decimal and thousands must differ"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _names_replace_a_header(self) -> Self:
        if self.names and self.header:
            msg = "names are for files without a header: add `header: false`, or remove them"
            raise ValueError(msg)
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise invalid("each name once", "names", value=", ".join(repeated))
        return self


class ColumnSpec(Spec):
    """What the user knows about one column."""

    role: ColumnRole | None = None
    """The role; without it the role is inferred from the column's type and values."""
    pii: bool = False
    """Values are never shown in reports."""
    description: str = ""
    """Shown in the UI's column schema."""


class DerivedColumn(Spec):
    """A column computed from one other by one comparison; missing stays missing."""

    column: ColumnName
    """The column that is compared."""
    greater_than: float | None = None
    at_least: float | None = None
    less_than: float | None = None
    at_most: float | None = None
    one_of: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _exactly_one_comparison(self) -> Self:
        given = [self.greater_than, self.at_least, self.less_than, self.at_most, self.one_of]
        if sum(value is not None for value in given) != 1:
            msg = "give exactly one of greater_than, at_least, less_than, at_most, one_of"
            raise ValueError(msg)
        return self


class PartitionsSpec(Spec):
    """How the rows are cut into partitions."""

    by: Literal["none", "hour", "day", "week", "month", "year", "object"] = "none"
    """A time cadence, one partition per new object of the source, or none."""
    column: ColumnName | None = None
    """The datetime column that places a row; without it the source's `{partition}` placeholder does."""
    start: str | None = None
    """First partition's key for a time cadence, e.g. `2013-01` for months."""
    end: str | None = None
    """Key after the last partition; without it partitions go on to the present."""
    timezone: ZoneName = Field(default="UTC", exclude_if=lambda zone: zone == "UTC")
    """Zone in which hours, days, weeks, months and years begin, e.g. `America/New_York`. Times of `column` with a zone
    are converted to it; times without one are read as times of it."""

    @model_validator(mode="after")
    def _time_needs_a_start(self) -> Self:
        if self.is_time and self.start is None:
            msg = f"partitions by {self.by} need a start, such as '2013-01'"
            raise ValueError(msg)
        if not self.is_time and (self.start or self.end or self.column or self.timezone != "UTC"):
            msg = f"start, end, column and timezone do not apply to partitions by {self.by}"
            raise ValueError(msg)
        start, end = self._moment_of("start"), self._moment_of("end")
        if start and end and end <= start:
            raise invalid(f"a key after start, {self.start}", "end", value=self.end)
        return self

    def _moment_of(self, name: Literal["start", "end"]) -> dt.datetime | None:
        """Return the moment of a key that starts a partition.

        Raises:
            ValidationError: no partition starts there.
        """
        key = getattr(self, name)
        if key is None:
            return None
        try:
            moment = self._moment(key)
        except ValueError as error:
            raise invalid(f"a key such as {_FIRST_SUNDAY.strftime(self.key_format)}", name, value=key) from error
        since = (moment - _FIRST_SUNDAY).days % 7 if self.by == "week" else 0
        written = (moment - dt.timedelta(days=since)).strftime(self.key_format)
        if written != key:
            weeks = "weeks start on Sunday: " if since else ""
            raise invalid(f"{weeks}a key such as {written}", name, value=key)
        return moment

    @property
    def is_time(self) -> bool:
        """Whether partitions follow a time cadence."""
        return self.by not in {"none", "object"}

    def rejection_of(self, key: str) -> str:
        """Return why a text can never be a partition of a time cadence; empty where it can."""
        try:
            moment = self._moment(key)
        except ValueError:
            moment = None
        if moment is None or moment.strftime(self.key_format) != key:
            return f"'{key}' is no {self.by}; expected a key such as {self.start}"
        if self.by == "week" and moment.weekday() != _SUNDAY:
            return f"'{key}' is no start of a week; weeks start on Sundays"
        if moment < self._moment(str(self.start)):
            return f"'{key}' is before the first partition, {self.start}"
        if self.end is not None and moment >= self._moment(self.end):
            return f"'{key}' is after the last partition; partitions end before {self.end}"
        return ""

    def _moment(self, key: str) -> dt.datetime:
        return dt.datetime.strptime(key, self.key_format)  # noqa: DTZ007 - a partition key has no zone

    @property
    def key_format(self) -> str:
        """The `strftime` format of a partition key."""
        return {"hour": "%Y-%m-%d-%H:00", "month": "%Y-%m", "year": "%Y"}.get(self.by, "%Y-%m-%d")


class SegmentSpec(Spec):
    """The rows that have one value in a column; the others are left out when the source is read."""

    column: ColumnName
    value: Scalar
    among: tuple[Scalar, ...] = ()
    """The values that other pipelines of the file take; rows with another one are counted."""


class ReadLimits(Spec):
    """What reading one file may cost; a file that needs more is refused and its reader ended."""

    memory_mb: int = Field(default=1024, ge=256)
    """Memory of the reading process, in MiB."""
    seconds: float = Field(default=10.0, gt=0)
    """Processor time, in seconds; one more second is granted for every MiB of the file."""


NO_TARGET = ""
"""The target of rows that have none yet, as the steps of `features` make it; never a pipeline file's."""
QUERIED_SCHEMES = ("sql", "sqlite", "duckdb")
"""Schemes of sources that are databases."""


class DatasetSpec(Spec):
    """The data of one pipeline."""

    source: str = Field(min_length=1)
    """Local path, folder or glob, `s3://`, `https://`, `sql://`, `sqlite://`, `duckdb://` or `demo://`; `${NAME}`
    and `${NAME:-default}` are filled in per run. `features://<pipeline>` is the feature set of another pipeline with
    the same partitions, `asset://<key>` any asset of Dagster that is a table."""
    format: DataFormat = DataFormat.AUTO
    """`auto` goes by the source's file name."""
    query: str | None = None
    """The SQL query of a `sql://`, `sqlite://` or `duckdb://` source; values come in as `:name`."""
    parameters: dict[str, Scalar] = {}
    """Values bound to the query's `:name`; `{partition}` is the partition key."""
    watermark: str | None = None
    """A query for one value that changes whenever the rows of `query` do, e.g. `select max(updated_at) from t`."""
    member: str | None = None
    """The file inside a zip archive, where it holds several."""
    sheet: str | None = None
    """The sheet of an xlsx workbook, where it has several."""
    orient: JsonOrient | None = Field(default=None, exclude_if=lambda orient: orient is None)
    """The layout of a JSON document, as pandas' `to_json` names it; an array of records unless given."""
    limits: ReadLimits = ReadLimits()
    """What reading one file may cost."""
    dialect: CsvDialect = CsvDialect()
    """How delimited text is written."""
    schema_version: int = Field(default=1, ge=1)
    """The frozen schema that data must keep; raise it when the columns change on purpose."""
    partitions: PartitionsSpec = PartitionsSpec()
    """How rows are cut into partitions."""
    segment: SegmentSpec | None = Field(default=None, exclude_if=lambda segment: segment is None)
    """The rows to take, of a source that holds those of several pipelines; `for_each` sets it."""
    target: ColumnName = Field(min_length=1)
    """The column to predict."""
    columns: dict[ColumnName, ColumnSpec] = {}
    """What is known of columns; the rest is inferred."""
    derive: dict[ColumnName, DerivedColumn] = {}
    """Columns computed when data is read."""
    max_rows: int | None = Field(default=None, ge=1)
    """Refuse more rows than this in one partition."""

    @model_validator(mode="after")
    def _query_fits_the_source(self) -> Self:
        if self.query is None and (self.parameters or self.watermark is not None):
            msg = "parameters and watermark belong to a query: add dataset.query, or remove them"
            raise ValueError(msg)
        problem = self.source_problem(self.source) or self.layout_problem
        if problem:
            raise ValueError(problem)
        return self

    @property
    def reference(self) -> Reference | None:
        """The asset that is the source; None of any other source."""
        return reference_of(self.source)

    @property
    def layout_problem(self) -> str:
        """Why a setting of files does not go with a source that is an asset; empty where none is given."""
        plain = DatasetSpec.model_construct(source="", target="")
        names = ("format", "member", "sheet", "orient", "dialect")
        given = [name for name in names if self.reference and getattr(self, name) != getattr(plain, name)]
        return f"{', '.join(given)}: the rows of an asset are no file; remove it" if given else ""

    def source_problem(self, source: str) -> str:
        """Return why an address does not go with `query`, or without one; empty where it does or is not known yet."""
        scheme, separator, rest = source.partition(":")
        if "${" in (scheme if separator else source):
            return ""
        if problem := reference_problem(source):
            return problem
        is_database = bool(separator) and scheme.lower() in QUERIED_SCHEMES
        if self.query is not None and not is_database:
            return f"a query needs a database, {', '.join(f'{name}://' for name in QUERIED_SCHEMES)}, not {source!r}"
        if is_database and not rest.startswith(("//", "${")):
            return f"the address of a database begins with {scheme}://, not {source!r}"
        return f"a source {scheme}: needs dataset.query" if is_database and self.query is None else ""
