"""Rules of the user's own, named by import path: functions, and a pandera schema."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.counting import counted
from assay.errors import DataContractError
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Finding, Outcome, checks, configured, failing_column, failing_rows, outcome
from assay.importing import import_users_object
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera

_WHERE = "validation.pandera_schema"


@checks("custom_rules_hold")
def custom_rules_hold(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.custom`: each function sees all rows and answers for each, or once for all.

    A function gets a `pandas.DataFrame` (texts as categories) and returns booleans, one per row or a single one. A
    missing value passes.
    """
    findings = []
    for name, path in spec.validation.custom.items():
        rule = import_users_object(path, where=f"validation.custom.{name}")
        answer = rule(table.frame(table.names))
        finding = _finding(table, name, (rule.__doc__ or f"{name} holds").strip().splitlines()[0], answer)
        findings += [finding] if finding is not None else []
    names = ", ".join(spec.validation.custom)
    holding = counted(len(spec.validation.custom), "rule holds", "rules hold")
    return outcome(findings, observed=holding, expected=names)


def _finding(table: CheckedTable, name: str, proposition: str, answer: Any) -> Finding | None:
    import pandas as pd

    if isinstance(answer, bool | np.bool_):
        return None if answer else failing_column("", expected=proposition, found=f"{name} does not hold")
    holds = pd.array(np.asarray(answer, dtype=object), dtype="boolean")
    if len(holds) != table.rows:
        raise DataContractError(
            f"the rule '{name}' answered for another number of rows",
            found=f"{len(holds)} answers",
            expected=f"one boolean, or {table.rows}",
        )
    broken = np.flatnonzero(~holds.fillna(value=True).to_numpy(dtype=bool))
    if not broken.size:
        return None
    return failing_rows(table, (), broken, expected=proposition, found=f"{name} does not hold")


@checks("pandera_schema_holds")
def pandera_schema_holds(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.pandera_schema`, lazily, so that every failure is reported.

    The schema sees texts as `object` columns, or as categories where it asks for them, and integers with missing
    values as `Int64`. Coercing and parsing do not change the rows that are published.
    """
    path = configured(spec.validation.pandera_schema)
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    schema = _schema(path)
    findings: list[Finding] = []
    # pandera can be switched off from the environment, and would then let everything pass
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            schema.validate(_frame(table, schema), lazy=True)
        except SchemaErrors as errors:
            findings = [_schema_finding(table, error) for error in errors.schema_errors]
    return outcome(findings, observed=f"{path} holds", expected=path)


def _schema(path: str) -> "pandera.DataFrameSchema":
    import pandera.pandas as pandera

    found = import_users_object(path, where=_WHERE)
    if isinstance(found, type) and issubclass(found, pandera.DataFrameModel):
        return found.to_schema()
    if isinstance(found, pandera.DataFrameSchema):
        return found
    raise DataContractError(
        "this is no pandera schema for pandas",
        where=_WHERE,
        found=f"{path}, a {type(found).__name__}",
        expected="a pandera.pandas DataFrameSchema, or a subclass of its DataFrameModel",
    )


def _frame(table: CheckedTable, schema: "pandera.DataFrameSchema") -> "pd.DataFrame":
    import pandas as pd

    frame = table.frame(table.names)
    texts = [name for name in table.names if isinstance(frame[name].dtype, pd.CategoricalDtype)]
    categories = {name for name, column in schema.columns.items() if str(column.dtype) == "category"}
    return frame.astype({name: object for name in texts if name not in categories})


def _schema_finding(table: CheckedTable, error: Any) -> Finding:
    column = str(error.column_name) if error.column_name in table.names else ""
    check = getattr(error.check, "error", None) or getattr(error.check, "name", None) or str(error.check)
    expected = str(check)
    reason = _reason(error)
    # a type is the column's, although pandera may report it for every row
    positions = None if reason == "wrong datatype" else next((rows for rows in _positions(error) if rows.size), None)
    if positions is not None:
        found = "other values" if reason == "dataframe check" else reason
        return failing_rows(table, (column,) if column else (), positions, expected=expected, found=found)
    # pandera's sentence may quote values
    found = reason if table.holds_pii else f"{reason}: {str(error).splitlines()[0]}"
    return failing_column(column, expected=expected, found=found)


def _positions(error: Any) -> "Iterator[np.ndarray[Any, Any]]":
    """Yield the int64 numbers of failing rows, from every place where pandera may keep them."""
    import pandas as pd

    output = error.check_output
    if isinstance(output, pd.DataFrame):
        output = output.all(axis=1)
    if isinstance(output, pd.Series) and pd.api.types.is_bool_dtype(output.dtype):
        yield output.index[~output.to_numpy(dtype=bool)].to_numpy(dtype=np.int64)
    cases = error.failure_cases
    if isinstance(cases, pd.DataFrame) and "index" in cases and pd.api.types.is_numeric_dtype(cases["index"]):
        yield np.unique(cases["index"].dropna().to_numpy(dtype=np.int64))


def _reason(error: Any) -> str:
    return str(error.reason_code.name).lower().replace("_", " ")
