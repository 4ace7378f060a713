"""From the rows of a file to the rows of one partition, with derived columns and roles.

Does not belong here: reading files (`assay.ingestion`), judging rows (`assay.validation`).
"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataContractError, EmptyDataError
from assay.specs.dataset import ColumnRole, DatasetSpec, DerivedColumn, PartitionsSpec
from assay.tables.dataset import Dataset
from assay.tables.fingerprint import fingerprint
from assay.tables.roles import infer_schema, require_column


def prepare(table: pa.Table, spec: DatasetSpec, *, partition_key: str | None, where: str) -> Dataset:
    """Select a partition's rows, add derived columns, and give every column a role.

    Args:
        table: rows as read.
        spec: the dataset.
        partition_key: the partition; None without partitions.
        where: asset and partition, for messages.

    Returns:
        The partition's rows; `notes` tell what was selected and derived.

    Raises:
        MissingColumnError: a column that the spec names is absent.
        DataContractError: a column's type does not fit its use, or there are more rows than `max_rows`.
        EmptyDataError: no row falls into the partition.
    """
    read = table.num_rows
    table = storable(_with_datetimes(table, spec))
    if spec.partitions.is_time and spec.partitions.column is not None and partition_key is not None:
        table = rows_of_partition(table, spec.partitions, partition_key, where=where)
    table = derive_columns(table, spec)
    if spec.max_rows is not None and table.num_rows > spec.max_rows:
        raise DataContractError(
            "there are more rows than dataset.max_rows allows",
            where=where,
            found=f"{table.num_rows} rows",
            expected=f"at most {spec.max_rows}",
        )
    schema = infer_schema(table, spec)
    notes = {"rows": f"{table.num_rows} of the {read} rows read"}
    if spec.derive:
        notes["derived columns"] = ", ".join(spec.derive)
    return Dataset(table=table, schema=schema, fingerprint=fingerprint(table), notes=notes)


def storable(table: pa.Table) -> pa.Table:
    """Return the table with types that Parquet keeps: whole seconds as microseconds, 64-bit dates as 32-bit ones."""
    for position, column in enumerate(table.schema):
        dtype = column.type
        if pa.types.is_timestamp(dtype) and dtype.unit in {"s", "ms"}:
            table = table.set_column(position, column.name, table.column(position).cast(pa.timestamp("us", dtype.tz)))
        elif pa.types.is_date64(dtype):
            table = table.set_column(position, column.name, table.column(position).cast(pa.date32()))
    return table


def rows_of_partition(table: pa.Table, partitions: PartitionsSpec, key: str, *, where: str) -> pa.Table:
    """Return the rows whose partition column falls into one time partition.

    Raises:
        DataContractError: the column is no date or time.
        EmptyDataError: no row does; says which span the column covers.
    """
    name = str(partitions.column)
    require_column(table, name, where="dataset.partitions.column")
    column = table.column(name)
    if not pa.types.is_timestamp(column.type) and not pa.types.is_date(column.type):
        raise DataContractError(
            f"the partition column '{name}' is no date or time",
            where=where,
            found=f"dtype {column.type}",
            remedy=f"declare `columns: {{{name}: {{role: datetime}}}}` when it holds ISO 8601 text",
        )
    start, end = partition_span(partitions, key)
    moments = column.cast(pa.timestamp("us"))
    inside = pc.and_(
        pc.greater_equal(moments, pa.scalar(start, pa.timestamp("us"))),
        pc.less(moments, pa.scalar(end, pa.timestamp("us"))),
    )
    selected = table.filter(inside)
    if selected.num_rows == 0:
        span = pc.min_max(moments).as_py()
        raise EmptyDataError(
            "the source has no rows in this partition",
            where=where,
            found=f"'{name}' from {span['min']} to {span['max']}",
            expected=f"rows from {start} up to {end}",
            remedy="choose another partition, or check the source",
        )
    return selected


def partition_span(partitions: PartitionsSpec, key: str) -> tuple[dt.datetime, dt.datetime]:
    """Return the start (inside) and end (outside) of a time partition, without zone."""
    start = dt.datetime.strptime(key, partitions.key_format)  # noqa: DTZ007 - partition keys have no zone
    if partitions.by == "month":
        return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    length = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1), "week": dt.timedelta(days=7)}
    return start, start + length[partitions.by]


def derive_columns(table: pa.Table, spec: DatasetSpec) -> pa.Table:
    """Append the derived columns; they are boolean, and missing where their column is.

    Raises:
        MissingColumnError: a column to compare is absent.
        DataContractError: a derived name is taken, or the values cannot be compared.
    """
    for name, derived in spec.derive.items():
        if name in table.column_names:
            raise DataContractError(f"column '{name}' exists already", where=f"dataset.derive.{name}")
        require_column(table, derived.column, where=f"dataset.derive.{name}.column")
        table = table.append_column(name, _compared(table.column(derived.column), derived, name))
    return table


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": pc.greater,
    "at_least": pc.greater_equal,
    "less_than": pc.less,
    "at_most": pc.less_equal,
}


def _compared(column: pa.ChunkedArray, derived: DerivedColumn, name: str) -> pa.ChunkedArray:
    try:
        for field, compare in _COMPARISONS.items():
            bound = getattr(derived, field)
            if bound is not None:
                return compare(column, bound)
        inside = pc.is_in(column, pa.array(list(derived.one_of or ())))
        return pc.if_else(pc.is_valid(column), inside, pa.scalar(None, pa.bool_()))
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataContractError(
            f"the values of '{derived.column}' cannot be compared",
            where=f"dataset.derive.{name}",
            found=f"dtype {column.type}",
            expected="a dtype that fits the comparison",
        ) from error


def _with_datetimes(table: pa.Table, spec: DatasetSpec) -> pa.Table:
    """Convert columns declared as datetime from ISO 8601 text."""
    for name, column in spec.columns.items():
        if column.role is not ColumnRole.DATETIME or name not in table.column_names:
            continue
        values = table.column(name)
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            continue
        try:
            moments = values.cast(pa.timestamp("us"))
        except pa.ArrowInvalid as error:
            raise DataContractError(
                f"column '{name}' is declared as datetime, but holds other text",
                where=f"dataset.columns.{name}",
                found=str(error).splitlines()[0][:200],
                expected="ISO 8601, such as 2013-01-31T18:00:00",
            ) from error
        table = table.set_column(table.column_names.index(name), name, moments)
    return table
