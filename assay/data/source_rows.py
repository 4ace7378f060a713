"""The rows of a source under the frozen schema, and the partitions that are cut from them."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.contract import conform
from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.frozen_schema import FrozenSchema, classes_of, declared_role, freeze, require_frozen_classes
from assay.data.row_identity import content_columns
from assay.data.schema import (
    ColumnSchema,
    TableSchema,
    dtype_name,
    infer_schema,
    inferred_role,
    require_column,
)
from assay.data.written_values import with_values_read
from assay.errors import DataContractError, EmptyDataError
from assay.specs.dataset import NO_TARGET, CsvDialect, DatasetSpec, DerivedColumn, PartitionsSpec, SegmentSpec


class SchemaVersion(Protocol):
    """One schema version of one pipeline's data."""

    def frozen(self) -> FrozenSchema | None:
        """Return the frozen schema; None before the version's first data."""

    def freeze(self, first: FrozenSchema) -> FrozenSchema:
        """Freeze the schema of the first data, and return the frozen one: another run may have been first."""


@dataclass(slots=True)
class SourceRows:
    """Rows of a source, read and converted once; any number of partitions is cut from them.

    Attributes:
        table: all rows; texts that write down times or grouped numbers are converted.
        spec: the dataset, with the dialect that the rows were read by.
        frozen: the schema that all rows must keep; None before the version's first data.
        version: freezes the schema of the first partition; None where no schema is kept.
        detected: the dialect that was detected in the files, to be frozen with the schema.
        labelled: whether the rows have a target. Rows that are only predicted are checked against the same frozen
            schema, may lack columns and have further ones, and never freeze a schema.
        unseen: texts for missing values, as the dialect states them, that no field of the source has.
        notes: facts for users about all rows.
    """

    table: pa.Table
    spec: DatasetSpec
    frozen: FrozenSchema | None
    version: SchemaVersion | None
    detected: CsvDialect | None
    labelled: bool
    unseen: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def partition(self, key: str | None, *, where: str) -> Dataset:
        """Cut one partition (None without partitions): select its rows, add derived columns, apply the frozen schema.

        Raises:
            MissingColumnError: a column that the spec names is absent.
            SchemaDriftError: the rows differ from the frozen schema in a way that no lossless conversion removes.
            DataContractError: a column's type does not fit its use, or there are more rows than `max_rows`.
            EmptyDataError: no row falls into the partition.
        """
        selected, undated = self._selected(key, where)
        table = derive_columns(self._comparable(selected, where), self.spec, labelled=self.labelled)
        if self.labelled:
            _require_at_most(self.spec.max_rows, table, where)
        schema = infer_schema(table, self.spec, labelled=self.labelled)
        if self.frozen is None and self.version is not None and self.labelled:
            self.frozen = self.version.freeze(self._first(table, schema))
        notes = {"rows": f"{table.num_rows} of the {self.table.num_rows} rows read"} | undated | dict(self.notes)
        if self.frozen is not None:
            table = self._conformed(table, self.frozen.table_schema(self.spec.columns), where)
            schema = _with_frozen_roles(schema, table, self.frozen, self.spec)
            if self.labelled and self.frozen.classes is not None:
                require_frozen_classes(table, self.frozen.classes, self.spec, where=where)
            roles = self.frozen.undeclared_roles(self.spec.columns)
            notes |= {"roles": "; ".join(f"{name}: {text}" for name, text in roles.items())} if roles else {}
        if self.unseen:
            notes["null values without a match"] = ", ".join(map(repr, self.unseen))
        if self.spec.derive:
            notes["derived columns"] = ", ".join(name for name in self.spec.derive if name in table.column_names)
        return Dataset(table=table, schema=schema, fingerprint=fingerprint(table), notes=notes)

    def _first(self, table: pa.Table, schema: TableSchema) -> FrozenSchema:
        """Return what the first data freezes. A column without a value suggests no role beside the declared one."""
        inferred = {
            item.name: inferred_role(table.column(item.name))
            for item in schema.columns
            if item.reason == "declared" and item.dtype != "null"
        }
        if self.spec.target == NO_TARGET:  # the feature set's schema has both
            return freeze(schema, self.detected, inferred=inferred)
        return freeze(
            schema,
            self.detected,
            inferred=inferred,
            classes=classes_of(table.column(self.spec.target)),
            row_identity=content_columns(schema.names, self.spec),
        )

    def _comparable(self, table: pa.Table, where: str) -> pa.Table:
        """Convert the columns that others are derived from to their frozen dtypes, as the comparison needs them."""
        if self.frozen is None:
            return table
        frozen = self.frozen.table_schema(self.spec.columns)
        for name in dict.fromkeys(derived.column for derived in self.spec.derive.values()):
            if name in table.column_names and name in frozen.names:
                converted = conform(table.select([name]), frozen.project((name,)), where=where)
                table = table.set_column(table.column_names.index(name), name, converted.column(name))
        return table

    def _conformed(self, table: pa.Table, frozen: TableSchema, where: str) -> pa.Table:
        if self.labelled:
            return conform(table, frozen, where=where)
        known = [name for name in frozen.names if name in table.column_names and name != self.spec.target]
        conformed = conform(table.select(known), frozen.project(tuple(known)), where=where)
        others = [name for name in table.column_names if name not in known]
        return pa.table({name: (conformed if name in known else table).column(name) for name in (*known, *others)})

    def _selected(self, key: str | None, where: str) -> tuple[pa.Table, dict[str, str]]:
        """Return the partition's rows, and a note on rows that belong to no partition."""
        partitions = self.spec.partitions
        if key is None or partitions.column is None or not partitions.is_time or _is_feature_set(self.spec):
            return self.table, {}
        undated = _column(self.table, partitions.column).null_count
        notes = {"rows in no partition": f"{undated} without '{partitions.column}'"} if undated else {}
        return rows_of_partition(self.table, partitions, key, where=where), notes


