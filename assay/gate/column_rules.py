"""The rules about values: types, missing and allowed ones, keys, bounds, patterns, and finite numbers."""

import functools
import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.gate.checked_table import CheckedTable, ColumnKind, awaits_labels
from assay.gate.outcome import Finding, Outcome, checks, failing_column, failing_rows, missing_column, outcome
from assay.gate.report import shown
from assay.specs.dataset import Scalar
from assay.specs.pipeline import PipelineSpec
from assay.specs.validation import RangeRule, whole_value

if TYPE_CHECKING:
    import pandas as pd

_MAX_LISTED = 10
_NUMBERS = ("integer", "float")


@checks("dtypes_as_declared")
def dtypes_as_declared(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.dtypes`."""
    declared = spec.validation.dtypes
    present, findings = _present(table, declared, lambda name: f"type {declared[name]}")
    for name in present:
        if table.kind(name) not in (_NUMBERS if declared[name] == "number" else (declared[name],)):
            found = f"type {table.dtype(name)}"
            findings.append(failing_column(name, expected=f"type {declared[name]}", found=found))
    return outcome(findings, observed="all types as declared", expected=f"declared types of {_listed(declared)}")


@checks("no_missing_target")
def no_missing_target(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that every row has a target, or with `monitoring.label_delay` that every row or none has."""
    target = spec.dataset.target
    if awaits_labels(table, spec):
        return outcome([], observed="no row has a target yet", expected="a target in every row, which may come later")
    return _not_null(table, (target,), f"no missing value in {target}")


@checks("columns_not_null")
def columns_not_null(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.not_null`."""
    columns = tuple(dict.fromkeys(spec.validation.not_null))
    return _not_null(table, columns, f"no missing value in {_listed(columns)}")


def _not_null(table: CheckedTable, columns: tuple[str, ...], proposition: str) -> Outcome:
    expected = "no missing value"
    present, findings = _present(table, columns, lambda _: expected)
    for name in present:
        if table.missing(name):
            rows = np.flatnonzero(table.series(name).isna())
            findings += _failing(table, (name,), rows, expected, "missing values")
    return outcome(findings, observed=expected, expected=proposition)


@checks("values_in_range")
def values_in_range(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.ranges`; infinite values fail every range."""
    ranges = spec.validation.ranges
    present, findings = _present(table, ranges, lambda name: _bounds(ranges[name]))
    for name in present:
        expected = _bounds(ranges[name])
        if table.kind(name) in _NUMBERS:
            findings += _failing(table, (name,), _outside(table, name, ranges[name]), expected, "values outside")
        elif table.kind(name) != "empty":
            found = f"not checked: {table.dtype(name)} is no number"
            findings.append(failing_column(name, expected=expected, found=found))
    expected = "; ".join(f"{name} {_bounds(rule)}" for name, rule in ranges.items())
    return outcome(findings, observed="all values inside", expected=expected)


def _outside(table: CheckedTable, name: str, rule: RangeRule) -> "np.ndarray[Any, Any]":
    """Return the rows whose value is infinite or beyond a bound; missing values pass."""
    values = table.series(name)
    tests: list[Any] = [np.isinf(values)] if table.kind(name) == "float" else []
    if rule.min is not None:
        tests.append(values <= rule.min if rule.strict else values < rule.min)
    if rule.max is not None:
        tests.append(values >= rule.max if rule.strict else values > rule.max)
    outside: pd.Series[Any] = functools.reduce(operator.or_, tests)
    return np.flatnonzero(outside.fillna(value=False).to_numpy(dtype=bool))


@checks("values_allowed")
def values_allowed(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.allowed`; numbers compare as numbers, strings as strings."""
    allowed = spec.validation.allowed

    def expected(name: str) -> str:
        if table.is_pii(name):
            return f"one of {len(allowed[name])} allowed values"
        return f"one of {_listed(shown(value, pii=False) for value in allowed[name])}"

    present, findings = _present(table, allowed, expected)
    for name in present:
        kind = table.kind(name)
        if kind == "empty":  # without any value, and so without a type: there is nothing to check
            continue
        foreign = [value for value in allowed[name] if not _comparable(value, kind)]
        if foreign:
            findings.append(failing_column(name, expected=expected(name), found=_mismatch(table, name, foreign)))
        values, known = table.series(name), _as_kind(allowed[name], kind)
        other = values.notna() & ~values.isin(known) if known else values.notna()
        findings += _failing(table, (name,), np.flatnonzero(other), expected(name), "other values")
    every = "; ".join(f"{name} {expected(name)}" for name in allowed)
    return outcome(findings, observed="all values allowed", expected=every)


@checks("rows_unique_by_key")
def rows_unique_by_key(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.unique`, one key after the other; missing equals missing."""
    findings: list[Finding] = []
    for key in (tuple(dict.fromkeys(key)) for key in spec.validation.unique):
        present, missing = _present(table, key, lambda _, key=key: f"part of the key ({', '.join(key)})")  # type: ignore[misc]
        findings += missing
        if len(present) == len(key):
            repeated = np.flatnonzero(table.frame(key).duplicated(keep=False))
            findings += _failing(table, key, repeated, "unique", "rows that share a key")
    keys = "; ".join(", ".join(key) for key in spec.validation.unique)
    return outcome(findings, observed="every key occurs once", expected=f"unique: {keys}")


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
    return outcome(
        findings, observed="all numbers finite", expected=f"finite numbers in {counted(len(names), 'column')}"
    )


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
    return _failing(table, (name,), rows, expected, "other values")


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
    return _failing(table, (name,), np.flatnonzero(~finite.to_numpy()), expected, "infinite or NaN")


def _present(
    table: CheckedTable, names: Iterable[str], expected: Callable[[str], str]
) -> tuple[list[str], list[Finding]]:
    names = list(names)
    absent = [missing_column(table, name, expected=expected(name)) for name in names if name not in table]
    return [name for name in names if name in table], absent


def _failing(
    table: CheckedTable, columns: tuple[str, ...], rows: "np.ndarray[Any, Any]", expected: str, found: str
) -> list[Finding]:
    return [failing_rows(table, columns, rows, expected=expected, found=found)] if rows.size else []


def _bounds(rule: RangeRule) -> str:
    below, above = ("above", "below") if rule.strict else ("at least", "at most")
    parts = [
        f"{below} {rule.min:.15g}" if rule.min is not None else "",
        f"{above} {rule.max:.15g}" if rule.max is not None else "",
    ]
    return " and ".join(part for part in parts if part)


def _comparable(value: Scalar, kind: ColumnKind) -> bool:
    if kind in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    return kind == "string" and isinstance(value, str)


def _as_kind(values: Iterable[Scalar], kind: ColumnKind) -> list[Scalar]:
    fitting = [value for value in values if _comparable(value, kind)]
    if kind != "integer":
        return fitting
    # whole numbers stay integers: a float in the list would make the comparison lossy above 2**53
    return [int(value) for value in fitting if float(value).is_integer()]


def _mismatch(table: CheckedTable, name: str, foreign: list[Scalar]) -> str:
    listed = _listed(shown(value, pii=table.is_pii(name)) for value in foreign)
    return (
        f"the column is {table.dtype(name)}, which never equals {listed} of the pipeline file: write values of its type"
    )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
