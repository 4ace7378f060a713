"""The rules that pandera checks: types, missing values, keys, bounds and allowed values."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from assay.gate.checked_table import CheckedTable, ColumnKind
from assay.gate.outcome import (
    Finding,
    Outcome,
    broken,
    checks,
    failing_column,
    failing_rows,
    missing_column,
    outcome,
    union_of,
)
from assay.gate.pandera_schemas import (
    Violation,
    allowed_schema,
    dtype_schema,
    not_null_schema,
    range_schema,
    unique_schema,
    violations,
)
from assay.gate.report import shown
from assay.specs.dataset import Scalar
from assay.specs.pipeline import PipelineSpec
from assay.specs.validation import RangeRule

if TYPE_CHECKING:
    import pandera.pandas as pandera

_MAX_LISTED = 10
_NUMBERS = ("integer", "float")


@checks("dtypes_as_declared")
def dtypes_as_declared(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.dtypes`."""
    declared = spec.validation.dtypes
    present, findings = _present(table, declared, lambda name: f"type {declared[name]}")
    schema = dtype_schema({name: declared[name] for name in present})
    for violation in violations(table.frame(present), schema):
        name = violation.column
        findings.append(failing_column(name, expected=f"type {declared[name]}", found=f"type {table.dtype(name)}"))
    return outcome(findings, observed="all types as declared", expected=f"declared types of {_listed(declared)}")


@checks("no_missing_target")
def no_missing_target(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that every row has a target."""
    target = spec.dataset.target
    return _not_null(table, (target,), f"no missing value in {target}")


@checks("columns_not_null")
def columns_not_null(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.not_null`."""
    columns = tuple(dict.fromkeys(spec.validation.not_null))
    return _not_null(table, columns, f"no missing value in {_listed(columns)}")


@checks("values_in_range")
def values_in_range(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.ranges`; infinite values fail every range."""
    ranges = spec.validation.ranges
    present, findings = _present(table, ranges, lambda name: _bounds(ranges[name]))
    numeric = [name for name in present if table.kind(name) in _NUMBERS]
    findings += [
        failing_column(name, expected=_bounds(ranges[name]), found=f"not checked: {table.dtype(name)} is no number")
        for name in present
        if name not in numeric and table.kind(name) != "empty"
    ]
    schema = range_schema({name: ranges[name] for name in numeric})
    findings += _by_column(table, numeric, schema, lambda name: (_bounds(ranges[name]), "values outside"))
    return outcome(findings, observed="all values inside", expected=f"values inside the bounds of {_listed(ranges)}")


@checks("values_allowed")
def values_allowed(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.allowed`; numbers compare as numbers, strings as strings."""
    allowed = spec.validation.allowed

    def expected(name: str) -> str:
        if table.is_pii(name):
            return f"one of {len(allowed[name])} allowed values"
        return f"one of {_listed(shown(value, pii=False) for value in allowed[name])}"

    present, findings = _present(table, allowed, expected)
    # a column without any value, and so without a type, has nothing to check
    present = [name for name in present if table.kind(name) != "empty"]
    for name in present:
        foreign = [value for value in allowed[name] if not _comparable(value, table.kind(name))]
        if foreign:
            findings.append(failing_column(name, expected=expected(name), found=_mismatch(table, name, foreign)))
    comparable = {name: _as_kind(allowed[name], table.kind(name)) for name in present}
    schema = allowed_schema(comparable)
    findings += _by_column(table, present, schema, lambda name: (expected(name), "other values"))
    return outcome(findings, observed="all values allowed", expected=f"allowed values in {_listed(allowed)}")


@checks("rows_unique_by_key")
def rows_unique_by_key(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.unique`, one key after the other."""
    findings: list[Finding] = []
    for key in (tuple(dict.fromkeys(key)) for key in spec.validation.unique):
        proposition = "unique"
        missing = [name for name in key if name not in table]
        findings += [missing_column(table, name, expected=f"part of the key ({', '.join(key)})") for name in missing]
        if not missing:
            for violation in violations(table.frame(key), unique_schema(key)):
                findings.append(_finding(table, key, violation, proposition, "rows that share a key"))
    keys = "; ".join(", ".join(key) for key in spec.validation.unique)
    return outcome(findings, observed="every key occurs once", expected=f"unique: {keys}")


def _not_null(table: CheckedTable, columns: tuple[str, ...], expected: str) -> Outcome:
    present, findings = _present(table, columns, lambda _: "no missing value")
    schema = not_null_schema(present)
    findings += _by_column(table, present, schema, lambda _: ("no missing value", "missing values"))
    return outcome(findings, observed="no missing value", expected=expected)


def _present(
    table: CheckedTable, names: Iterable[str], expected: Callable[[str], str]
) -> tuple[list[str], list[Finding]]:
    names = list(names)
    absent = [missing_column(table, name, expected=expected(name)) for name in names if name not in table]
    return [name for name in names if name in table], absent


def _by_column(
    table: CheckedTable,
    columns: list[str],
    schema: "pandera.DataFrameSchema",
    wording: Callable[[str], tuple[str, str]],
) -> list[Finding]:
    by_column: dict[str, list[Violation]] = {}
    for violation in violations(table.frame(columns), schema):
        by_column.setdefault(violation.column, []).append(violation)
    return [_finding(table, (name,), _merged(found), *wording(name)) for name, found in by_column.items()]


def _merged(found: list[Violation]) -> Violation:
    unlocated = next((violation for violation in found if violation.positions is None), None)
    if unlocated is not None:
        return unlocated
    rows = union_of([violation.positions for violation in found if violation.positions is not None])
    return Violation(found[0].column, found[0].check, rows)


def _finding(table: CheckedTable, columns: tuple[str, ...], violation: Violation, expected: str, found: str) -> Finding:
    if violation.positions is None:
        return broken(table, ", ".join(columns), violation.error or violation.check, expected=expected)
    return failing_rows(table, columns, violation.positions, expected=expected, found=found)


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


def _as_kind(values: tuple[Scalar, ...], kind: ColumnKind) -> list[Scalar]:
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
