"""The gate's report: every rule's result and the judged columns' profile, as JSON and for people.

Values as a reader may see them: short, on one line, and never of a pii column.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import ConfigDict

from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole

MASK = "***"
MAX_EXAMPLES = 5
MAX_ROW_NUMBERS = 20
_MAX_LENGTH = 80


def shown(value: Any, *, pii: bool) -> str:
    """Return a value's text: `***` for pii, strings quoted, at most 80 characters."""
    if pii:
        return MASK
    if value is None:
        return "missing"
    text = repr(value) if isinstance(value, str | bool | int | float) else " ".join(str(value).split())
    return shortened(text)


def shortened(text: str) -> str:
    """Return at most 80 characters of a text."""
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def examples(values: Iterable[Any], *, pii: bool) -> tuple[str, ...]:
    """Return the texts of the first five distinct values."""
    texts = dict.fromkeys(shown(value, pii=pii) for value in values)
    return tuple(texts)[:MAX_EXAMPLES]


# the event log keeps every table that is shown
_MAX_FAILURES = 50


class _Written(Spec):
    """A part of the report; readers of its JSON find every field."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class FailureRow(_Written):
    """What one rule found in one column, or in one key."""

    column: str
    """The column, or the columns of a key; empty for the table as a whole."""
    expected: str
    found: str
    """What is wrong, in words."""
    count: int = 0
    """Rows that fail."""
    share: float = 0.0
    """Share of the judged rows that fail."""
    row_numbers: tuple[int, ...] = ()
    """First failing rows, 0-based among the judged rows."""
    examples: tuple[str, ...] = ()
    """Some failing values; `***` where values are withheld."""


class RuleResult(_Written):
    """The verdict of one rule."""

    name: str
    passed: bool
    configured: bool
    severity: Literal["ERROR", "WARN"]
    """`ERROR` blocks, `WARN` is only shown."""
    observed: str
    expected: str
    failing_rows: int = 0
    """Rows that fail in any column."""
    failing_share: float = 0.0
    failures: tuple[FailureRow, ...] = ()


class ColumnProfile(_Written):
    """What one column of the judged rows looks like."""

    name: str
    dtype: str
    role: ColumnRole
    missing: int
    missing_share: float
    distinct: int | None
    """Number of different values, missing not counted; none where values cannot be counted."""
    distinct_is_approximate: bool = False
    """Whether `distinct` was counted on the first rows alone and is a lower bound."""
    minimum: float | None = None
    """Of the finite numbers; none where values are withheld."""
    maximum: float | None = None
    mean: float | None = None
    masked: bool = False
    """Whether values are withheld: the column is pii, or `validation.show_values` is false."""


class GateReport(_Written):
    """Everything that the gate found in the rows of one partition."""

    report_version: Literal[1] = 1
    pipeline: str
    partition: str
    """Partition key; empty without partitions."""
    where: str
    rows_read: int
    rows_dropped: int
    """Rows set aside by `drop_null_rows` before the rules."""
    rows_judged: int
    passed: bool
    rules: tuple[RuleResult, ...]
    profile: tuple[ColumnProfile, ...]

    @property
    def failed_rules(self) -> tuple[str, ...]:
        """Names of the rules that failed and block."""
        return tuple(rule.name for rule in self.rules if not rule.passed and rule.severity == "ERROR")

    @property
    def warned_rules(self) -> tuple[str, ...]:
        """Names of the rules that failed and do not block."""
        return tuple(rule.name for rule in self.rules if not rule.passed and rule.severity == "WARN")


def to_markdown(report: GateReport) -> str:
    """Return the report as markdown: verdict, rules, failures, profile."""
    verdict = "passed" if report.passed else f"FAILED: {', '.join(report.failed_rules)}"
    place = f", partition {report.partition}" if report.partition else ""
    rules = [(rule.name, _mark(rule), rule.observed, rule.expected) for rule in report.rules]
    failures = [f"### {rule.name}\n\n{failure_table(rule)}" for rule in report.rules if not rule.passed]
    parts = [
        f"## Data-quality gate of {_escaped(report.pipeline + place)}: {verdict}",
        f"{report.rows_read:,} rows read, {report.rows_dropped:,} dropped, {report.rows_judged:,} judged.",
        _table(("rule", "verdict", "observed", "expected"), rules),
        *failures,
        "### Columns",
        _table(
            ("column", "dtype", "role", "missing", "distinct", "min", "max", "mean"),
            [_profile_cells(column) for column in report.profile],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def failure_table(result: RuleResult) -> str:
    """Return a rule's first fifty failures as a markdown table; a sentence when there are none."""
    if not result.failures:
        return f"No failures: {_escaped(result.observed)}."
    rows = [
        (
            failure.column or "(table)",
            failure.expected,
            failure.found + (f": {', '.join(failure.examples)}" if failure.examples else ""),
            f"{failure.count:,}",
            f"{failure.share:.2%}",
            ", ".join(str(number) for number in failure.row_numbers),
        )
        for failure in result.failures[:_MAX_FAILURES]
    ]
    more = len(result.failures) - len(rows)
    told = f"\n\n{more:,} more are in the JSON report." if more else ""
    return _table(("column", "expected", "found", "count", "share", "first rows"), rows) + told


def _mark(rule: RuleResult) -> str:
    if not rule.configured and rule.passed:
        return "not configured"
    return "passed" if rule.passed else "FAILED" if rule.severity == "ERROR" else "warning"


def _profile_cells(column: ColumnProfile) -> tuple[str, ...]:
    distinct = "" if column.distinct is None else f"{column.distinct:,}"
    numbers = [
        MASK if column.masked else "" if value is None else f"{value:g}"
        for value in (column.minimum, column.maximum, column.mean)
    ]
    return (
        column.name,
        column.dtype,
        str(column.role),
        f"{column.missing:,} ({column.missing_share:.2%})",
        f"at least {distinct}" if column.distinct_is_approximate else distinct,
        *numbers,
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(_escaped(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    # values come from the data: neither a cell's end nor a tag may be forged
    plain = " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|")
    return plain.replace("&", "&amp;").replace("<", "&lt;")
