"""The schema frozen for a version, and later data held against it.

Belongs here: which differences are harmless, and the lossless conversion of those.
Does not belong here: where the frozen schema is kept (`resources.schema_registry`).
"""

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import SchemaDriftError
from assay.specs.dataset import DatasetSpec
from assay.tables.dataset import Dataset
from assay.tables.fingerprint import fingerprint
from assay.tables.schema import TableSchema, dtype_name

_REMEDY = (
    "raise dataset.schema_version (or the run parameter input_schema_version) if the change is meant; "
    "else mend the data"
)


def conform_dataset(dataset: Dataset, frozen: TableSchema, spec: DatasetSpec, *, where: str) -> Dataset:
    """Return a partition's rows under the frozen schema: its dtypes, its order, its inferred roles.

    Args:
        dataset: rows as prepared.
        frozen: the schema of the version's first data.
        spec: the dataset; roles that it declares win over frozen ones.
        where: asset and partition, for messages.

    Raises:
        SchemaDriftError: a column is missing, new, or cannot be converted without loss.
    """
    table = conform(dataset.table, frozen, where=where)
    present = {column.name: column for column in dataset.schema.columns}
    columns = []
    for column in frozen.columns:
        declared = spec.columns.get(column.name)
        role = (declared.role if declared else None) or column.role
        columns.append(
            present[column.name].model_copy(update={"dtype": dtype_name(table.column(column.name).type), "role": role})
        )
    schema = TableSchema(version=frozen.version, columns=tuple(columns))
    same = table.schema.equals(dataset.table.schema)
    mark = dataset.fingerprint if same else fingerprint(table)
    return Dataset(table=table, schema=schema, fingerprint=mark, notes=dataset.notes)


def conform(table: pa.Table, frozen: TableSchema, *, where: str) -> pa.Table:
    """Convert a table to the frozen dtypes and order, without loss.

    Integers become floats and whole floats integers when every value stays equal; a column of nulls takes any type.

    Raises:
        SchemaDriftError: names the column, what is frozen and what was found.
    """
    extra = [name for name in table.column_names if name not in frozen.names]
    if extra:
        raise _drift(f"column '{extra[0]}' is new", where, f"dtype {table.column(extra[0]).type}", "no such column")
    missing = [name for name in frozen.names if name not in table.column_names]
    if missing:
        raise _drift(
            f"column '{missing[0]}' is missing", where, ", ".join(table.column_names), frozen[missing[0]].dtype
        )
    columns = {c.name: _converted(table.column(c.name), c.dtype, c.name, where) for c in frozen.columns}
    return pa.table(columns)


def _converted(column: pa.ChunkedArray, dtype: str, name: str, where: str) -> pa.ChunkedArray:
    if dtype in {dtype_name(column.type), "null"}:
        return column  # a column that was all null at first froze no type
    target = arrow_type(dtype)
    drift = _drift(f"column '{name}' changed its dtype", where, dtype_name(column.type), dtype)
    if pa.types.is_null(column.type):
        return column.cast(target)
    if not (_is_number(column.type) and _is_number(target)) and not (
        pa.types.is_temporal(column.type) and pa.types.is_temporal(target)
    ):
        raise drift
    try:
        converted = column.cast(target, safe=True)
        unchanged = pc.all(pc.equal(converted.cast(column.type), column)).as_py()
    except pa.ArrowInvalid as error:
        raise drift from error
    if unchanged is False:
        raise drift
    return converted


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a recorded dtype name."""
    if name.startswith("timestamp["):
        unit, _, zone = name.removeprefix("timestamp[").removesuffix("]").partition(", tz=")
        return pa.timestamp(unit, zone or None)
    plain = {"date32[day]": pa.date32(), "date64[ms]": pa.date64(), "double": pa.float64(), "float": pa.float32()}
    return plain.get(name) or pa.type_for_alias(name)


def _is_number(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))


def _drift(what: str, where: str, found: str, frozen: str) -> SchemaDriftError:
    return SchemaDriftError(
        f"{what} since the schema was frozen", where=where, found=found, expected=f"{frozen}, as frozen", remedy=_REMEDY
    )
