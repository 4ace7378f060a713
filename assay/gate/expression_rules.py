"""The rules that are SQL expressions: those that every row keeps, and those that rows of a kind keep.

SQL expressions evaluated on the rows under judgement, by DuckDB in a connection that reaches nothing else.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataContractError
from assay.gate.judged_table import JudgedTable, missing_count
from assay.gate.outcome import (
    UNCONFIGURED,
    Finding,
    Outcome,
    broken,
    failing_column,
    failing_rows,
    not_judged,
    outcome,
)
from assay.gate.sql_parsing import Expression, locked_connection, parsed
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import duckdb


def truth_of(connection: "duckdb.DuckDBPyConnection", table: JudgedTable, expression: Expression) -> pa.ChunkedArray:
    """Evaluate an expression over rows.

    Args:
        connection: of `locked_connection`.
        table: the rows; every column that the expression names is there.
        expression: what to evaluate.

    Returns:
        One boolean for each row, in the table's order; null where SQL's answer is NULL.

    Raises:
        DataContractError: it gives no truth value, or columns differ by case alone.
        duckdb.Error: the types do not fit, or a value cannot be converted.
    """
    _refuse_twins(expression.columns)
    rows = {name: _without_nan(table.plain(name)) for name in expression.columns}
    # an expression of constants alone needs rows to be true of
    connection.register("judged", pa.table(rows or {"row": pa.nulls(table.rows)}))
    try:
        query = f"SELECT (\n{expression.sql}\n) FROM judged"  # noqa: S608 - the parser found one expression in it
        answer = connection.sql(query).to_arrow_table().column(0)
    finally:
        connection.unregister("judged")
    if pa.types.is_null(answer.type):  # columns without any value have no type, and so have their expressions
        return answer.cast(pa.bool_())
    if not pa.types.is_boolean(answer.type):
        raise DataContractError(
            "the expression is neither true nor false",
            where=expression.sql,
            found=f"type {answer.type}",
            expected="a boolean",
        )
    return answer


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # NaN is missing for every rule, and larger than every number for DuckDB
    if missing_count(column) == column.null_count:
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _refuse_twins(columns: tuple[str, ...]) -> None:
    # SQL's names do not tell upper from lower case: one column would silently stand for both
    twins = [name for name, count in Counter(name.lower() for name in columns).items() if count > 1]
    if twins:
        raise DataContractError(
            "two columns differ by upper and lower case alone, which SQL cannot tell apart",
            found=", ".join(name for name in columns if name.lower() == twins[0]),
            expected="a rule of your own (`validation.custom`) for these columns",
        )


if TYPE_CHECKING:
    import duckdb

_Failing: TypeAlias = Callable[..., pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class _Proposition:
    """What rows keep: SQL texts, and which rows fail given the truth of each."""

    name: str
    text: str
    parts: tuple[str, ...]
    failing: _Failing


def expressions_hold(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.expressions`: no row for which an expression is false; NULL is not judged."""
    expressions = spec.validation.expressions.items()
    return _judged(table, [_Proposition(name, f"{name}: {sql}", (sql,), pc.invert) for name, sql in expressions])


def conditions_hold(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.conditional`: where `when` is true `then` is, too; NULL is not true."""
    return _judged(
        table,
        [
            _Proposition(rule.then, f"where {rule.when}: {rule.then}", (rule.when, rule.then), _when_without_then)
            for rule in spec.validation.conditional
        ],
    )


def _when_without_then(when: pa.ChunkedArray, then: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.fill_null(when, False), pc.invert(pc.fill_null(then, False)))


def _judged(table: JudgedTable, propositions: list[_Proposition]) -> Outcome:
    if not propositions:
        return UNCONFIGURED
    with locked_connection() as connection:
        findings = [finding for one in propositions for finding in _findings(connection, table, one)]
    expected = "; ".join(one.text for one in propositions)
    return outcome(findings, observed=f"{len(propositions)} hold in every row", expected=expected)


def _findings(connection: "duckdb.DuckDBPyConnection", table: JudgedTable, one: _Proposition) -> list[Finding]:
    import duckdb

    try:
        parts = [parsed(connection, sql) for sql in one.parts]
        columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
        missing = [name for name in columns if name not in table]
        if missing:
            return [not_judged(table, name, expected=one.text) for name in missing]
        failing = one.failing(*[truth_of(connection, table, part) for part in parts])
    except DataContractError as refusal:  # its words are the pipeline file's, never the data's
        found = f"not judged: {refusal.what} ({refusal.found})"
        return [failing_column("", expected=one.text, found=found)]
    except duckdb.Error as error:
        return [broken(table, "", f"{type(error).__name__}: {error}", expected=one.text)]
    rows: np.ndarray[Any, Any] = np.flatnonzero(pc.fill_null(failing, False).to_numpy())
    found = f"{one.name} does not hold"
    return [failing_rows(table, columns, rows, expected=one.text, found=found)] if rows.size else []
