"""Lossless conversion of a table to the dtypes and the column order of a schema, or a refusal that names the column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name, is_moment, is_number, role_fits
from assay.errors import SchemaDriftError, did_you_mean
from assay.specs.dataset import ColumnRole


@dataclass(frozen=True, slots=True)
class SchemaOrigin:
    """Where the expected columns come from, for messages.

    Attributes:
        since: ends the sentence that a column changed.
        source: follows the expected dtype.
        remedy: what to do.
    """

    since: str
    source: str
    remedy: str

    def drift(self, what: str, where: str, found: str, expected: str) -> SchemaDriftError:
        """Return the refusal of a difference."""
        expected = f"{expected}, {self.source}"
        return SchemaDriftError(f"{what} {self.since}", where=where, found=found, expected=expected, remedy=self.remedy)


_FROZEN = SchemaOrigin(
    since="since the schema was frozen",
    source="as frozen",
    remedy="if the change is intended, raise dataset.schema_version (or the run parameter input_schema_version); "
    "else correct the data",
)
MODEL = SchemaOrigin(
    since="since the model was fitted",
    source="as the model was fitted",
    remedy="read the rows under the model's schema version, or train and promote a model on rows of this dtype",
)
OTHER_FILES = SchemaOrigin(
    since="from one file to another",
    source="as in the files before",
    remedy="write the column with one dtype in all files that are read together",
)


def common_schema(dtypes: Mapping[str, Sequence[pa.DataType]]) -> TableSchema:
    """Return the columns that several files have in common: whole numbers widen where a file has fractions.

    Args:
        dtypes: of each column in the files in order; null where a file's column holds nothing.
    """
    return TableSchema(version=1, columns=tuple(_common_column(name, found) for name, found in dtypes.items()))


def conform(table: pa.Table, frozen: TableSchema, *, where: str, origin: SchemaOrigin = _FROZEN) -> pa.Table:
    """Convert a table to the frozen dtypes and order, without loss.

    Integers become floats and whole floats integers when every value stays equal, times change their unit likewise,
    a column of nulls takes any dtype, and a new column of nulls is left out. A column that held nothing when the
    schema was frozen has no dtype yet: it takes any that fits its role.

    Raises:
        SchemaDriftError: names the column, what is frozen and what was found.
    """
    extra = [name for name in table.column_names if name not in frozen.names and not _is_vacant(table.column(name))]
    if extra:
        found = f"dtype {table.column(extra[0]).type}"
        raise origin.drift(f"column '{extra[0]}' is new", where, found, "no such column")
    missing = [name for name in frozen.names if name not in table.column_names]
    if missing:
        raise origin.drift(
            f"column '{missing[0]}' is missing{did_you_mean(missing[0], table.column_names)}",
            where,
            f"columns {', '.join(table.column_names)}",
            frozen[missing[0]].dtype,
        )
    return pa.table(
        {column.name: converted(table.column(column.name), column, where, origin) for column in frozen.columns}
    )


def converted(values: pa.ChunkedArray, frozen: ColumnSchema, where: str, origin: SchemaOrigin) -> pa.ChunkedArray:
    """Convert one column to its frozen dtype.

    Raises:
        SchemaDriftError: no lossless conversion does.
    """
    if frozen.dtype == dtype_name(values.type) or (frozen.dtype == "null" and role_fits(frozen.role, values.type)):
        return values
    target = arrow_type(frozen.dtype)
    if target is not None and _is_vacant(values):
        return pa.chunked_array([pa.nulls(len(values), target)])
    drift = origin.drift(f"column '{frozen.name}' changed its dtype", where, dtype_name(values.type), frozen.dtype)
    if target is None or not _are_alike(values.type, target):
        raise drift
    try:
        cast = values.cast(target)
        back = cast.cast(values.type)
    except pa.ArrowInvalid as error:
        raise drift from error
    if _digest(back) != _digest(values):
        raise drift
    return cast


def arrow_type(name: str) -> pa.DataType | None:
    """Return the Arrow type of a recorded dtype name; None for types that columns are not converted to."""
    if name.startswith("timestamp["):
        unit, _, zone = name.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
        return pa.timestamp(unit, zone or None)
    decimal = re.fullmatch(r"decimal(\d+)\((\d+), (-?\d+)\)", name)
    if decimal:
        make = getattr(pa, f"decimal{decimal[1]}")
        return make(int(decimal[2]), int(decimal[3]))
    plain = {"date32[day]": pa.date32(), "date64[ms]": pa.date64(), "double": pa.float64(), "float": pa.float32()}
    try:
        return plain.get(name) or pa.type_for_alias(name)
    except ValueError:
        return None


def _common_column(name: str, dtypes: Sequence[pa.DataType]) -> ColumnSchema:
    known = [dtype for dtype in dtypes if not pa.types.is_null(dtype)] or list(dtypes)
    widened = pa.types.is_integer(known[0]) and pa.float64() in known
    return ColumnSchema(name=name, dtype="double" if widened else dtype_name(known[0]), role=ColumnRole.IGNORED)


def _digest(values: pa.ChunkedArray) -> str:
    """Return an identity in which, unlike `==`, NaN equals NaN."""
    return fingerprint(pa.table({"": values})).digest


def _is_vacant(values: pa.ChunkedArray) -> bool:
    return bool(values.null_count == len(values))


def _are_alike(found: pa.DataType, target: pa.DataType) -> bool:
    if is_number(found) and is_number(target):
        return True
    if not (is_moment(found) and is_moment(target)):
        return False
    zones = [pa.types.is_timestamp(dtype) and dtype.tz is not None for dtype in (found, target)]
    return zones[0] == zones[1]  # a time with a zone is not one without, whatever the numbers
