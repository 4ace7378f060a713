"""The page: report and rows in, one self-contained HTML text out.

No network, no scripts, no file beside it: it opens wherever the data is kept, and in ten years.

The rows that plots are drawn from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from assay.data.schema import ColumnSchema, TableSchema
from assay.gate.judged_table import JudgedTable
from assay.gate.profile_page import drawing
from assay.gate.profile_page.columns import ColumnView, column_view
from assay.gate.profile_page.correlations import Correlations, correlations
from assay.gate.report import ColumnProfile, GateReport, RuleResult
from assay.specs.dataset import ColumnRole

if TYPE_CHECKING:
    from jinja2 import Template

MAX_COLUMNS = 200
MAX_FAILURES = 30
_MAX_MISSING_BARS = 40
_MAX_NAMES = 500


@dataclass(frozen=True, slots=True)
class _Page:
    """What the template fills in."""

    report: GateReport
    verdict: str
    judged_rules: Sequence[RuleResult]
    unconfigured: Sequence[RuleResult]
    views: Sequence[ColumnView]
    target: ColumnView | None
    places: Mapping[str, int]
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
    """Return the page of one judged partition; the same input gives the same text.

    At most 200 columns are described, drawn from at most 100,000 rows; the page says so where it leaves something out.

    Args:
        report: the gate's report on the rows.
        table: the judged rows.
        schema: role and pii mark of every column.
        show_values: whether values may be shown; those of pii columns never are.

    Returns:
        HTML in which all foreign text is escaped.
    """
    known = {column.name: column for column in schema.columns}
    columns = [_column_of(profile, known) for profile in report.profile]
    profiles = [
        _masked(profile, column, show_values=show_values)
        for profile, column in zip(report.profile, columns, strict=True)
    ]
    failing = _failing(report)
    detailed = _detailed(columns, set(failing))
    described = [columns[place] for place in detailed]
    rows = _sampled(table, described)
    views = [column_view(place, profiles[place], columns[place], rows, report.rows_judged) for place in detailed]
    missing = sorted((profile for profile in profiles if profile.missing), key=lambda profile: -profile.missing)
    page = _Page(
        report=report,
        verdict=_verdict(report),
        judged_rules=sorted((rule for rule in report.rules if rule.configured), key=_urgency),
        unconfigured=[rule for rule in report.rules if not rule.configured],
        views=views,
        target=next((view for view in views if view.is_target), None),
        places={view.profile.name: view.place for view in views},
        failing=failing,
        missing=missing[:_MAX_MISSING_BARS],
        columns_missing=len(missing),
        unlisted=[profiles[place] for place in sorted(set(range(len(profiles))) - set(detailed))],
        correlations=correlations(rows, described, show_values=show_values),
        sampled_rows=rows.rows,
        distinct_of_head=any(profile.distinct_is_approximate for profile in profiles),
    )
    return _template().render(page=page)


def _masked(profile: ColumnProfile, column: ColumnSchema, *, show_values: bool) -> ColumnProfile:
    """Return a profile without values, if they must not be shown."""
    if show_values and not profile.masked and not column.pii:
        return profile
    return profile.model_copy(update={"minimum": None, "maximum": None, "mean": None, "masked": True})


def _column_of(profile: ColumnProfile, known: Mapping[str, ColumnSchema]) -> ColumnSchema:
    # a column that the schema does not know may be anything, also personal
    unknown = ColumnSchema(name=profile.name, dtype=profile.dtype, role=ColumnRole.IGNORED, pii=True)
    return known.get(profile.name, unknown)


def _sampled(table: pa.Table, columns: Sequence[ColumnSchema]) -> JudgedTable:
    there = [column.name for column in columns if column.name in table.column_names]
    return JudgedTable(sampled(table.select(there)), TableSchema(version=1, columns=tuple(columns)))


def _detailed(columns: Sequence[ColumnSchema], failing: set[str]) -> list[int]:
    """Return the places of the columns to describe, in order: the target and failing ones before others."""
    ranked = sorted(
        range(len(columns)),
        key=lambda place: 0 if columns[place].reason == "target" else 1 if columns[place].name in failing else 2,
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


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("assay.gate.profile_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "readable": drawing.readable,
        "number": drawing.number,
        "percent": drawing.percent,
        "coefficient": drawing.coefficient,
    }
    environment.globals |= {"histogram_path": drawing.histogram_path, "heat": drawing.heat}
    return environment.get_template("page.html.j2")


SEED = 0
MAX_ROWS = 100_000


def sampled(table: pa.Table, max_rows: int = MAX_ROWS) -> pa.Table:
    """Return at most `max_rows` rows in their order, chosen at random without replacement, always the same ones."""
    if table.num_rows <= max_rows:
        return table
    chosen = np.zeros(table.num_rows, dtype=np.bool_)
    chosen[np.random.default_rng(SEED).choice(table.num_rows, max_rows, replace=False)] = True
    return table.filter(pa.array(chosen))
