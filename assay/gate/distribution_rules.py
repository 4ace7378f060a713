"""The rule that columns are distributed as in data that passed before."""

from typing import TYPE_CHECKING, Any

import numpy as np

from assay.counting import counted
from assay.gate.checked_table import CheckedTable
from assay.gate.distribution_tests import Difference, categories_differ, discoveries, numbers_differ
from assay.gate.outcome import Finding, Outcome, checks, configured, failing_column, missing_column, outcome
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

NO_REFERENCE = "no reference yet"
_COMPARED_ROLES = frozenset({ColumnRole.NUMERIC, ColumnRole.BOOLEAN, ColumnRole.CATEGORICAL})
_COUNTED = frozenset({"string", "boolean"})
_NUMBERS = frozenset({"integer", "float"})
# more rows find no larger differences, only smaller ones
_SAMPLED_ROWS = 200_000
_SEED = 0


@checks("distributions_as_reference")
def distributions_as_reference(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.distributions`: a column fails if its difference is both significant and large.

    Significance alone finds irrelevant differences in large data, and a bound on the difference alone alarms at the
    noise of small data. Missing values are not compared; `max_missing` bounds them.
    """
    rule = configured(spec.validation.distributions)
    expected = f"distance at most {rule.max_effect:g}, or not significant at a false discovery rate of "
    expected += f"{rule.false_discovery_rate:.2g}"
    reference = table.reference
    if reference is None:
        return Outcome(NO_REFERENCE, expected)
    names = _comparable(table, reference) if rule.columns == "auto" else list(dict.fromkeys(rule.columns))
    findings = [finding for name in names for finding in _incomparable(table, reference, name, expected)]
    incomparable = {finding.row.column for finding in findings}
    compared = {name: _difference(table, reference, name) for name in names if name not in incomparable}
    significant = discoveries([found.p_value for found in compared.values()], rule.false_discovery_rate)
    findings += [
        failing_column(name, expected=expected, found=str(found))
        for (name, found), discovered in zip(compared.items(), significant, strict=True)
        if discovered and found.effect > rule.max_effect
    ]
    return outcome(findings, observed=f"{counted(len(compared), 'column')} as in the reference", expected=expected)


def _comparable(table: CheckedTable, reference: CheckedTable) -> list[str]:
    """Return the columns of `auto`: those that the reference has, too."""
    roles = {column.name: column.role for column in table.schema.columns}
    return [
        name
        for name in table.names
        if name in reference and roles.get(name) in _COMPARED_ROLES and not _mismatch(table, reference, name)
    ]


def _incomparable(table: CheckedTable, reference: CheckedTable, name: str, expected: str) -> list[Finding]:
    if name not in table:
        return [missing_column(table, name, expected=expected)]
    if name not in reference:
        return [failing_column(name, expected=expected, found="not checked: the reference has no such column")]
    mismatch = _mismatch(table, reference, name)
    return [failing_column(name, expected=expected, found=f"not checked: {mismatch}")] if mismatch else []


def _mismatch(table: CheckedTable, reference: CheckedTable, name: str) -> str:
    """Return the reason of incompatibility of two columns; empty when they can be compared."""
    kinds = {table.kind(name), reference.kind(name)} - {"empty"}
    if kinds <= _NUMBERS or kinds <= {"string"} or kinds <= {"boolean"}:
        return ""
    return f"{table.dtype(name)} cannot be compared with {reference.dtype(name)} of the reference"


def _difference(table: CheckedTable, reference: CheckedTable, name: str) -> Difference:
    ours, theirs = _sampled(table, name), _sampled(reference, name)
    if not (len(ours) and len(theirs)):
        return Difference(statistic="nothing to compare", effect=0.0, p_value=1.0)
    counted = {table.kind(name), reference.kind(name)} & _COUNTED
    if counted or _is_category(table, name):
        return categories_differ(ours.value_counts(), theirs.value_counts())
    return numbers_differ(ours.to_numpy(dtype=np.float64), theirs.to_numpy(dtype=np.float64))


def _is_category(table: CheckedTable, name: str) -> bool:
    return any(column.role is ColumnRole.CATEGORICAL for column in table.schema.columns if column.name == name)


def _sampled(table: CheckedTable, name: str) -> "pd.Series[Any]":
    series = table.series(name)
    if table.rows > _SAMPLED_ROWS:
        chosen = np.random.default_rng(_SEED).choice(table.rows, _SAMPLED_ROWS, replace=False)
        series = series.iloc[np.sort(chosen)]
    return series.dropna()
