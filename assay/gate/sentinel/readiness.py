"""Columns and classes from which little can be learned: constants, tiny classes, too many categories.

Moments that had not come yet when the row was to be judged.
"""

import datetime as dt
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.gate.judged_table import JudgedTable
from assay.gate.outcome import Finding, Outcome, failing_column, failing_rows, outcome
from assay.gate.report import shown
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    Array,
    judged_features,
    role_of,
    sampled_rows,
    sentinel_rule,
    too_few,
)
from assay.gate.sentinel.identifiers import distinct_share, naming
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

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


_EXPECTED = f"no moment later than the data itself; {ADVICE}"
TOLERANCE = dt.timedelta(days=1)
"""Local times are written without a zone, and clocks differ."""
_PERIODS = {"hour": "h", "day": "D", "month": "M"}
_WEEK = 7


@sentinel_rule(_EXPECTED)
def no_future_timestamps(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge times against the as-of moment, and features against the end of their row's own period."""
    trusted = spec.validation.sentinel.trusted
    times = [name for name in table.names if table.kind(name) == "datetime" and name not in trusted]
    judged = [name for name in times if _matters(table, name, spec)]
    found = [_later_than_now(table, name) for name in judged]
    late = {finding.row.column for finding in found if finding is not None}
    found += [_later_than_row(table, name, spec) for name in judged if name not in late]
    findings = [finding for finding in found if finding is not None]
    seen = f"{len(judged)} columns, none later than {table.as_of:%Y-%m-%d %H:%M}"
    return outcome(findings, observed=seen if judged else "no column of times", expected=_EXPECTED)


def _matters(table: JudgedTable, name: str, spec: PipelineSpec) -> bool:
    return name == spec.dataset.partitions.column or role_of(table, name) is not ColumnRole.IGNORED


def _later_than_now(table: JudgedTable, name: str) -> Finding | None:
    limit = (table.as_of + TOLERANCE).astimezone(dt.UTC).replace(tzinfo=None)
    late = np.flatnonzero(_moments(table, name) > np.datetime64(limit, "us"))
    found = f"moments after {table.as_of:%Y-%m-%d %H:%M}, as of which the data is judged,"
    return failing_rows(table, (name,), late, expected=_EXPECTED, found=found) if late.size else None


def _later_than_row(table: JudgedTable, name: str, spec: PipelineSpec) -> Finding | None:
    column = spec.dataset.partitions.column
    if column is None or name == column or column not in table or table.kind(column) != "datetime":
        return None
    if name not in judged_features(table, spec):
        return None
    late = np.flatnonzero(_moments(table, name) >= _period_ends(_moments(table, column), spec))
    found = f"moments after the end of the {spec.dataset.partitions.by} of {column}"
    return failing_rows(table, (name,), late, expected=_EXPECTED, found=found) if late.size else None


def _moments(table: JudgedTable, name: str) -> Array:
    """Return datetime64[us] in UTC; NaT where missing, which is later than nothing."""
    return np.asarray(pc.cast(table.plain(name), pa.timestamp("us"), safe=False).to_numpy()).astype("datetime64[us]")


def _period_ends(moments: Array, spec: PipelineSpec) -> Array:
    by = spec.dataset.partitions.by
    if by in _PERIODS:
        return np.asarray((moments.astype(f"datetime64[{_PERIODS[by]}]") + 1).astype("datetime64[us]"))
    days = moments.astype("datetime64[D]")
    # the latest end that a week of these days can have, whichever weekday it starts on
    return np.asarray((days + _WEEK).astype("datetime64[us]"))
