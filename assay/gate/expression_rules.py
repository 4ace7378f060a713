"""The rules that are SQL expressions: those that every row keeps, and those that rows of a kind keep.

DuckDB parses and evaluates them in a connection that reaches nothing else. An expression comes from a pipeline file
and may compute with the values of a row only: its syntax tree is compared with a list of what is allowed, so that an
unforeseen construct is refused.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataContractError
from assay.gate.checked_table import CheckedTable, missing_count
from assay.gate.outcome import (
    Finding,
    Outcome,
    broken,
    checks,
    failing_column,
    failing_rows,
    missing_column,
    outcome,
)
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import duckdb

_ALLOWED = frozenset(
    {
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "OPERATOR",
        "TYPE",
    }
)
# macros are SQL of their own; this one is a plain CASE
_ALLOWED_MACROS = frozenset({"nullif"})
_CLAUSES = ("modifiers", "where_clause", "group_expressions", "having", "sample", "qualify")
_REFUSED = {
    "LAMBDA": "a lambda",
    "PARAMETER": "a parameter",
    "STAR": "a star",
    "SUBQUERY": "a subquery",
    "WINDOW": "a window function",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes:
        sql: its text.
        columns: the columns it names, as they are written.
    """

    sql: str
    columns: tuple[str, ...]


def locked_connection() -> "duckdb.DuckDBPyConnection":
    """Return a connection in memory that reaches no file, no network and no extension, for good."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "threads": "2",
        "memory_limit": "2GB",
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def parsed(connection: "duckdb.DuckDBPyConnection", sql: str) -> Expression:
    """Parse one expression.

    Args:
        connection: of `locked_connection`; nothing is executed of the text.
        sql: the text.

    Raises:
        DataContractError: it is no expression, or uses more than columns, constants and functions of them.
    """
    # brackets on lines of their own enclose a comment at the end and any further clause
    [[answer]] = connection.execute("SELECT json_serialize_sql($1)", [f"SELECT (\n{sql}\n)"]).fetchall()
    tree = json.loads(answer)
    if tree["error"]:
        raise _refused(sql, tree["error_message"])
    node = tree["statements"][0]["node"] if len(tree["statements"]) == 1 else {}
    if not _is_one_expression(node):
        raise _refused(sql, "more than one expression")
    nodes = list(_nodes(node["select_list"]))
    for found in nodes:
        _refuse_foreign(sql, found, _row_functions())
    names = [found["column_names"][0] for found in nodes if found["class"] == "COLUMN_REF"]
    return Expression(sql, tuple(dict.fromkeys(names)))


def _is_one_expression(node: dict[str, Any]) -> bool:
    return (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and not node["cte_map"]["map"]
        and not any(node.get(clause) for clause in _CLAUSES)
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _refuse_foreign(sql: str, node: dict[str, Any], functions: frozenset[str]) -> None:
    kind = node["class"]
    if kind not in _ALLOWED:
        raise _refused(sql, _REFUSED.get(kind, kind.lower()))
    if kind == "COLUMN_REF" and len(node["column_names"]) != 1:
        raise _refused(sql, f"the path {'.'.join(node['column_names'])}; a column name with a dot is put in quotes")
    if kind == "FUNCTION" and node["function_name"].lower() not in functions:
        raise _refused(sql, f"the function {node['function_name']}, which is not one of a row's values alone")


@functools.cache
def _row_functions() -> frozenset[str]:
    with locked_connection() as connection:
        known = connection.execute("SELECT function_name, function_type, stability FROM duckdb_functions()").fetchall()
    scalar = {name for name, kind, _ in known if kind == "scalar"}
    # one name may stand for several functions; those of the clock and of chance are not consistent
    refused = {name for name, kind, stability in known if kind == "aggregate" or stability not in {None, "CONSISTENT"}}
    return frozenset((scalar - refused) | _ALLOWED_MACROS)


def _refused(sql: str, found: str) -> DataContractError:
    return DataContractError(
        "this is not a SQL expression over the columns",
        where=sql,
        found=found,
        expected="one expression of columns, constants, operators and functions of a row's values",
    )


def truth_of(connection: "duckdb.DuckDBPyConnection", table: CheckedTable, expression: Expression) -> pa.ChunkedArray:
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
    # an expression of constants alone still answers once per row
    connection.register("checked_rows", pa.table(rows or {"row": pa.nulls(table.rows)}))
    try:
        query = f"SELECT (\n{expression.sql}\n) FROM checked_rows"  # noqa: S608 - the parser found one expression in it
        answer = connection.sql(query).to_arrow_table().column(0)
    finally:
        connection.unregister("checked_rows")
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
    # names in SQL ignore case: one column would silently stand for both
    twins = [name for name, count in Counter(name.lower() for name in columns).items() if count > 1]
    if twins:
        raise DataContractError(
            "two columns differ by upper and lower case alone, which SQL ignores",
            found=", ".join(name for name in columns if name.lower() == twins[0]),
            expected="a rule of your own (`validation.custom`) for these columns",
        )


_Failing: TypeAlias = Callable[..., pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class _Proposition:
    """What rows keep: SQL texts, and which rows fail given the truth of each."""

    name: str
    text: str
    parts: tuple[str, ...]
    failing: _Failing


@checks("expressions_hold")
def expressions_hold(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.expressions`: no row for which an expression is false; NULL passes."""
    expressions = spec.validation.expressions.items()
    return _checked(table, [_Proposition(name, f"{name}: {sql}", (sql,), pc.invert) for name, sql in expressions])


@checks("conditions_hold")
def conditions_hold(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.conditional`: where `when` is true `then` is, too; NULL is not true."""
    return _checked(
        table,
        [
            _Proposition(rule.then, f"where {rule.when}: {rule.then}", (rule.when, rule.then), _when_without_then)
            for rule in spec.validation.conditional
        ],
    )


def _when_without_then(when: pa.ChunkedArray, then: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.fill_null(when, False), pc.invert(pc.fill_null(then, False)))


def _checked(table: CheckedTable, propositions: list[_Proposition]) -> Outcome:
    with locked_connection() as connection:
        findings = [finding for one in propositions for finding in _findings(connection, table, one)]
    expected = "; ".join(one.text for one in propositions)
    return outcome(findings, observed=f"{len(propositions)} hold in every row", expected=expected)


def _findings(connection: "duckdb.DuckDBPyConnection", table: CheckedTable, one: _Proposition) -> list[Finding]:
    import duckdb

    try:
        parts = [parsed(connection, sql) for sql in one.parts]
        columns = tuple(dict.fromkeys(name for part in parts for name in part.columns))
        missing = [name for name in columns if name not in table]
        if missing:
            return [missing_column(table, name, expected=one.text) for name in missing]
        failing = one.failing(*[truth_of(connection, table, part) for part in parts])
    except DataContractError as refusal:  # its text is the pipeline file's, never the data's
        found = f"not checked: {refusal.what} ({refusal.found})"
        return [failing_column("", expected=one.text, found=found)]
    except duckdb.Error as error:
        return [broken(table, "", f"{type(error).__name__}: {error}", expected=one.text)]
    rows: np.ndarray[Any, Any] = np.flatnonzero(pc.fill_null(failing, False).to_numpy())
    found = f"{one.name} does not hold"
    return [failing_rows(table, columns, rows, expected=one.text, found=found)] if rows.size else []
