"""Names, dtypes and roles of a table's columns.

Does not belong here: values.
"""

from typing import Literal, Self

import pyarrow as pa
from pydantic import model_validator

from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole


class ColumnSchema(Spec):
    """One column."""

    name: str
    dtype: str
    """Arrow's name of the type, e.g. `int64`, `string`, `timestamp[us]`."""
    role: ColumnRole
    reason: Literal["declared", "inferred", "target"] = "inferred"
    """How the role came about."""
    pii: bool = False


class TableSchema(Spec):
    """The columns of a table, in order."""

    version: int
    columns: tuple[ColumnSchema, ...]

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
            KeyError: there is none.
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
