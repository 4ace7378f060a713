"""The gate's report: every rule's result and the profile of the checked columns, and its JSON Schema.

Values are shown short, on one line, and never of a pii column. `python -m assay.gate.report FILE` writes the schema.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict

from assay.counting import counted, first_of
from assay.markdown import escaped, table
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.json_schema import write_schema
from assay.specs.rules import RuleNames, Severity

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
    """A part of the report; its JSON always has every field."""

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
    """Share of the checked rows that fail."""
    row_numbers: tuple[int, ...] = ()
    """First failing rows, 0-based among the checked rows."""
    examples: tuple[str, ...] = ()
    """Some failing values; `***` where values are withheld."""
    holds: bool = False
    """Whether promotion waits for a person: of a column, if the fitted model relies on it; of the rows, always."""
    conclusive: bool = False
    """Whether the column holds the target by itself, so that promotion waits even if the model could do without."""


class RuleResult(_Written):
    """The verdict of one rule."""

    name: Annotated[str, RuleNames()]
    passed: bool
    configured: bool
    """Whether the run asks for the rule, and it applies to task and split; if not, it passes."""
    severity: Severity
    """`ERROR` blocks, `WARN` is only shown."""
    observed: str
    expected: str
    failing_rows: int = 0
    """Rows that fail in any column."""
    failing_share: float = 0.0
    failures: tuple[FailureRow, ...] = ()


class ColumnProfile(_Written):
    """Counts and bounds of one column of the checked rows."""

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


def rule_sentence(result: RuleResult, rows: int) -> str:
    """Return what a rule found, with its bounds and how many of the judged rows break it."""
    if not result.failures:
        return f"{result.observed}; expected {result.expected}"
    shared = all(each.expected == result.expected for each in result.failures)
    said = [(_found if shared else _broken)(each, rows) for each in result.failures]
    return first_of(said, MAX_EXAMPLES) + (f"; expected {result.expected}" if shared else "")


def warning_text(failure: FailureRow, result: RuleResult, rows: int) -> str:
    """Return what a failure that only warns found, with its rows and bounds; what all columns share is left out."""
    counted_rows = f" in {failure.count:,} of {rows:,} rows" if failure.count else ""
    shared = failure.column and failure.expected == result.expected
    return f"{failure.found}{counted_rows}" + ("" if shared else f"; expected {failure.expected}")


def _found(failure: FailureRow, rows: int) -> str:
    column = f"{failure.column}: " if failure.column else ""
    return column + failure.found + _counted(failure, rows)


def _broken(failure: FailureRow, rows: int) -> str:
    column = f"{failure.column} " if failure.column else ""
    return f"expected {column}{failure.expected}, found {failure.found}{_counted(failure, rows)}"


def _counted(failure: FailureRow, rows: int) -> str:
    return f": {failure.count:,} of {rows:,} rows break it" if failure.count else ""


def failure_table(result: RuleResult) -> str:
    """Return a rule's first fifty failures as a markdown table; a sentence when there are none."""
    if not result.failures:
        return f"No failures: {escaped(result.observed)}."
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
    note = f"\n\n{counted(more, 'more is', 'more are')} in the JSON report." if more else ""
    cells = [[escaped(cell) for cell in row] for row in rows]
    return table(("column", "expected", "found", "count", "share", "first rows"), cells) + note


def report_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a stored report; every field that is written is required."""
    schema = GateReport.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Assay gate report"}


if __name__ == "__main__":
    write_schema(report_json_schema(), Path(sys.argv[1]))
