"""SQL expressions evaluated on the rows under judgement, by DuckDB in a connection that reaches nothing else.

Does not belong here: what may stand in an expression (`sql_parsing`), which rows it says fail (`expression_rules`).
"""

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataContractError
from assay.validation.judged_table import JudgedTable, missing_count
from assay.validation.sql_parsing import Expression

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
