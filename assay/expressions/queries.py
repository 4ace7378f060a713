"""SQL that sees other rows: one aggregate, and one whole SELECT over named tables. Both are as confined as expressions.

What reads files, the clock or chance is on no list. Aggregates whose value depends on the order of rows, such as
`first`, are left out, as equal rows shall give equal answers.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.errors import DataContractError
from assay.expressions.language import (
    Expression,
    checked,
    expression_tree,
    is_of_the_row,
    nodes_of,
    query_tree,
)

if TYPE_CHECKING:
    import duckdb

_NAMES = """
    arg_max arg_min avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star covar_pop covar_samp
    entropy kurtosis mad max max_by mean median min min_by mode product quantile_cont quantile_disc regr_slope skewness
    stddev stddev_pop stddev_samp sum var_pop var_samp variance
"""
AGGREGATES = frozenset(_NAMES.split())
"""The aggregate functions that may be used."""
_RANKS = "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number"
_CALLS = {"FUNCTION": AGGREGATES, "WINDOW": AGGREGATES | frozenset(_RANKS.split())}
_KEYWORDS = """
    current_catalog current_database current_date current_role current_schema current_time current_timestamp
    current_user localtime localtimestamp session_user user
"""
_WITHOUT_BRACKETS = frozenset(_KEYWORDS.split())
"""Functions of the clock and of the session that are written like columns, which DuckDB takes for them if it can."""
_TABLES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST"})
_QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"})
_EXPRESSIONS = frozenset(
    {
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"),
        *("OPERATOR", "TYPE", "STAR", "SUBQUERY", "WINDOW", "DEFAULT"),
    }
)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed SELECT.

    Attributes:
        sql: its text.
        items: the columns that it lists: name (empty where it has none, `*` for a star) and the columns it names.
        keeps_rows: whether each of its rows is one of the first table's rows, as far as the syntax shows.
    """

    sql: str
    items: tuple[tuple[str, tuple[str, ...]], ...]
    keeps_rows: bool


def parsed_aggregate(connection: "duckdb.DuckDBPyConnection", sql: str) -> Expression:
    """Parse one call of an aggregate function over expressions of a row; nothing of the text is executed.

    Raises:
        DataContractError: it is anything else.
    """
    tree = expression_tree(connection, sql)
    name = str(tree.get("function_name", "")).lower()
    if tree["class"] != "FUNCTION" or name not in AGGREGATES:
        raise DataContractError(
            "this is not one aggregate of rows",
            where=sql,
            found=name or tree["class"].lower(),
            expected="one call such as count(*), sum(amount) or max(day); a later `derive` computes with the results",
        )
    # the filter and the order of a call are expressions of a row as well
    return checked(sql, [value for key, value in tree.items() if key != "class"])


def parsed_query(connection: "duckdb.DuckDBPyConnection", sql: str, tables: Sequence[str]) -> Query:
    """Parse one SELECT over named tables; nothing of the text is executed.

    Args:
        connection: of `locked_connection`.
        sql: the text.
        tables: the names that it may read, beside those of its own WITH.

    Raises:
        DataContractError: it is no SELECT, or reads anything else.
    """
    try:
        node = query_tree(connection, sql, sql)
    except DataContractError as error:
        raise _refused(sql, error.found, tables) from error
    if not node:
        raise _refused(sql, "more than one statement", tables)
    named = {name.lower() for name in tables} | {entry["key"].lower() for entry in _entries(node)}
    for found in _dicts(node):
        problem = _problem(found, named)
        if problem:
            raise _refused(sql, problem, tables)
    items = node.get("select_list") or []
    return Query(sql, tuple(map(_item, items)), _keeps_rows(node))


def numbered_query(connection: "duckdb.DuckDBPyConnection", sql: str, column: str) -> str:
    """Return a parsed SELECT with one more column of its rows."""
    [[answer]] = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()
    tree = json.loads(answer)
    tree["statements"][0]["node"]["select_list"].append(
        {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0, "column_names": [column]}
    )
    [[text]] = connection.execute("SELECT json_deserialize_sql($1::JSON)", [json.dumps(tree)]).fetchall()
    return str(text)


def _problem(found: dict[str, Any], tables: set[str]) -> str:
    """Return what a part of the tree is that may not be in it; empty where it may."""
    if "class" in found:
        return _problem_of_expression(found)
    kind = str(found.get("type", ""))
    if "from_table" in found or "setop_type" in found:
        return "a sample" if found.get("sample") else "" if kind in _QUERIES else kind.lower()
    if "query_location" not in found:
        return ""
    if kind not in _TABLES or found.get("sample"):
        return "a sample" if found.get("sample") else kind.lower().replace("_", " ")
    names = [found.get(part, "") for part in ("catalog_name", "schema_name", "table_name")]
    is_named = kind != "BASE_TABLE" or (not any(names[:2]) and names[2].lower() in tables)
    return "" if is_named else f"the table {'.'.join(filter(None, names))}"


def _problem_of_expression(found: dict[str, Any]) -> str:
    kind = found["class"]
    if kind not in _EXPRESSIONS:
        return str(kind).lower()
    names = found.get("column_names", [])
    if len(names) == 1 and names[0].lower() in _WITHOUT_BRACKETS:
        return f"{names[0]}, which may be the clock or the session; a column is written with its table, rows.{names[0]}"
    name = str(found.get("function_name", "")).lower()
    if kind not in _CALLS or name in _CALLS[kind] or (kind == "FUNCTION" and is_of_the_row(found)):
        return ""
    return f"the function {name}"


def _keeps_rows(node: dict[str, Any]) -> bool:
    """Return whether rows stay rows: no groups, no distinct rows, no union and no natural join, at any depth."""
    if node.get("type") != "SELECT_NODE" or node["group_expressions"]:
        return False
    for found in _dicts(node):
        kind = found.get("type")
        if isinstance(kind, str) and kind in {"DISTINCT_MODIFIER", "SET_OPERATION_NODE"}:
            return False
        if found.get("aggregate_handling", "STANDARD_HANDLING") != "STANDARD_HANDLING":
            return False
        if kind == "JOIN" and found.get("ref_type") == "NATURAL":
            return False
    return True


def _item(tree: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    if tree["class"] == "STAR":
        return "*", ()
    named = tuple(dict.fromkeys(each["column_names"][-1] for each in nodes_of(tree) if each["class"] == "COLUMN_REF"))
    return tree["alias"] or (named[0] if tree["class"] == "COLUMN_REF" else ""), named


def _entries(tree: Any) -> Iterator[dict[str, Any]]:
    for found in _dicts(tree):
        yield from found.get("cte_map", {}).get("map", [])


def _dicts(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _dicts(branch)


def _refused(sql: str, found: str, tables: Sequence[str]) -> DataContractError:
    return DataContractError(
        "this is not one SELECT over the rows",
        where=sql,
        found=found,
        expected=f"one SELECT over {', '.join(tables)} with functions of values, aggregates and windows",
    )