def source_rows(
    table: pa.Table,
    spec: DatasetSpec,
    version: SchemaVersion | None = None,
    *,
    frozen: FrozenSchema | None = None,
    detected: CsvDialect | None = None,
    labelled: bool = True,
) -> SourceRows:
    """Convert the written values of a source's rows, once; the arguments are those of `SourceRows`.

    Texts that are all dates or times, in ISO 8601 or the dialect's format, become times, unless they are the target,
    frozen as text, or another role is declared; digits in groups become numbers. The values of a feature set have their
    types already, and its partitions are cut.

    Raises:
        DataContractError: a column declared as datetime holds other text.
    """
    dialect = detected or (frozen.dialect if frozen else None) or spec.dialect
    effective = spec.model_copy(update={"dialect": dialect})
    converted = table
    if not _is_feature_set(spec):
        converted = with_values_read(table, effective, frozen.dtypes if frozen else {})
    if spec.segment is None:
        return SourceRows(converted, effective, frozen, version, detected, labelled)
    rows, notes = _of_segment(converted, spec.segment)
    return SourceRows(rows, effective, frozen, version, detected, labelled, notes=notes)


def _is_feature_set(spec: DatasetSpec) -> bool:
    return spec.reference is not None and spec.reference.is_feature_set


def _of_segment(table: pa.Table, segment: SegmentSpec) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows of a segment, and a note on rows that are of no segment."""
    require_column(table, segment.column, where="dataset.segment.column")
    column, among = table.column(segment.column), segment.among or (segment.value,)
    try:
        inside = pc.is_in(column, pa.array([segment.value], column.type))
        others = table.num_rows - pc.sum(pc.is_in(column, pa.array(among, column.type))).as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataContractError(
            "the value of a segment is of another type than its column",
            where="dataset.segment.value",
            found=f"{segment.value!r}, and {segment.column} of dtype {column.type}",
            remedy="write the value as the column has it; text in quotes",
        ) from error
    rows = table.filter(inside)
    if rows.num_rows == 0:
        raise EmptyDataError(
            "no row of the source is of the segment",
            where="dataset.segment",
            found=f"{table.num_rows} rows without {segment.column} = {segment.value!r}",
            remedy="correct the value, or remove it from for_each",
        )
    return rows, {"rows in no segment": str(others)} if segment.among and others else {}


def _require_at_most(rows: int | None, table: pa.Table, where: str) -> None:
    if rows is not None and table.num_rows > rows:
        raise DataContractError(
            "there are more rows than dataset.max_rows allows",
            where=where,
            found=f"{table.num_rows} rows",
            expected=f"at most {rows}",
            remedy="raise dataset.max_rows, or use smaller partitions",
        )


def _with_frozen_roles(inferred: TableSchema, table: pa.Table, frozen: FrozenSchema, spec: DatasetSpec) -> TableSchema:
    """Return the schema of conformed rows: declared roles win over frozen ones, and frozen ones over inferred ones."""
    roles = {column.name: column.role for column in frozen.columns}

    def column_schema(name: str) -> ColumnSchema:
        found = inferred[name]
        role = declared_role(name, spec.columns) or roles.get(name) or found.role
        reason = found.reason if role is found.role else "frozen"
        dtype = dtype_name(table.column(name).type)
        return found.model_copy(update={"dtype": dtype, "role": role, "reason": reason})

    columns = tuple(map(column_schema, table.column_names))
    return TableSchema(version=frozen.version, columns=columns, row_identity=frozen.row_identity or ())


def rows_of_partition(table: pa.Table, partitions: PartitionsSpec, key: str, *, where: str) -> pa.Table:
    """Return the rows whose partition column falls into one time partition, by the clock of the partitions' zone.

    Raises:
        MissingColumnError: there is no such column.
        DataContractError: the column holds neither dates nor times.
        EmptyDataError: no row does; gives the span that the column covers.
    """
    name = str(partitions.column)
    column = _column(table, name)
    if not pa.types.is_timestamp(column.type) and not pa.types.is_date(column.type):
        raise DataContractError(
            f"the partition column '{name}' is not a date or time",
            where=where,
            found=f"dtype {column.type}",
            expected="a date, a time, or ISO 8601 text such as 2013-01-31T18:00:00",
            remedy="correct the values that are not ISO 8601, or set another dataset.partitions.column",
        )
    start, end = partition_span(partitions, key)
    unit = pa.timestamp(column.type.unit if pa.types.is_timestamp(column.type) else "us")
    moments = wall_times(column, partitions.timezone).cast(unit)
    inside = pc.and_(pc.greater_equal(moments, pa.scalar(start, unit)), pc.less(moments, pa.scalar(end, unit)))
    selected = table.filter(inside)
    if selected.num_rows == 0:
        span = pc.min_max(moments).as_py()
        raise EmptyDataError(
            "the source has no rows in this partition",
            where=where,
            found=f"'{name}' from {span['min']} to {span['max']}",
            expected=f"rows from {start} up to {end}, {partitions.timezone}",
            remedy="choose another partition, or check the source",
        )
    return selected


def wall_times(column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Return times as a clock of the zone shows them; dates, and times without a zone, are unchanged."""
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return column
    if zone == "UTC":
        return column.cast(pa.timestamp(column.type.unit))
    return pc.local_timestamp(column.cast(pa.timestamp(column.type.unit, zone)))


