"""SQL expressions over a row: what they may contain, and their evaluation by DuckDB in a child process.

An expression computes with the values of a row only: its syntax tree and its functions are compared with lists of what
is allowed, so that an unforeseen construct, or a function of the clock, of chance or of the environment, is refused.
DuckDB's own limits do not bound a function such as `repeat` or `range`; those of the child process do.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

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
_FUNCTIONS = {
    "operators": """
        ! !__postfix !~~ !~~* % & && * ** + - ->> / // < <-> << <= <=> <@ = > >= >> @ @> ^ ^@ | || ~ ~~ ~~* ~~~ add
        subtract multiply divide mod xor nullif like_escape ilike_escape not_like_escape not_ilike_escape
    """,
    "numbers": """
        abs acos acosh asin asinh atan atan2 atanh binom bit_count cbrt ceil ceiling cos cosh cot degrees even exp
        factorial floor gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least
        least_common_multiple lgamma ln log log10 log2 nextafter pi pow power radians round round_even roundbankers
        sign signbit sin sinh sqrt tan tanh trunc
    """,
    "texts": """
        array_extract ascii bar base64 bin bit_length bit_position bitstring char_length character_length chr concat
        concat_ws contains damerau_levenshtein decode editdist3 encode ends_with format formatreadabledecimalsize
        formatreadablesize format_bytes from_base64 from_binary from_hex get_bit hamming hash hex instr jaccard
        jaro_similarity jaro_winkler_similarity lcase left left_grapheme len length length_grapheme levenshtein
        lower lpad ltrim md5 md5_number mismatches nfc_normalize octet_length ord overlay parse_dirname
        parse_dirpath parse_filename parse_formatted_bytes parse_path position prefix printf regexp_escape
        regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array
        repeat replace reverse right right_grapheme rpad rtrim set_bit sha1 sha256 split starts_with str_split
        str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos substr substring
        substring_grapheme suffix to_base to_base64 to_binary to_hex translate trim ucase unbin unhex unicode upper
        url_decode url_encode
    """,
    "times": """
        age century date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
        dayofmonth dayofweek dayofyear decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear julian
        last_day make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond
        millennium millisecond minute month monthname nanosecond normalized_interval quarter second strftime
        strptime time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours
        to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp
        to_weeks to_years try_strptime week weekday weekofyear year yearweek
    """,
    "lists and structures": """
        array_cat array_concat array_contains array_distinct array_has array_has_all array_has_any array_indexof
        array_intersect array_length array_position array_resize array_reverse_sort array_slice array_sort
        array_unique array_value cardinality element_at flatten generate_series list_cat list_concat list_contains
        list_distinct list_element list_extract list_has list_has_all list_has_any list_indexof list_intersect
        list_pack list_position list_resize list_reverse_sort list_slice list_sort list_unique list_value list_zip
        map map_contains map_entries map_extract map_extract_value map_from_entries map_keys map_values range row
        struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof struct_insert
        struct_keys struct_pack struct_position struct_values union_extract union_tag union_value
    """,
    "JSON": """
        array_to_json from_json from_json_strict json_array json_array_length json_contains json_exists json_extract
        json_extract_path json_extract_path_text json_extract_string json_keys json_merge_patch json_object
        json_pretty json_quote json_structure json_transform json_transform_strict json_type json_valid json_value
        row_to_json to_json typeof
    """,
}
ROW_FUNCTIONS = frozenset(name for group in _FUNCTIONS.values() for name in group.split())
"""The functions that an expression may use: equal values give equal answers on every machine, at any time."""
# with one argument it counts to the present
_FEWEST_ARGUMENTS = {"age": 2}
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


def locked_connection(**settings: str | int) -> "duckdb.DuckDBPyConnection":
    """Return a connection in memory that reaches no file, no network and no extension, for good.

    Args:
        settings: of DuckDB, in place of the defaults here.
    """
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": "2",
        "memory_limit": "2GB",
        **settings,
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    # not among the others: DuckDB applies those in any order, and without access takes no folder to spill to
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def parsed(connection: "duckdb.DuckDBPyConnection", sql: str) -> Expression:
    """Parse one expression, on a connection of `locked_connection`; nothing of the text is executed.

    Raises:
        DataContractError: it is no expression, or uses more than columns, constants and functions of them.
    """
    try:
        return checked(sql, expression_tree(connection, sql))
    except RecursionError:
        raise _refused(sql, "an expression that is nested too deeply") from None


def expression_tree(connection: "duckdb.DuckDBPyConnection", sql: str) -> dict[str, Any]:
    """Return the syntax tree of one expression, whatever it uses.

    Raises:
        DataContractError: it is no expression.
    """
    # brackets on lines of their own enclose a comment at the end and any further clause
    node = query_tree(connection, f"SELECT (\n{sql}\n)", sql)
    if not _is_one_expression(node):
        raise _refused(sql, "more than one expression")
    tree: dict[str, Any] = node["select_list"][0]
    return tree


def query_tree(connection: "duckdb.DuckDBPyConnection", query: str, sql: str) -> dict[str, Any]:
    """Return the syntax tree of one SELECT; `sql` is its text in errors.

    Raises:
        DataContractError: it does not parse, or is another statement.
    """
    [[answer]] = connection.execute("SELECT json_serialize_sql($1)", [query]).fetchall()
    tree = json.loads(answer)
    if tree["error"]:
        raise _refused(sql, tree["error_message"])
    node: dict[str, Any] = tree["statements"][0]["node"] if len(tree["statements"]) == 1 else {}
    return node


def checked(sql: str, tree: Any) -> Expression:
    """Return an expression of the values of one row alone.

    Raises:
        DataContractError: a part of the tree is anything else.
    """
    nodes = list(nodes_of(tree))
    for found in nodes:
        _refuse_foreign(sql, found)
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


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the expressions in a syntax tree, at any depth."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from nodes_of(branch)


def _refuse_foreign(sql: str, node: dict[str, Any]) -> None:
    kind = node["class"]
    if kind not in _ALLOWED:
        raise _refused(sql, _REFUSED.get(kind, kind.lower()))
    if kind == "COLUMN_REF" and len(node["column_names"]) != 1:
        raise _refused(sql, f"the path {'.'.join(node['column_names'])}; a column name with a dot is put in quotes")
    if kind == "FUNCTION" and not is_of_the_row(node):
        raise _refused(sql, f"the function {node['function_name']}, which is not one of a row's values alone")


def is_of_the_row(function: dict[str, Any]) -> bool:
    """Whether a call computes with the values of one row alone."""
    name = function["function_name"].lower()
    given = len(function["arguments"])
    return name in ROW_FUNCTIONS and given >= _FEWEST_ARGUMENTS.get(name, 0)


def _refused(sql: str, found: str) -> DataContractError:
    return DataContractError(
        "this is not a SQL expression over the columns",
        where=sql,
        found=found,
        expected="one expression of columns, constants, operators and functions of a row's values",
    )


def truth_of(connection: "duckdb.DuckDBPyConnection", rows: pa.Table, sql: str) -> pa.ChunkedArray:
    """Evaluate an expression over rows.

    Args:
        connection: of `locked_connection`.
        rows: a table with the columns that the expression names, NaN as null; any column where it names none.
        sql: the expression.

    Returns:
        One boolean for each row, in the table's order; null where SQL's answer is NULL.

    Raises:
        DataContractError: it gives no truth value, or columns differ by case alone.
        duckdb.Error: the types do not fit, or a value cannot be converted.
    """
    columns = parsed(connection, sql).columns
    _refuse_twins(columns)
    # an expression of constants alone still answers once per row
    connection.register("checked_rows", rows.select(list(columns) or rows.column_names[:1]))
    try:
        query = f"SELECT (\n{sql}\n) FROM checked_rows"  # noqa: S608 - the parser found one expression in it
        answer = connection.sql(query).to_arrow_table().column(0)
    finally:
        connection.unregister("checked_rows")
    if pa.types.is_null(answer.type):  # columns without any value have no type, and so have their expressions
        return answer.cast(pa.bool_())
    if not pa.types.is_boolean(answer.type):
        raise DataContractError(
            "the expression is neither true nor false",
            where=sql,
            found=f"type {answer.type}",
            expected="a boolean",
        )
    return answer


def _refuse_twins(columns: tuple[str, ...]) -> None:
    # names in SQL ignore case: one column would silently stand for both
    twins = [name for name, count in Counter(name.lower() for name in columns).items() if count > 1]
    if twins:
        raise DataContractError(
            "two columns differ by upper and lower case alone, which SQL ignores",
            found=", ".join(name for name in columns if name.lower() == twins[0]),
            expected="a rule of your own (`validation.custom`) for these columns",
        )


ROWS = "rows"
ANSWERS = "answers"


def evaluated(request: dict[str, Any]) -> dict[str, Any]:
    """Evaluate the expressions of a request, write the answers beside the rows, and return the error of each."""
    import duckdb

    folder = Path(request["folder"])
    truths: list[pa.ChunkedArray] = []
    errors: list[dict[str, str] | None] = []
    with pa.memory_map(str(folder / ROWS)) as source, locked_connection() as connection:
        table = pa.ipc.open_file(source).read_all()
        for sql in request["expressions"]:
            truth, error = pa.chunked_array([pa.nulls(table.num_rows, pa.bool_())]), None
            try:
                truth = truth_of(connection, table, sql)
            except DataContractError as refusal:
                error = {"refused": f"{refusal.what} ({refusal.found})"}
            except duckdb.OutOfMemoryException:
                return {"limit": "memory"}
            except duckdb.Error as failure:
                error = {"broken": type(failure).__name__, "text": str(failure)}
            truths.append(truth)
            errors.append(error)
        answers = pa.table(truths, names=[str(number) for number in range(len(truths))])
        with pa.ipc.new_file(folder / ANSWERS, answers.schema) as out:
            out.write_table(answers)
    return {"errors": errors}


def nan_as_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column whose NaN are null: missing for every rule, where DuckDB takes NaN for larger than all numbers.

    A column without NaN is returned itself.
    """
    if not pa.types.is_floating(column.type) or not pc.any(pc.is_nan(column)).as_py():
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


if __name__ == "__main__":
    from assay.reading.confined import serve

    serve(evaluated)
