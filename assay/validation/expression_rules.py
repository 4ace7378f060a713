"""The rules that are SQL expressions: those that every row keeps, and those that rows of a kind keep.

Does not belong here: the parser and the engine (`sql_parsing`, `sql_evaluation`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import DataContractError
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import (
    UNCONFIGURED,
    Finding,
    Outcome,
    broken,
    failing_column,
    failing_rows,
    not_judged,
    outcome,
)
from assay.validation.sql_evaluation import truth_of
from assay.validation.sql_parsing import locked_connection, parsed

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
