"""The page: report and rows in, one self-contained HTML text out.

No network, no scripts, no further file: it opens wherever it is stored, also in ten years.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import ColumnSchema, TableSchema
from assay.gate.checked_table import CheckedTable
from assay.gate.profile_page.columns import (
    ColumnView,
    coefficient,
    column_view,
    heat,
    histogram_path,
    number,
    percent,
    readable,
)
from assay.gate.report import ColumnProfile, GateReport, RuleResult, shown
from assay.html_pages import rendered
from assay.specs.dataset import ColumnRole

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 200
MAX_ROWS = 100_000
SEED = 0
_MAX_CORRELATED = 30
_FEWEST_ROWS = 10
MAX_FAILURES = 30
_MAX_MISSING_BARS = 40
_MAX_NAMES = 500


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's coefficient of every pair.

    Attributes:
        names: the columns, the target first if it can be compared.
        rows: coefficients between -1 and 1, as many rows as names; None where undefined.
        left_out: numeric columns that were left out to keep the matrix readable.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class _Page:
    """What the template fills in."""

    report: GateReport
    verdict: str
    configured_rules: Sequence[RuleResult]
    unconfigured: Sequence[RuleResult]
    views: Sequence[ColumnView]
    target: ColumnView | None
    indices: Mapping[str, int]
    failing: Mapping[str, Sequence[RuleResult]]
    missing: Sequence[ColumnProfile]
    columns_missing: int
    unlisted: Sequence[ColumnProfile]
    correlations: Correlations | None
    sampled_rows: int
    distinct_of_head: bool
    max_failures: int = MAX_FAILURES
    max_names: int = _MAX_NAMES


def to_html(report: GateReport, table: pa.Table, schema: TableSchema, *, show_values: bool = True) -> str:
    """Return the page of one checked partition as HTML, all foreign text escaped; the same input gives the same text.

    At most 200 columns are described, drawn from at most 100,000 rows; the page says what it leaves out.
    """
    known = {column.name: column for column in schema.columns}
    columns = [_column_of(profile, known) for profile in report.profile]
    profiles = [
        _masked(profile, column, show_values=show_values)
        for profile, column in zip(report.profile, columns, strict=True)
    ]
    failing = _failing(report)
    detailed = _detailed(columns, set(failing))
    described = [columns[index] for index in detailed]
    rows = _sampled(table, described)
    views = [column_view(index, profiles[index], columns[index], rows, report.rows_judged) for index in detailed]
    missing = sorted((profile for profile in profiles if profile.missing), key=lambda profile: -profile.missing)
    page = _Page(
        report=report,
        verdict=_verdict(report),
        configured_rules=sorted((rule for rule in report.rules if rule.configured), key=_urgency),
        unconfigured=[rule for rule in report.rules if not rule.configured],
        views=views,
        target=next((view for view in views if view.is_target), None),
        indices={view.profile.name: view.index for view in views},
        failing=failing,
        missing=missing[:_MAX_MISSING_BARS],
        columns_missing=len(missing),
        unlisted=[profiles[index] for index in sorted(set(range(len(profiles))) - set(detailed))],
        correlations=correlations(rows, described, show_values=show_values),
        sampled_rows=rows.rows,
        distinct_of_head=any(profile.distinct_is_approximate for profile in profiles),
    )
    return rendered("assay.gate.profile_page", "page.html.j2", _FUNCTIONS, page=page)


def _masked(profile: ColumnProfile, column: ColumnSchema, *, show_values: bool) -> ColumnProfile:
    """Return a profile without values, if they must not be shown."""
    if show_values and not profile.masked and not column.pii:
        return profile
    return profile.model_copy(update={"minimum": None, "maximum": None, "mean": None, "masked": True})


def _column_of(profile: ColumnProfile, known: Mapping[str, ColumnSchema]) -> ColumnSchema:
    # a column that the schema does not know may be anything, also personal
    unknown = ColumnSchema(name=profile.name, dtype=profile.dtype, role=ColumnRole.IGNORED, pii=True)
    return known.get(profile.name, unknown)


def _sampled(table: pa.Table, columns: Sequence[ColumnSchema]) -> CheckedTable:
    there = [column.name for column in columns if column.name in table.column_names]
    return CheckedTable(sampled(table.select(there)), TableSchema(version=1, columns=tuple(columns)))


def _detailed(columns: Sequence[ColumnSchema], failing: set[str]) -> list[int]:
    """Return the indices of the columns to describe, in order: the target and failing ones before others."""
    ranked = sorted(
        range(len(columns)),
        key=lambda index: 0 if columns[index].reason == "target" else 1 if columns[index].name in failing else 2,
    )
    return sorted(ranked[:MAX_COLUMNS])


def _failing(report: GateReport) -> dict[str, list[RuleResult]]:
    """Return the rules that failed for each column."""
    failing: dict[str, list[RuleResult]] = {}
    for rule in report.rules:
        for column in {failure.column for failure in rule.failures}:
            failing.setdefault(column, []).append(rule)
    return failing


def _verdict(report: GateReport) -> str:
    if not report.passed:
        return "rejected"
    return "warned" if report.warned_rules else "passed"


def _urgency(rule: RuleResult) -> int:
    return 2 if rule.passed else 0 if rule.severity == "ERROR" else 1


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "readable": readable,
    "number": number,
    "percent": percent,
    "coefficient": coefficient,
    "histogram_path": histogram_path,
    "heat": heat,
}


def sampled(table: pa.Table, max_rows: int = MAX_ROWS) -> pa.Table:
    """Return at most `max_rows` rows in their order, chosen at random without replacement, always the same ones."""
    if table.num_rows <= max_rows:
        return table
    chosen = np.zeros(table.num_rows, dtype=np.bool_)
    chosen[np.random.default_rng(SEED).choice(table.num_rows, max_rows, replace=False)] = True
    return table.filter(pa.array(chosen))


def correlations(table: CheckedTable, columns: Sequence[ColumnSchema], *, show_values: bool) -> Correlations | None:
    """Return the correlations of numeric columns, over the rows in which both are finite.

    Columns marked pii and constant ones are left out. A target with two values counts as 0 and 1. Of more
    than 30 columns those that correlate most with the target are kept; without such a target, the first.
    """
    import pandas as pd

    usable = [column for column in columns if not column.pii and column.name in table]
    target = next((column.name for column in usable if column.reason == "target"), None)
    frame = pd.DataFrame(
        {
            column.name: numbers
            for column in usable
            if column.reason != "target"
            and column.role is ColumnRole.NUMERIC
            and (numbers := _numbers(table, column.name)) is not None
        }
    )
    compared = _target(table, target, show_values=show_values) if target else None
    kept = _kept(frame, compared[1] if compared else None)
    shown_frame = frame[kept]
    if compared:
        shown_frame = shown_frame.set_axis([f"c{index}" for index in range(len(kept))], axis=1)
        shown_frame.insert(0, "target", compared[1])
    names = ([compared[0]] if compared else []) + [readable(name, 40) for name in kept]
    if len(names) < 2:  # noqa: PLR2004 - a pair
        return None
    matrix = shown_frame.corr(min_periods=_FEWEST_ROWS).to_numpy()
    rows = tuple(tuple(_coefficient(value) for value in row) for row in matrix)
    return Correlations(tuple(names), rows, frame.shape[1] - len(kept))


def _kept(frame: "pd.DataFrame", target: "pd.Series[float] | None") -> list[str]:
    names = list(frame.columns)
    if len(names) < _MAX_CORRELATED or target is None:
        return names[:_MAX_CORRELATED]
    with np.errstate(divide="ignore", invalid="ignore"):  # constant where the target is known
        strength = frame.corrwith(target).abs().fillna(-1.0).to_numpy()
    best = sorted(np.argsort(-strength, kind="stable")[: _MAX_CORRELATED - 1])
    return [names[index] for index in best]


def _numbers(table: CheckedTable, name: str) -> "pd.Series[float] | None":
    import pandas as pd

    if table.kind(name) not in {"integer", "float", "boolean"}:
        return None
    values = table.plain(name).cast(pa.float64(), safe=False).to_numpy()
    finite = np.where(np.isfinite(values), values, np.nan)
    there = finite[np.isfinite(finite)]
    if not there.size or there.min() == there.max():
        return None
    # the coefficient is the same, and the squares of huge numbers do not overflow
    return pd.Series(finite / np.abs(there).max())


def _target(table: CheckedTable, name: str, *, show_values: bool) -> "tuple[str, pd.Series[float]] | None":
    import pandas as pd

    label = f"{readable(name, 40)} (target"
    values = table.plain(name)
    if table.kind(name) not in {"string", "boolean", "integer"} or pc.count_distinct(values).as_py() != 2:  # noqa: PLR2004 - classes
        numbers = _numbers(table, name)
        return None if numbers is None else (f"{label})", numbers)
    second = sorted(pc.unique(values.drop_null()).to_pylist())[1]
    second_class = f", 1 is {readable(shown(second, pii=False), 20)}" if show_values else ""
    series = pc.equal(values, pa.scalar(second, values.type)).cast(pa.float64()).to_numpy()
    return f"{label}{second_class})", pd.Series(series)


def _coefficient(value: float) -> float | None:
    return min(1.0, max(-1.0, float(value))) if math.isfinite(value) else None
