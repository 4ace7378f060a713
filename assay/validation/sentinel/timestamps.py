"""Moments that had not come yet when the row was to be judged.

Does not belong here: the age of the newest row (`freshness`).
"""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import Finding, Outcome, failing_rows, outcome
from assay.validation.sentinel.judged_features import ADVICE, Array, judged_features, role_of, sentinel_rule

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
