"""Tables in the types of users' own code, and as the platform stores them.

A table comes as pyarrow, or as anything that offers Arrow data (pandas, Polars, DuckDB), and is given as pyarrow or
pandas, by the annotation of the parameter.
"""

from typing import Any

import pyarrow as pa

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import infer_schema
from assay.errors import DataContractError
from assay.specs.dataset import NO_TARGET, DatasetSpec

_ARROW = "__arrow_c_stream__"


def is_table(value: Any) -> bool:
    """Whether a value is a table of a user's code."""
    return isinstance(value, pa.Table) or (hasattr(value, _ARROW) and not isinstance(value, type))


def table_of(value: Any, *, where: str) -> pa.Table:
    """Return a value as a table; an index of pandas is no column.

    Raises:
        DataContractError: it is no table, or its columns cannot be Arrow's.
    """
    try:
        if _is_pandas(type(value)):
            return pa.Table.from_pandas(value, preserve_index=False).replace_schema_metadata()
        if is_table(value):
            return pa.table(value).replace_schema_metadata()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataContractError(
            "the columns of a table have types that Arrow does not know",
            where=where,
            found=str(error),
            remedy="give each column values of one type",
        ) from error
    raise DataContractError(
        "the value of an asset is no table",
        where=where,
        found=type(value).__name__,
        expected="a pyarrow table, a data frame of pandas or Polars, or a Dataset",
    )


def dataset_of(value: Any, *, where: str) -> Dataset:
    """Return a user's table as the platform stores it, with roles inferred from types and values.

    Raises:
        DataContractError: it is no table, or its columns cannot be Arrow's.
    """
    table = table_of(value, where=where)
    spec = DatasetSpec.model_construct(source="", target=NO_TARGET)
    return Dataset(table=table, schema=infer_schema(table, spec), fingerprint=fingerprint(table))


def stored_kind(kind: type[Any]) -> type[Any]:
    """Return the type under which a value is stored that a parameter asks for as another."""
    return Dataset if kind is pa.Table or _is_pandas(kind) else kind


def as_asked(value: Any, kind: type[Any]) -> Any:
    """Return a stored value in the type that a parameter asks for."""
    if kind is pa.Table:
        return value.table
    return value.table.to_pandas() if _is_pandas(kind) else value


def _is_pandas(kind: type[Any]) -> bool:
    # pandas is not imported for those who do not use it
    return getattr(kind, "__name__", "") == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"
