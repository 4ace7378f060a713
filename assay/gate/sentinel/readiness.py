"""Columns and classes from which little can be learned.

Identifiers, constants, tiny classes, too many categories, and moments later than the row itself.
"""

import datetime as dt
import re
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted, percent
from assay.data.feature_selection import unused_columns
from assay.data.frames import LARGEST_FEATURE, too_large
from assay.data.schema import IDENTIFIER_MIN_DISTINCT_SHARE
from assay.data.source_rows import wall_times
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Finding, Outcome, failing_rows, outcome
from assay.gate.report import shown
from assay.gate.sentinel.copies import correlated
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    Array,
    as_floats,
    checked_features,
    reported,
    role_of,
    sampled_rows,
    sentinel_check,
    values_of,
)
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

_VARY = "every feature varies; else give the column `role: ignored`, or list it in validation.sentinel.trusted"
_CLASSES = "every class is large enough; else bring more of its rows, or merge it with another"
_FINITE = f"numbers up to {LARGEST_FEATURE:.1e}; else correct them, make them missing, or give `role: ignored`"
_CATEGORIES = f"categories that repeat; {ADVICE}"
MIN_CATEGORIES = 50
"""This many categories are always accepted."""
_DATE_PART = re.compile(r"(?<![a-z])(year|quarter|month|week|day|date|hour|period|season|yr|mnth)", re.IGNORECASE)


