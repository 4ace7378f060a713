"""Columns and classes from which little can be learned: constants, tiny classes, too many categories.

Does not belong here: what makes learning impossible (`learnability`).
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import Finding, Outcome, failing_column, failing_rows, outcome
from assay.validation.sentinel.distinctness import distinct_share
from assay.validation.sentinel.identifiers import naming
from assay.validation.sentinel.judged_features import (
    ADVICE,
    MIN_ROWS,
    judged_features,
    role_of,
    sampled_rows,
    sentinel_rule,
    too_few,
)
from assay.validation.values_shown import shown

_VARY = "every feature varies; else give it `role: ignored`, or list it in validation.sentinel.trusted"
_CLASSES = "every class is large enough; else bring more of its rows, or merge it with another"
_CATEGORIES = f"categories are few enough to repeat; {ADVICE}"
MIN_CATEGORIES = 50
"""So many categories are never too many."""
_DATE_PART = re.compile(r"(?<![a-z])(year|quarter|month|week|day|date|hour|period|season|yr|mnth)", re.IGNORECASE)


@sentinel_rule(_VARY)
def features_vary(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that no feature is constant; missing values beside one value are a difference.

    In one partition the date stands still, so its parts are judged only without partitions.
    """
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _VARY)
    partitioned = spec.dataset.partitions.by != "none"
    findings = []
    for name in judged_features(table, spec):
        column = table.plain(name)
        if table.missing(name) == table.rows:
            findings.append(failing_column(name, expected=_VARY, found="has no value in any row"))
        elif _is_constant(column) and not (partitioned and _DATE_PART.search(name)):
            value = shown(column[0].as_py(), pii=table.is_pii(name))
            findings.append(failing_column(name, expected=_VARY, found=f"is {value} in all {table.rows:,} rows"))
    return outcome(findings, observed="every feature varies", expected=_VARY)


@sentinel_rule(_CLASSES)
def classes_large_enough(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that each class has rows enough for both sides of a split."""
    if not spec.task.is_classification:
        return Outcome("not judged: the target is a number", _CLASSES)
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _CLASSES)
    target, fewest = spec.dataset.target, spec.validation.sentinel.min_class_members
    expected = f"at least {fewest} rows of each class; {_CLASSES}"
    values = table.series(target).dropna()
    counts = values.value_counts()
    counts = counts[counts > 0]
    findings: list[Finding] = []
    for label, count in counts[counts < fewest].items():
        rows = values.index[values == label].to_numpy(dtype=np.int64)
        found = f"class {shown(label, pii=table.is_pii(target))} has {count} members,"
        findings.append(failing_rows(table, (target,), rows, expected=expected, found=found))
    smallest = f"the smallest class has {counts.min():,} rows" if len(counts) else "no row has a target"
    return outcome(findings, observed=smallest, expected=expected)


@sentinel_rule(_CATEGORIES)
def categories_few_enough(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that categories repeat; what names rows is another rule's matter."""
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _CATEGORIES)
    limit = spec.validation.sentinel.max_category_share
    expected = f"at most {limit:.0%} of the rows, or {MIN_CATEGORIES}, have a category of their own; {_CATEGORIES}"
    rows = sampled_rows(table)
    findings = []
    for name in judged_features(table, spec):
        if role_of(table, name) is not ColumnRole.CATEGORICAL or table.kind(name) not in {"string", "integer"}:
            continue
        share = distinct_share(table, name, rows)
        categories = round(share * (table.rows - table.missing(name)))
        if share > limit and categories > MIN_CATEGORIES and not naming(table, name, rows):
            found = f"about {categories:,} categories in {table.rows:,} rows"
            findings.append(failing_column(name, expected=expected, found=found))
    return outcome(findings, observed="categories repeat", expected=expected)


def _is_constant(column: pa.ChunkedArray) -> bool:
    if column.null_count or pa.types.is_nested(column.type):
        return False
    # a look at the first thousand spares most columns the rest
    return all(_one_value(part) for part in (column.slice(0, 1000), column))


def _one_value(column: pa.ChunkedArray) -> bool:
    found = pc.count_distinct(column, mode="only_valid").as_py()
    return bool(found == 1)
