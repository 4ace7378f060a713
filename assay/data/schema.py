"""Names, dtypes and roles of a table's columns, and the roles that values suggest where none is declared."""

from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from assay.errors import DataContractError, MissingColumnError, did_you_mean
from assay.specs.base import Spec
from assay.specs.dataset import NO_TARGET, ColumnRole, DatasetSpec


class ColumnSchema(Spec):
    """One column."""

    name: str
    dtype: str
    """Arrow's name of the type, e.g. `int64`, `string`, `timestamp[us]`."""
    role: ColumnRole
    reason: Literal["declared", "inferred", "frozen", "target"] = "inferred"
    """How the role came about."""
    pii: bool = False


class TableSchema(Spec):
    """The columns of a table, in order."""

    version: int
    columns: tuple[ColumnSchema, ...]
    row_identity: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """The columns that identify a row, as frozen with the schema version; empty where the version does not say."""

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            msg = f"duplicate column names: {sorted({name for name in names if names.count(name) > 1})}"
            raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> ColumnSchema:
        """Return the column of that name.

        Raises:
            KeyError: no column has that name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def with_role(self, *roles: ColumnRole) -> tuple[str, ...]:
        """Return the names of the columns that have one of the roles."""
        return tuple(column.name for column in self.columns if column.role in roles)

    def project(self, names: tuple[str, ...]) -> Self:
        """Return the schema of these columns alone, in this order."""
        return type(self)(version=self.version, columns=tuple(self[name] for name in names))


def dtype_name(dtype: pa.DataType) -> str:
    """Return the name under which a dtype is recorded; variants of one logical type share a name."""
    if pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype):
        return "string"
    if pa.types.is_dictionary(dtype):
        return dtype_name(dtype.value_type)
    return str(dtype)


TEXT_MIN_MEAN_LENGTH = 30
"""Texts of at least this many characters on average are prose, not categories."""
TEXT_MIN_DISTINCT_SHARE = 0.5
"""... when at least this share of them is distinct."""
IDENTIFIER_MIN_DISTINCT_SHARE = 0.95
"""Short texts that are nearly all distinct name rows."""
IDENTIFIER_MIN_ROWS = 50
"""Fewer rows say nothing about distinctness."""


def infer_schema(table: pa.Table, spec: DatasetSpec, *, labelled: bool = True) -> TableSchema:
    """Give every column a role: the declared one, or one inferred from type and values.

    Numbers are numeric, booleans boolean, dates and times datetime. Texts are categorical, unless long and mostly
    distinct (text) or short and nearly all distinct (identifier). Nothing is left out. Rows that are not `labelled`
    are only predicted, and need not have the target and every declared column; nor need the rows of a source whose
    target is made by steps.

    Raises:
        MissingColumnError: a declared column or the target is not in the table.
        DataContractError: a declared role does not fit the column's type.
    """
    for name in (spec.target, *spec.columns) if labelled and spec.target != NO_TARGET else ():
        where = "dataset.target" if name == spec.target else "dataset.columns"
        require_column(table, name, where=where)
    return TableSchema(
        version=spec.schema_version,
        columns=tuple(_column_schema(name, table.column(name), spec) for name in table.column_names),
    )


def require_column(table: pa.Table, name: str, *, where: str, remedy: str = "correct the name, or the data") -> None:
    """Refuse a table without a column.

    Raises:
        MissingColumnError: says which columns there are.
    """
    names = table.column_names
    if name not in names:
        what, found = f"there is no column '{name}'{did_you_mean(name, names)}", f"columns {', '.join(names)}"
        if name in (other.strip() for other in names):
            remedy = "set dataset.dialect.strip to true, which removes the blanks around names and values"
        raise MissingColumnError(what, where=where, found=found, remedy=remedy)


def _column_schema(name: str, column: pa.ChunkedArray, spec: DatasetSpec) -> ColumnSchema:
    declared = spec.columns.get(name)
    role = declared.role if declared else None
    if role is not None and not role_fits(role, column.type):
        raise DataContractError(
            f"column '{name}' cannot have the role {role}",
            where=f"dataset.columns.{name}.role",
            found=f"dtype {column.type}",
            remedy="declare another role, or correct the column's values",
        )
    return ColumnSchema(
        name=name,
        dtype=dtype_name(column.type),
        role=role or inferred_role(column),
        reason="declared" if role else "target" if name == spec.target else "inferred",
        pii=declared.pii if declared else False,
    )


def inferred_role(column: pa.ChunkedArray) -> ColumnRole:
    """Return the role that a column's type and values suggest."""
    dtype = column.type
    if pa.types.is_boolean(dtype):
        return ColumnRole.BOOLEAN
    if pa.types.is_timestamp(dtype) or pa.types.is_date(dtype):
        return ColumnRole.DATETIME
    if dtype_name(dtype) != "string":
        return ColumnRole.NUMERIC if is_number(dtype) or pa.types.is_null(dtype) else ColumnRole.CATEGORICAL
    return _role_of_texts(column)


def _role_of_texts(column: pa.ChunkedArray) -> ColumnRole:
    present = len(column) - column.null_count
    if present == 0 or pa.types.is_dictionary(column.type):
        return ColumnRole.CATEGORICAL
    distinct_share = pc.count_distinct(column, mode="only_valid").as_py() / present
    mean_length = pc.mean(pc.utf8_length(column)).as_py()
    if mean_length >= TEXT_MIN_MEAN_LENGTH and distinct_share >= TEXT_MIN_DISTINCT_SHARE:
        return ColumnRole.TEXT
    if present >= IDENTIFIER_MIN_ROWS and distinct_share >= IDENTIFIER_MIN_DISTINCT_SHARE:
        return ColumnRole.IDENTIFIER
    return ColumnRole.CATEGORICAL


def role_fits(role: ColumnRole, dtype: pa.DataType) -> bool:
    """Whether values of a dtype can be taken in a role; a column of nulls fits every one."""
    if pa.types.is_null(dtype):
        return True
    possible = {
        ColumnRole.NUMERIC: is_number(dtype) or pa.types.is_boolean(dtype),
        ColumnRole.BOOLEAN: pa.types.is_boolean(dtype) or pa.types.is_integer(dtype),
        ColumnRole.DATETIME: is_moment(dtype),
        ColumnRole.TEXT: dtype_name(dtype) == "string",
    }
    return bool(possible.get(role, True))


def is_moment(dtype: pa.DataType) -> bool:
    """Whether values are dates, or times of a date."""
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date(dtype))


def is_number(dtype: pa.DataType) -> bool:
    """Whether values are whole numbers, floats or decimals."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype))
