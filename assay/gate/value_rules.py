"""The rules about single values that Arrow checks: patterns of texts, finite numbers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Finding, Outcome, checks, failing_column, failing_rows, missing_column, outcome
from assay.specs.pipeline import PipelineSpec
from assay.specs.validation import whole_value


@checks("values_match_pattern")
def values_match_pattern(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.matches`: whole values, by RE2, each distinct one once."""
    patterns = spec.validation.matches
    findings = [finding for name, pattern in patterns.items() for finding in _unmatched(table, name, pattern)]
    expected = "; ".join(f"{name} matches {pattern}" for name, pattern in patterns.items())
    return outcome(findings, observed="all values match", expected=expected)


@checks("values_finite")
def values_finite(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.finite`: neither infinity nor NaN stored as a value; null is neither."""
    chosen = spec.validation.finite
    floats = [name for name in table.names if pa.types.is_floating(table.plain(name).type)]
    names = list(dict.fromkeys(chosen)) if isinstance(chosen, tuple) else floats
    findings = [finding for name in names for finding in _infinite(table, name)]
    return outcome(findings, observed="all numbers finite", expected=f"finite numbers in {len(names)} columns")


def _unmatched(table: CheckedTable, name: str, pattern: str) -> list[Finding]:
    expected = f"matches {pattern}"
    if name not in table:
        return [missing_column(table, name, expected=expected)]
    if table.kind(name) == "empty":
        return []
    if table.kind(name) != "string":
        return [failing_column(name, expected=expected, found=f"not checked: {table.dtype(name)} is no text")]
    values = table.series(name).cat
    distinct = pa.array(values.categories.to_numpy(dtype=object), type=pa.large_string())
    matches = pc.match_substring_regex(distinct, pattern=whole_value(pattern)).to_numpy(zero_copy_only=False)
    # the code of a missing value is -1, and so the last entry's
    wrong = np.append(~matches.astype(bool), False)
    rows = np.flatnonzero(wrong[values.codes.to_numpy()])
    return _rows(table, name, rows, expected, "other values")


def _infinite(table: CheckedTable, name: str) -> list[Finding]:
    expected = "finite numbers"
    if name not in table:
        return [missing_column(table, name, expected=expected)]
    column = table.plain(name)
    if not pa.types.is_floating(column.type):  # integers, booleans and decimals are finite; so is what is no number
        return []
    finite = pc.fill_null(pc.is_finite(column), True)
    # one bit per row is far cheaper than positions that almost no column has
    if pc.all(finite).as_py() is not False:
        return []
    return _rows(table, name, np.flatnonzero(~finite.to_numpy()), expected, "infinite or NaN")


def _rows(table: CheckedTable, name: str, rows: "np.ndarray[Any, Any]", expected: str, found: str) -> list[Finding]:
    return [failing_rows(table, (name,), rows, expected=expected, found=found)] if rows.size else []
