"""SQL expressions as DuckDB's own parser sees them: one expression over columns, or a refusal.

An expression comes from a pipeline file. It may compute with the values of a row, and nothing else: the syntax tree is
held against a list of what is allowed, so that a construct nobody thought of is refused.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.errors import DataContractError

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
    # brackets on lines of their own: neither a comment at the end nor a further clause stands outside of them
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
    # one name may stand for several functions; the clock's and chance's are not consistent
    unfit = {name for name, kind, stability in known if kind == "aggregate" or stability not in {None, "CONSISTENT"}}
    return frozenset((scalar - unfit) | _ALLOWED_MACROS)


def _refused(sql: str, found: str) -> DataContractError:
    return DataContractError(
        "this is not a SQL expression over the columns",
        where=sql,
        found=found,
        expected="one expression of columns, constants, operators and functions of a row's values",
    )
