"""Whether a target can be learned from: classes with members, or numbers that differ.

A single class trains silently, and a class of one member makes cross-validation NaN without an error.
Does not belong here: missing targets (`no_missing_target`).
"""

from typing import Any

import numpy as np

from assay.specs.pipeline import PipelineSpec, Task
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import (
    Finding,
    Outcome,
    failing_column,
    failing_rows,
    not_judged,
    outcome,
)
from assay.validation.values_shown import MAX_EXAMPLES, shown

_FEWEST_CLASSES = 2
_FEWEST_MEMBERS = 2


def target_learnable(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge the rows that have a target."""
    target, task = spec.dataset.target, spec.task
    expected = _EXPECTED[task]
    if target not in table:
        return outcome([not_judged(table, target, expected=expected)], observed="", expected=expected)
    if table.rows == table.missing(target):
        found = "no row has a target" if table.rows else "no rows"
        return outcome([failing_column(target, expected=expected, found=found)], observed="", expected=expected)
    return _classes(table, target, task) if task.is_classification else _numbers(table, target)


def _classes(table: JudgedTable, target: str, task: Task) -> Outcome:
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
    pii = table.is_pii(target)
    listed = ", ".join(f"{shown(label, pii=pii)} {count:,}" for label, count in counts.head(MAX_EXAMPLES).items())
    return outcome(findings, observed=f"{_class_count(len(counts))}: {listed}", expected=expected)


def _numbers(table: JudgedTable, target: str) -> Outcome:
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
