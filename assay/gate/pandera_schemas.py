"""The pandera schemas of the gate's rules, and the row numbers that fail them.

Each rule is a schema of its own, so that a failed check belongs to exactly one rule.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.specs.dataset import Scalar
from assay.specs.validation import DtypeName, RangeRule

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera

# pandera's own `unique=`, and checks without this bound, spell out every failing cell: minutes for a million failing
# rows; a check that keeps one failure case still answers for every row in its output
_ONE_CASE = 1


@dataclass(frozen=True, slots=True)
class Violation:
    """One failed check.

    Attributes:
        column: the column; empty for a check over several.
        check: name of the check.
        positions: int64 row numbers that fail; None when the column as a whole does.
        error: exception type and text when the check itself broke.
    """

    column: str
    check: str
    positions: "np.ndarray[Any, Any] | None"
    error: str = ""


def dtype_schema(dtypes: Mapping[str, DtypeName]) -> "pandera.DataFrameSchema":
    """Return a schema in which every column has its declared type."""
    import pandera.pandas as pandera

    return _schema(
        {
            name: [pandera.Check(functools.partial(_has_dtype, dtype=dtype), name="dtype")]
            for name, dtype in dtypes.items()
        }
    )


def not_null_schema(columns: Iterable[str]) -> "pandera.DataFrameSchema":
    """Return a schema in which no column has a missing value."""
    import pandera.pandas as pandera

    return pandera.DataFrameSchema({name: pandera.Column(nullable=False) for name in columns})


def range_schema(ranges: Mapping[str, RangeRule]) -> "pandera.DataFrameSchema":
    """Return a schema in which every value is finite and inside its bounds; missing values pass."""
    import pandera.pandas as pandera

    # one check instead of three, which passes missing values itself: pandera would copy the column without them
    return _schema(
        {
            name: [pandera.Check(_inside(rule), name="inside", ignore_na=False, n_failure_cases=_ONE_CASE)]
            for name, rule in ranges.items()
        }
    )


def allowed_schema(allowed: Mapping[str, Iterable[Scalar]]) -> "pandera.DataFrameSchema":
    """Return a schema in which every value is in its column's list; missing values pass."""
    import pandera.pandas as pandera

    return _schema(
        {name: [pandera.Check.isin(list(values), n_failure_cases=_ONE_CASE)] for name, values in allowed.items()}
    )


def unique_schema(key: tuple[str, ...]) -> "pandera.DataFrameSchema":
    """Return a schema in which a combination of columns occurs once; missing equals missing."""
    import pandera.pandas as pandera

    def occurs_once(frame: "pd.DataFrame") -> "pd.Series[bool]":
        return ~frame.duplicated(list(key), keep=False)

    check = pandera.Check(occurs_once, name="unique", ignore_na=False, n_failure_cases=_ONE_CASE)
    return pandera.DataFrameSchema(checks=[check])


def violations(frame: "pd.DataFrame", schema: "pandera.DataFrameSchema") -> tuple[Violation, ...]:
    """Run a schema lazily and return every failed check.

    Args:
        frame: columns to check, indexed by row number; not changed.
        schema: one of this module's schemas.

    Returns:
        One violation for each failed check; none when the frame passes.
    """
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    # pandera can be switched off from the environment, and would then let everything pass
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            schema.validate(frame, lazy=True, inplace=True)
        except SchemaErrors as errors:
            return tuple(_violation(error) for error in errors.schema_errors)
    return ()


def _schema(checks: "Mapping[str, list[pandera.Check]]") -> "pandera.DataFrameSchema":
    import pandera.pandas as pandera

    return pandera.DataFrameSchema(
        {name: pandera.Column(checks=wanted, nullable=True) for name, wanted in checks.items()}
    )


def _violation(error: Any) -> Violation:
    import pandas as pd

    column = str(error.column_name or "")
    check = getattr(error.check, "name", None) or str(error.check)
    if error.reason_code.name == "SERIES_CONTAINS_NULLS":
        return Violation(column, check, error.failure_cases["index"].to_numpy(dtype=np.int64))
    if error.reason_code.name != "DATAFRAME_CHECK":
        return Violation(column, check, None, error=f"{error.reason_code.name}: {error.failure_cases}")
    output = error.check_output
    if not isinstance(output, pd.Series):
        return Violation(column, check, None)
    failed = ~output.to_numpy(dtype=bool)
    return Violation(column, check, output.index.to_numpy(dtype=np.int64)[failed])


def _inside(rule: RangeRule) -> "Callable[[pd.Series[Any]], pd.Series[bool]]":
    import pandas as pd

    def inside(series: "pd.Series[Any]") -> "pd.Series[bool]":
        tests: list[Any] = [np.isfinite(series)] if pd.api.types.is_float_dtype(series.dtype) else []
        if rule.min is not None:
            tests.append(series > rule.min if rule.strict else series >= rule.min)
        if rule.max is not None:
            tests.append(series < rule.max if rule.strict else series <= rule.max)
        holds: pd.Series[bool] = (series.isna() | functools.reduce(operator.and_, tests)).astype(bool)
        return holds

    return inside


def _has_dtype(series: "pd.Series[Any]", dtype: str) -> bool:
    from pandas.api import types

    if dtype == "number":
        return types.is_integer_dtype(series.dtype) or types.is_float_dtype(series.dtype)
    if dtype == "string":
        return isinstance(series.dtype, types.CategoricalDtype)
    test = {
        "integer": types.is_integer_dtype,
        "float": types.is_float_dtype,
        "boolean": types.is_bool_dtype,
        "datetime": types.is_datetime64_any_dtype,
    }[dtype]
    return bool(test(series.dtype))