def partition_span(partitions: PartitionsSpec, key: str) -> tuple[dt.datetime, dt.datetime]:
    """Return the start (inside) and end (outside) of a time partition, without zone."""
    start = dt.datetime.strptime(key, partitions.key_format)  # noqa: DTZ007 - partition keys have no zone
    if partitions.by == "year":
        return start, start.replace(year=start.year + 1)
    if partitions.by == "month":
        return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    length = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1), "week": dt.timedelta(days=7)}
    return start, start + length[partitions.by]


def derive_columns(table: pa.Table, spec: DatasetSpec, *, labelled: bool = True) -> pa.Table:
    """Append the derived columns: boolean, and missing where the compared value is.

    Rows that are not `labelled` are only predicted: they get no derived target, and no column derived from a column
    that they lack.

    Raises:
        MissingColumnError: a column to compare is absent.
        DataContractError: a derived name is taken, or the values cannot be compared.
    """
    for name, derived in spec.derive.items():
        if not labelled and (name == spec.target or derived.column not in table.column_names):
            continue
        if name in table.column_names:
            raise DataContractError(
                f"column '{name}' exists already",
                where=f"dataset.derive.{name}",
                remedy="give the derived column another name",
            )
        require_column(table, derived.column, where=f"dataset.derive.{name}.column")
        table = table.append_column(name, _compared(table.column(derived.column), derived, name))
    return table


_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "greater_than": pc.greater,
        "at_least": pc.greater_equal,
        "less_than": pc.less,
        "at_most": pc.less_equal,
        "one_of": lambda column, values: pc.is_in(column, pa.array(list(values))),
    }
)


def _compared(column: pa.ChunkedArray, derived: DerivedColumn, name: str) -> pa.ChunkedArray:
    field = next(field for field in _COMPARISONS if field == "one_of" or getattr(derived, field) is not None)
    try:
        present = pc.invert(pc.is_null(column, nan_is_null=True))
        compared = _COMPARISONS[field](column, getattr(derived, field))
        return pc.if_else(present, compared, pa.scalar(None, pa.bool_()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataContractError(
            f"the values of '{derived.column}' cannot be compared",
            where=f"dataset.derive.{name}",
            found=f"dtype {column.type}",
            expected="a dtype that fits the comparison",
        ) from error


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    require_column(table, name, where="dataset.partitions.column")
    return table.column(name)
