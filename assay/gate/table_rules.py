"""The rules about the table as a whole: rows, columns, shares of missing values, age, and the target.

The target needs classes with members, or numbers that differ: a single class trains silently, and a class of one
member makes cross-validation NaN without an error.
"""

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.errors import did_you_mean
from assay.gate.checked_table import CheckedTable, awaits_labels
from assay.gate.outcome import (
    NO_ROWS,
    Finding,
    Outcome,
    checks,
    configured,
    failing_column,
    failing_rows,
    missing_column,
    outcome,
)
from assay.gate.report import MAX_EXAMPLES, FailureRow, shown
from assay.specs.pipeline import PipelineSpec, Task
from assay.specs.validation import FreshnessRule

if TYPE_CHECKING:
    import pandas as pd

_HOUR_US = 3_600_000_000


@checks("data_is_fresh")
def data_is_fresh(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.freshness` as of `table.as_of`; times without a zone are of the partitions' zone."""
    rule = configured(spec.validation.freshness)
    expected = f"newest at most {rule.max_age_hours:g} hours before {_minute(table.as_of)}, none {_future(rule)}"
    if rule.column not in table:
        findings, observed = [missing_column(table, rule.column, expected=expected)], ""
    elif table.kind(rule.column) not in {"datetime", "empty"}:
        found = f"not checked: {table.dtype(rule.column)} is no time"
        findings, observed = [failing_column(rule.column, expected=expected, found=found)], ""
    else:
        findings, observed = _aged(table, rule, spec.dataset.partitions.timezone, expected)
    return outcome(findings, observed=observed, expected=expected)


def _aged(table: CheckedTable, rule: FreshnessRule, zone: str, expected: str) -> tuple[list[Finding], str]:
    moments = _microseconds(table.plain(rule.column), zone)
    newest = pc.max(moments).as_py()
    if newest is None:
        return [failing_column(rule.column, expected=expected, found="no value")], ""
    as_of = int(table.as_of.timestamp() * 1_000_000)
    age = (as_of - newest) / _HOUR_US
    observed = f"newest {'***' if table.is_pii(rule.column) else _moment(newest)}, {age:,.1f} hours old"
    if age > rule.max_age_hours:
        return [failing_column(rule.column, expected=expected, found=observed)], ""
    late = pc.greater(moments, as_of + int(rule.max_future_hours * _HOUR_US))
    rows = np.flatnonzero(pc.fill_null(late, False).to_numpy())
    if not rows.size:
        return [], observed
    found = f"values {_future(rule)}"
    return [failing_rows(table, (rule.column,), rows, expected=expected, found=found)], ""


def _microseconds(column: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    own = getattr(column.type, "tz", None)
    times = column.cast(pa.timestamp("us", own), safe=False)
    if own is None and zone != "UTC":
        times = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="earliest")
    return times.cast(pa.int64())


def _future(rule: FreshnessRule) -> str:
    return f"more than {rule.max_future_hours:g} hours after it"


def _minute(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _moment(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("datetime64[m]")).replace("T", " ") + " UTC"


@checks("row_count_in_range")
def row_count_in_range(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.min_rows` and `validation.max_rows`."""
    low, high = spec.validation.min_rows, spec.validation.max_rows
    expected = f"at least {counted(low, 'row')}" + (f" and at most {high:,}" if high is not None else "")
    observed = counted(table.rows, "row")
    fits = low <= table.rows and (high is None or table.rows <= high)
    findings = [] if fits else [failing_column("", expected=expected, found=observed)]
    return outcome(findings, observed=observed, expected=expected)


@checks("columns_present")
def columns_present(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that every column exists that the pipeline file names."""
    needed = required_columns(spec)
    absent = [name for name in needed if name not in table]
    findings = [
        failing_column(name, expected="exists", found=f"does not exist{did_you_mean(name, table.names)}")
        for name in absent
    ]
    return outcome(findings, observed=f"all {len(needed)} exist", expected=f"columns {', '.join(needed)}")


def required_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """Return the columns that must exist: all that the pipeline names."""
    return tuple(dict.fromkeys(name for _, name in spec.named_columns))


@checks("missing_share_below_maximum")
def missing_share_below_maximum(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.max_missing`."""
    limit = spec.validation.max_missing
    limits = limit if isinstance(limit, dict) else dict.fromkeys(table.names, limit)
    findings = [finding for name, most in limits.items() if (finding := _missing(table, name, most)) is not None]
    expected = (
        f"at most {limit:.2%} in every column" if not isinstance(limit, dict) else "at most the share set by column"
    )
    return outcome(findings, observed="no column above its maximum", expected=expected)


def _missing(table: CheckedTable, name: str, most: float) -> Finding | None:
    expected = f"at most {most:.2%} missing"
    if name not in table:
        return missing_column(table, name, expected=expected)
    count = table.missing(name)
    share = count / table.rows if table.rows else 0.0
    if share <= most:
        return None
    row = FailureRow(column=name, expected=expected, found=f"{share:.2%} missing", count=count, share=share)
    return Finding(row, NO_ROWS)


_FEWEST_CLASSES = 2
_FEWEST_MEMBERS = 2
_INT64 = 2.0**63


@checks("target_learnable")
def target_learnable(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that the rows with a target can be learned from."""
    target, task = spec.dataset.target, spec.task
    expected = _EXPECTED[task]
    if target not in table:
        return outcome([missing_column(table, target, expected=expected)], observed="", expected=expected)
    if awaits_labels(table, spec):
        return outcome([], observed="no row has a target yet", expected=expected)
    if table.rows == table.missing(target):
        found = "no row has a target" if table.rows else "no rows"
        return outcome([failing_column(target, expected=expected, found=found)], observed="", expected=expected)
    return _classes(table, target, task) if task.is_classification else _numbers(table, target)


def _classes(table: CheckedTable, target: str, task: Task) -> Outcome:
    values = table.series(target).dropna()
    counts = values.value_counts()
    expected, findings = _EXPECTED[task], []
    if len(counts) < _FEWEST_CLASSES or (task is Task.BINARY and len(counts) != _FEWEST_CLASSES):
        findings.append(failing_column(target, expected=expected, found=_class_count(len(counts))))
    lonely = counts.index[counts < _FEWEST_MEMBERS]
    if len(lonely):
        positions = values.index[values.isin(lonely)].to_numpy(dtype=np.int64)
        found = f"classes with fewer than {_FEWEST_MEMBERS} members"
        findings.append(failing_rows(table, (target,), positions, expected=expected, found=found))
    findings += _fractions(table, target, values)
    pii = table.is_pii(target)
    listed = ", ".join(f"{shown(label, pii=pii)} {count:,}" for label, count in counts.head(MAX_EXAMPLES).items())
    return outcome(findings, observed=f"{_class_count(len(counts))}: {listed}", expected=expected)


def _fractions(table: CheckedTable, target: str, values: "pd.Series[Any]") -> list[Finding]:
    if table.kind(target) != "float":
        return []
    numbers = values.to_numpy(dtype=np.float64)
    whole = np.isfinite(numbers) & (np.abs(numbers) < _INT64) & (numbers == np.floor(numbers))
    positions = values.index.to_numpy(dtype=np.int64)[~whole]
    expected = "classes as text, true/false or whole numbers; else `task: regression`, or a class by `dataset.derive`"
    return [failing_rows(table, (target,), positions, expected=expected, found="fractions")] if positions.size else []


def _numbers(table: CheckedTable, target: str) -> Outcome:
    expected = _EXPECTED[Task.REGRESSION]
    findings: list[Finding] = []
    if table.kind(target) not in {"integer", "float"}:
        findings.append(failing_column(target, expected=expected, found=f"type {table.dtype(target)}"))
        return outcome(findings, observed="", expected=expected)
    values = table.series(target).dropna()
    numbers: np.ndarray[Any, Any] = values.to_numpy(dtype=np.float64)
    infinite = values.index.to_numpy(dtype=np.int64)[~np.isfinite(numbers)]
    if infinite.size:
        findings.append(failing_rows(table, (target,), infinite, expected=expected, found="infinite values"))
    if numbers.min() == numbers.max():
        findings.append(failing_column(target, expected=expected, found="all values are equal"))
    return outcome(findings, observed="finite numbers that differ", expected=expected)


def _class_count(count: int) -> str:
    return "1 class" if count == 1 else f"{count:,} classes"


_EXPECTED = {
    Task.BINARY: "exactly 2 classes, each with at least 2 members",
    Task.MULTICLASS: "at least 2 classes, each with at least 2 members",
    Task.REGRESSION: "finite numbers that are not all equal",
}