@sentinel_check("features_finite", _FINITE, fewest=1)
def features_finite(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that every number of a feature is one that every model family takes; trusted features are no exception."""
    unused = unused_columns(table.schema, spec)
    findings: list[Finding] = []
    for name in table.names:
        if name in unused or name == spec.dataset.target or role_of(table, name) is not ColumnRole.NUMERIC:
            continue
        if table.kind(name) in {"integer", "float"} and (rows := too_large(as_floats(table.plain(name)))).size:
            infinite = "infinities, or numbers beyond 3.4e38"
            findings.append(failing_rows(table, (name,), rows, expected=_FINITE, found=infinite))
    return outcome(findings, observed="every number can be learned from", expected=_FINITE)


@sentinel_check("features_vary", _VARY)
def features_vary(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no feature is constant; missing values beside one value are a difference.

    Within one partition parts of its date are constant, so they are checked only without partitions.
    """
    partitioned = spec.dataset.partitions.by != "none"
    reasons = {}
    for name in checked_features(table, spec):
        column = table.plain(name)
        if table.missing(name) == table.rows:
            reasons[name] = "has no value in any row"
        elif _is_constant(column) and not (partitioned and _DATE_PART.search(name)):
            value = shown(column[0].as_py(), pii=table.is_pii(name))
            reasons[name] = f"is {value} in all {table.rows:,} rows"
    return reported(reasons, observed="every feature varies", expected=_VARY)


@sentinel_check("classes_large_enough", _CLASSES)
def classes_large_enough(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that each class has rows enough for both sides of a split."""
    target, fewest = spec.dataset.target, spec.validation.sentinel.min_class_members
    expected = f"at least {fewest} rows of each class; {_CLASSES}"
    values = table.series(target).dropna()
    counts = values.value_counts()
    counts = counts[counts > 0]
    findings: list[Finding] = []
    for label, count in counts[counts < fewest].items():
        rows = values.index[values == label].to_numpy(dtype=np.int64)
        found = f"class {shown(label, pii=table.is_pii(target))} has {counted(count, 'member')},"
        findings.append(failing_rows(table, (target,), rows, expected=expected, found=found))
    smallest = f"the smallest class has {counted(counts.min(), 'row')}" if len(counts) else "no row has a target"
    return outcome(findings, observed=smallest, expected=expected)


@sentinel_check("categories_few_enough", _CATEGORIES)
def categories_few_enough(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that categories repeat; columns that name rows are left to `no_identifier_features`."""
    limit = spec.validation.sentinel.max_category_share
    expected = f"at most {MIN_CATEGORIES} categories, or {100 * limit:g}% as many as rows; {ADVICE}"
    rows, reasons = sampled_rows(table), {}
    for name in checked_features(table, spec):
        if role_of(table, name) is not ColumnRole.CATEGORICAL or table.kind(name) not in {"string", "integer"}:
            continue
        share = distinct_share(table, name, rows)
        categories = round(share * (table.rows - table.missing(name)))
        if share > limit and categories > MIN_CATEGORIES and not naming(table, name, rows):
            reasons[name] = f"about {categories:,} categories in {table.rows:,} rows"
    return reported(reasons, observed="categories repeat", expected=expected)


def _is_constant(column: pa.ChunkedArray) -> bool:
    if column.null_count or pa.types.is_nested(column.type):
        return False
    # the first thousand rows decide for most columns
    return all(_one_value(part) for part in (column.slice(0, 1000), column))


def _one_value(column: pa.ChunkedArray) -> bool:
    found = pc.count_distinct(column, mode="only_valid").as_py()
    return bool(found == 1)


_FUTURE = f"no moment later than the data itself; {ADVICE}"
TOLERANCE = dt.timedelta(days=1)
"""Local times are written without a zone, and clocks differ."""
_PERIODS = {"hour": "h", "day": "D", "month": "M"}
_WEEK = 7
_HOUR_US = 3_600_000_000


@sentinel_check("no_future_timestamps", _FUTURE, fewest=0)
def no_future_timestamps(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Compare times with the as-of moment, and features with the end of their row's own period."""
    trusted = spec.validation.sentinel.trusted
    times = [name for name in table.names if table.kind(name) == "datetime" and name not in trusted]
    compared = [name for name in times if _matters(table, name, spec)]
    zone = spec.dataset.partitions.timezone
    found = [_later_than_now(table, name, zone) for name in compared]
    late = {finding.row.column for finding in found if finding is not None}
    found += [_later_than_row(table, name, spec) for name in compared if name not in late]
    findings = [finding for finding in found if finding is not None]
    seen = f"{counted(len(compared), 'column')} of times, none {_after(table)}"
    return outcome(findings, observed=seen if compared else "no column of times", expected=_FUTURE)


def _after(table: CheckedTable) -> str:
    return f"more than a day after {table.as_of.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _matters(table: CheckedTable, name: str, spec: PipelineSpec) -> bool:
    return name == spec.dataset.partitions.column or role_of(table, name) is not ColumnRole.IGNORED


def _later_than_now(table: CheckedTable, name: str, zone: str) -> Finding | None:
    limit = (table.as_of + TOLERANCE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    late = np.flatnonzero(_moments(table, name, zone) > np.datetime64(limit, "us"))
    found = f"moments {_after(table)}, as of which the data is checked,"
    return failing_rows(table, (name,), late, expected=_FUTURE, found=found) if late.size else None


def _later_than_row(table: CheckedTable, name: str, spec: PipelineSpec) -> Finding | None:
    column = spec.dataset.partitions.column
    if column is None or name == column or column not in table or table.kind(column) != "datetime":
        return None
    if name not in checked_features(table, spec):
        return None
    sentinel = spec.validation.sentinel
    delay = np.timedelta64(round(sentinel.future_delay_hours * _HOUR_US), "us")
    zone = spec.dataset.partitions.timezone
    ends = _period_ends(_moments(table, column, zone), spec)
    late = np.flatnonzero(_moments(table, name, zone) >= ends + delay)
    if late.size <= sentinel.max_future_share * table.rows:
        return None
    hours = sentinel.future_delay_hours
    later = f"{hours:g} {'hour' if hours == 1 else 'hours'} or more " if hours else ""
    found = f"moments {later}after the end of the {spec.dataset.partitions.by} of {column}"
    return failing_rows(table, (name,), late, expected=_FUTURE, found=found)


def _moments(table: CheckedTable, name: str, zone: str) -> Array:
    """Return datetime64[us] by the clock of the zone; NaT where missing, which never counts as later."""
    times = wall_times(table.plain(name), zone)
    return np.asarray(pc.cast(times, pa.timestamp("us"), safe=False).to_numpy()).astype("datetime64[us]")


def _period_ends(moments: Array, spec: PipelineSpec) -> Array:
    by = spec.dataset.partitions.by
    if by in _PERIODS:
        return np.asarray((moments.astype(f"datetime64[{_PERIODS[by]}]") + 1).astype("datetime64[us]"))
    days = moments.astype("datetime64[D]")
    # the latest end that a week of these days can have, whichever weekday it starts on
    return np.asarray((days + _WEEK).astype("datetime64[us]"))


def distinct_share(table: CheckedTable, name: str, rows: Array | None) -> float:
    """Return the number of different texts or whole numbers per present value, of a sample or of all rows.

    A sample repeats less than the whole. The pairs of equal values in it estimate how often each value occurs in the
    whole, as if all occurred equally often: right for values that repeat rarely, too low for the rest.

    Returns:
        The share; 0 where fewer than 50 values are there.
    """
    present = values_of(table, name, rows).drop_null()
    seen = len(present)
    if seen < MIN_ROWS:
        return 0.0
    sizes: Array = np.asarray(pc.value_counts(present).field("counts"), dtype=np.float64)
    if rows is None:
        return sizes.size / seen
    pairs = float((sizes * (sizes - 1)).sum()) / (seen * (seen - 1))
    return 1 / (1 + pairs * (table.rows - table.missing(name)))


_IDENTIFIERS = (
    "no feature names single rows; else give it `role: identifier`, or review it and list it in "
    "validation.sentinel.trusted"
)
MIN_DIFFERENT = 0.99
"""Share of different numbers from which they name rows, although some row is there twice."""
MIN_DENSITY = 0.5
"""Different whole numbers per number between the smallest and the largest, from which they are a count."""
MIN_STEADINESS = 0.99
"""Correlation of rising numbers with the row number from which they are a count; sorted measurements bend."""
MIN_CODE_SHARE = 0.1
"""Different values per row from which codes such as UUIDs name rows rather than categories."""
_CODE = r"^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$"
_MIN_CODES = 0.99
_LARGEST_WHOLE = 2.0**53


@sentinel_check("no_identifier_features", _IDENTIFIERS)
def no_identifier_features(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no feature counts or names the rows."""
    rows = sampled_rows(table)
    reasons = {name: naming(table, name, rows) for name in checked_features(table, spec)}
    return reported(reasons, observed="no feature names rows", expected=_IDENTIFIERS)


def naming(table: CheckedTable, name: str, rows: Array | None) -> str:
    """Return in which way a feature names rows; empty where it does not."""
    kind = table.kind(name)
    if kind == "string":
        return _naming_texts(table, name, rows)
    return _counting(table, name) if kind in {"integer", "float"} and not table.missing(name) else ""


def _counting(table: CheckedTable, name: str) -> str:
    values = as_floats(table.plain(name))
    # the first thousand rows decide for most columns
    head = values[:1000]
    if not _all_whole(head) or not _all_different(head) or not _all_whole(values):
        return ""
    span = float(values.max() - values.min()) + 1
    if values.size / span >= MIN_DENSITY:
        places = (values - values.min()).astype(np.int64)
        if np.count_nonzero(np.bincount(places)) >= MIN_DIFFERENT * values.size:
            return f"numbers the rows: {values.size:,} whole numbers in a range of {span:,.0f}"
    steps = np.diff(values)
    rising = bool(((steps >= 0).all() or (steps <= 0).all()) and np.count_nonzero(steps) >= MIN_DIFFERENT * steps.size)
    if rising and abs(correlated(values, np.arange(values.size, dtype=np.float64))) >= MIN_STEADINESS:
        return "numbers the rows: different whole numbers, steadily rising or falling from row to row"
    return ""


def _all_different(values: Array) -> bool:
    return bool(np.unique(values).size >= MIN_DIFFERENT * values.size)


def _all_whole(values: Array) -> bool:
    return bool((np.abs(values) <= _LARGEST_WHOLE).all() and (values == np.floor(values)).all())


def _naming_texts(table: CheckedTable, name: str, rows: Array | None) -> str:
    share = distinct_share(table, name, rows)
    if role_of(table, name) is ColumnRole.CATEGORICAL and share >= IDENTIFIER_MIN_DISTINCT_SHARE:
        return f"names the rows: {percent(share)} of its texts are different"
    if share >= MIN_CODE_SHARE and _are_codes(table.plain(name).slice(0, 1000)):
        return f"holds codes that name something: {percent(share)} of them are different"
    return ""


def _are_codes(texts: pa.ChunkedArray) -> bool:
    share = pc.mean(pc.match_substring_regex(texts, _CODE)).as_py()
    return share is not None and share >= _MIN_CODES
