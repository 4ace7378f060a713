"""Tables in the dtypes that learning takes: one per role."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.contract import MODEL, arrow_type, converted
from assay.data.schema import ColumnSchema, TableSchema, require_column
from assay.errors import DataContractError, Location
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

if TYPE_CHECKING:
    import pandas as pd

    _Values = np.ndarray | pd.Series

LARGEST_FEATURE = float(np.finfo(np.float32).max)
"""Random forests and XGBoost compute in single precision, where a larger number is an infinity."""


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
        SchemaDriftError: a category's or text's dtype is not the features', and no lossless conversion gives it: the
            number 7 is not the code `7.00`.
        DataContractError: a column's values cannot be read in its role, or a number is infinite or beyond
            `LARGEST_FEATURE`.
    """
    import pandas as pd

    columns = {}
    for column in features.columns:
        values = _as_fitted(_column(table, column.name), column)
        try:
            columns[column.name] = _CONVERSIONS[column.role](values)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataContractError(
                f"column '{column.name}' cannot be read as {column.role}",
                where=column.name,
                found=f"{values.type}: {error}",
                remedy=f"give dataset.columns.{column.name}.role another role, or correct the values",
            ) from error
        if column.role is ColumnRole.NUMERIC:
            _require_learnable(columns[column.name], column)
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def target_series(table: pa.Table, name: str, task: Task) -> "pd.Series":
    """Convert the target column.

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


def too_large(numbers: np.ndarray) -> np.ndarray:
    """Return the positions of infinities and of numbers beyond `LARGEST_FEATURE`; missing values are neither."""
    return np.flatnonzero(np.abs(numbers) > LARGEST_FEATURE)


def _require_learnable(numbers: "_Values", column: ColumnSchema) -> None:
    rows = too_large(np.asarray(numbers))
    if rows.size:
        first = "a value of a personal column" if column.pii else f"{np.asarray(numbers)[rows[0]]:g}"
        raise DataContractError(
            f"feature '{column.name}' holds numbers that no model can learn from",
            location=Location(row=int(rows[0]) + 1, column=column.name),
            where=column.name,
            found=f"{first} in row {rows[0] + 1:,}; {rows.size:,} of {len(numbers):,} rows",
            expected=f"finite numbers up to {LARGEST_FEATURE:.1e}",
            remedy="correct the values, make them missing, or give the column `role: ignored`",
        )


def reads_alike(fitted: ColumnSchema, now: ColumnSchema) -> bool:
    """Return whether values of two columns of one role give the same texts, or are numbers."""
    return fitted.role not in _AS_TEXTS or fitted.dtype == now.dtype or "null" in {fitted.dtype, now.dtype}


def _as_fitted(values: pa.ChunkedArray, column: ColumnSchema) -> pa.ChunkedArray:
    """Return values that become texts in the dtype in which the model saw them; numbers do not depend on theirs."""
    values = decoded(values)
    if column.role not in _AS_TEXTS or column.dtype == "null" or arrow_type(column.dtype) is None:
        return values
    return converted(values, column, column.name, MODEL)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    require_column(table, name, where=name, remedy="bring the column back, or train a model without it")
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
    values = decoded(values)
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
    return np.asarray(decoded(values).cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _moments(values: pa.ChunkedArray) -> "pd.Series":
    import pandas as pd

    return pd.Series(decoded(values).cast(pa.timestamp("us"), safe=False).to_numpy().astype("datetime64[us]"))


def _texts(values: pa.ChunkedArray) -> "pd.Series":
    return _strings(pc.fill_null(_as_text(values), ""))


def _strings(values: pa.ChunkedArray) -> "pd.Series":
    import pandas as pd

    return pd.Series(np.asarray(_as_text(values).to_pandas(), dtype=object), dtype=object)


def _as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    values = decoded(values)
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values.cast(pa.string())


def decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values with dictionary encoding undone."""
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


_AS_TEXTS = frozenset({ColumnRole.CATEGORICAL, ColumnRole.TEXT})
_CONVERSIONS: "dict[ColumnRole, Callable[[pa.ChunkedArray], _Values]]" = {
    ColumnRole.NUMERIC: _floats,
    ColumnRole.BOOLEAN: _floats,
    ColumnRole.DATETIME: _moments,
    ColumnRole.CATEGORICAL: _strings,
    ColumnRole.TEXT: _texts,
}
