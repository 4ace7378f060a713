"""Tables as learning takes them: one dtype per role."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import TableSchema
from assay.errors import DataContractError, MissingColumnError, did_you_mean
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

if TYPE_CHECKING:
    import pandas as pd

    _Values = np.ndarray | pd.Series


def feature_frame(table: pa.Table, features: TableSchema) -> "pd.DataFrame":
    """Convert the feature columns of a table, whatever dtypes the table has.

    Args:
        table: any table that has the columns; others are left out.
        features: names and roles, in the order of the result.

    Returns:
        Shape (rows, features). Numeric and boolean columns are float64 with NaN, datetimes `datetime64[us]` in UTC
        with NaT, categories object of str with None, texts object of str with "" where missing.

    Raises:
        MissingColumnError: the table lacks a feature.
        DataContractError: a column's values cannot be read in its role.
    """
    import pandas as pd

    columns = {}
    for column in features.columns:
        values = _column(table, column.name)
        try:
            columns[column.name] = _CONVERSIONS[column.role](values)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataContractError(
                f"column '{column.name}' cannot be read as {column.role}",
                where=column.name,
                found=f"{values.type}: {error}",
                remedy=f"give dataset.columns.{column.name}.role another role, or mend the values",
            ) from error
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def target_series(table: pa.Table, name: str, task: Task) -> "pd.Series":
    """Convert the target column.

    Args:
        table: the rows.
        name: the target.
        task: what is predicted.

    Returns:
        Labels as they are (object of str, bool or int64) for classification, float64 for regression.

    Raises:
        MissingColumnError: the table has no such column.
        DataContractError: a value is missing, or is no class or no finite number.
    """
    import pandas as pd

    values = _column(table, name)
    _require_present(values, name)
    return pd.Series(_labels(values, name) if task.is_classification else _numbers(values, name), name=name)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise MissingColumnError(
            f"the table has no column '{name}'{did_you_mean(name, table.column_names)}",
            where=name,
            found=", ".join(table.column_names),
            remedy="bring the column back, or train a model without it",
        )
    return table.column(name)


def _require_present(values: pa.ChunkedArray, name: str) -> None:
    missing = values.null_count
    if pa.types.is_floating(values.type):
        missing = pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0
    if missing:
        raise DataContractError(
            "the target is missing in some rows",
            where=name,
            found=f"{missing} of {len(values)} rows",
            expected="a target in every row",
            remedy="materialise validated_dataset again: its gate sets such rows aside",
        )


def _labels(values: pa.ChunkedArray, name: str) -> np.ndarray:
    values = _decoded(values)
    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return np.asarray(values.cast(pa.bool_() if pa.types.is_boolean(kind) else pa.int64()).to_numpy())
    if pa.types.is_floating(kind):
        try:
            return np.asarray(values.cast(pa.int64()).to_numpy())
        except pa.ArrowInvalid as error:
            raise DataContractError(
                "a class label is a fraction",
                where=name,
                found=str(error),
                expected="text, true/false or whole numbers",
                remedy="use task: regression, or derive a class from the number with dataset.derive",
            ) from error
    return np.asarray(values.cast(pa.string()).to_pandas(), dtype=object)


def _numbers(values: pa.ChunkedArray, name: str) -> np.ndarray:
    try:
        numbers = _floats(values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataContractError(
            "the target of a regression is not numeric", where=name, found=f"{values.type}: {error}"
        ) from error
    if not np.isfinite(numbers).all():
        raise DataContractError("the target holds an infinite value", where=name, expected="finite numbers")
    return numbers


def _floats(values: pa.ChunkedArray) -> np.ndarray:
    # whole numbers beyond 2**53 lose their last digits as a float64 feature; that is no reason to refuse them
    return np.asarray(_decoded(values).cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _moments(values: pa.ChunkedArray) -> "pd.Series":
    import pandas as pd

    return pd.Series(_decoded(values).cast(pa.timestamp("us"), safe=False).to_numpy().astype("datetime64[us]"))


def _categories(values: pa.ChunkedArray) -> "pd.Series":
    return _strings(values)


def _texts(values: pa.ChunkedArray) -> "pd.Series":
    return _strings(values.fill_null("") if pa.types.is_string(values.type) else pc.fill_null(_as_text(values), ""))


def _strings(values: pa.ChunkedArray) -> "pd.Series":
    import pandas as pd

    return pd.Series(np.asarray(_as_text(values).to_pandas(), dtype=object), dtype=object)


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    values = _decoded(values)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values.cast(pa.string())


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


_CONVERSIONS: "dict[ColumnRole, Callable[[pa.ChunkedArray], _Values]]" = {
    ColumnRole.NUMERIC: _floats,
    ColumnRole.BOOLEAN: _floats,
    ColumnRole.DATETIME: _moments,
    ColumnRole.CATEGORICAL: _categories,
    ColumnRole.TEXT: _texts,
}
