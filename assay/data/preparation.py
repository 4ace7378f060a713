"""From the rows of a file to the rows of one partition, with derived columns and roles."""

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import infer_schema, require_column
from assay.data.written_values import with_values_read
from assay.errors import DataContractError, EmptyDataError
from assay.specs.dataset import DatasetSpec, DerivedColumn, PartitionsSpec


def prepare(
    table: pa.Table,
    spec: DatasetSpec,
    *,
    partition_key: str | None,
    where: str,
    frozen: Mapping[str, str] = MappingProxyType({}),
) -> Dataset:
    """Select a partition's rows, add derived columns, and give every column a role.

    Texts that are all dates or times, in ISO 8601 or the dialect's format, become times, unless they are the target,
    frozen as text, or another role is declared; digits in groups become numbers.

    Args:
        table: rows as `assay.reading` reads them.
        spec: the dataset.
        partition_key: the partition; None without partitions.
        where: asset and partition, for messages.
        frozen: recorded dtypes by column, of the version's schema.

    Returns:
        The partition's rows; `notes` tell what was selected and derived.

    Raises:
        MissingColumnError: a column that the spec names is absent.
        DataContractError: a column's type does not fit its use, or there are more rows than `max_rows`.
        EmptyDataError: no row falls into the partition.
    """
    read = table.num_rows
    table = with_values_read(table, spec, frozen)
    notes = {}
    if spec.partitions.is_time and spec.partitions.column is not None and partition_key is not None:
        undated = _column(table, spec.partitions.column).null_count
        if undated:
            notes["rows in no partition"] = f"{undated} without '{spec.partitions.column}'"
        table = rows_of_partition(table, spec.partitions, partition_key, where=where)
    table = derive_columns(table, spec)
    if spec.max_rows is not None and table.num_rows > spec.max_rows:
        raise DataContractError(
            "there are more rows than dataset.max_rows allows",
            where=where,
            found=f"{table.num_rows} rows",
            expected=f"at most {spec.max_rows}",
            remedy="raise dataset.max_rows, or cut the data into smaller partitions",
        )
    schema = infer_schema(table, spec)
    notes = {"rows": f"{table.num_rows} of the {read} rows read"} | notes
    if spec.derive:
        notes["derived columns"] = ", ".join(spec.derive)
    return Dataset(table=table, schema=schema, fingerprint=fingerprint(table), notes=notes)


def rows_of_partition(table: pa.Table, partitions: PartitionsSpec, key: str, *, where: str) -> pa.Table:
    """Return the rows whose partition column falls into one time partition; times with a zone count in UTC.

    Raises:
        MissingColumnError: there is no such column.
        DataContractError: the column is no date or time.
        EmptyDataError: no row does; says which span the column covers.
    """
    name = str(partitions.column)
    column = _column(table, name)
    if not pa.types.is_timestamp(column.type) and not pa.types.is_date(column.type):
        raise DataContractError(
            f"the partition column '{name}' is no date or time",
            where=where,
            found=f"dtype {column.type}",
            expected="a date, a time, or ISO 8601 text such as 2013-01-31T18:00:00",
            remedy="mend the values that are no ISO 8601, or choose another dataset.partitions.column",
        )
    start, end = partition_span(partitions, key)
    unit = pa.timestamp(column.type.unit if pa.types.is_timestamp(column.type) else "us")
    moments = column.cast(unit)
    inside = pc.and_(pc.greater_equal(moments, pa.scalar(start, unit)), pc.less(moments, pa.scalar(end, unit)))
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
    if partitions.by == "year":
        return start, start.replace(year=start.year + 1)
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
            raise DataContractError(
                f"column '{name}' exists already",
                where=f"dataset.derive.{name}",
                remedy="give the derived column another name",
            )
        require_column(table, derived.column, where=f"dataset.derive.{name}.column")
        table = table.append_column(name, _compared(table.column(derived.column), derived, name))
    return table


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": pc.greater,
    "at_least": pc.greater_equal,
    "less_than": pc.less,
    "at_most": pc.less_equal,
}
_ONE_OF = ("one_of", lambda column, values: pc.is_in(column, pa.array(list(values))))


def _compared(column: pa.ChunkedArray, derived: DerivedColumn, name: str) -> pa.ChunkedArray:
    try:
        present = pc.invert(pc.is_null(column, nan_is_null=True))
        field, compare = next((item for item in _COMPARISONS.items() if getattr(derived, item[0]) is not None), _ONE_OF)
        return pc.if_else(present, compare(column, getattr(derived, field)), pa.scalar(None, pa.bool_()))
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
