"""The rule about the age of data: its newest value, as of the partition's end or the run's start.

Does not belong here: features that lie after the event they predict (the sentinel's).
"""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.specs.pipeline import PipelineSpec
from assay.specs.rule_settings import FreshnessRule
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import (
    UNCONFIGURED,
    Finding,
    Outcome,
    failing_column,
    failing_rows,
    not_judged,
    outcome,
)

_HOUR_US = 3_600_000_000


def data_is_fresh(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.freshness` as of `table.as_of`; naive timestamps and dates are taken as UTC."""
    rule = spec.validation.freshness
    if rule is None:
        return UNCONFIGURED
    expected = f"newest at most {rule.max_age_hours:g} hours before {_told(table.as_of)}, none {_future(rule)}"
    if rule.column not in table:
        findings, observed = [not_judged(table, rule.column, expected=expected)], ""
    elif table.kind(rule.column) not in {"datetime", "empty"}:
        found = f"not judged: {table.dtype(rule.column)} is no time"
        findings, observed = [failing_column(rule.column, expected=expected, found=found)], ""
    else:
        findings, observed = _aged(table, rule, expected)
    return outcome(findings, observed=observed, expected=expected)


def _aged(table: JudgedTable, rule: FreshnessRule, expected: str) -> tuple[list[Finding], str]:
    moments = _microseconds(table.plain(rule.column))
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


def _microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    zone = getattr(column.type, "tz", None)
    return column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())


def _future(rule: FreshnessRule) -> str:
    return f"more than {rule.max_future_hours:g} hours after it"


def _told(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _moment(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("datetime64[m]")).replace("T", " ") + " UTC"
