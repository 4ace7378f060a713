"""What checking one rule comes to, the wording that rules share, and the registry of the functions that check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np

from assay.counting import counted
from assay.errors import did_you_mean
from assay.gate.checked_table import CheckedTable
from assay.gate.report import MASK, MAX_EXAMPLES, MAX_ROW_NUMBERS, FailureRow, examples, shown
from assay.specs.pipeline import PipelineSpec
from assay.specs.rules import known_rule

# enough rows to find five different examples in, few enough to convert one by one
_SAMPLED_ROWS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rule's finding; it passes when there is no failure."""

    observed: str
    expected: str
    failures: tuple[FailureRow, ...] = ()
    failing_rows: int = 0


Setting = TypeVar("Setting")
Check: TypeAlias = Callable[[CheckedTable, PipelineSpec], Outcome]
CHECKS: dict[str, Check] = {}
"""The function of each rule; called only where the rule is configured."""


def checks(name: str) -> Callable[[Check], Check]:
    """Register a function as the check of a rule that `assay.specs.rules` declares.

    Raises:
        ValueError: no rule has that name.
    """

    def register(check: Check) -> Check:
        CHECKS[known_rule(name)] = check
        return check

    return register


def configured(setting: Setting | None) -> Setting:
    """Return the setting of a rule, which is there wherever the rule's function is called."""
    if setting is None:
        msg = "the function of a rule was called without the rule's setting"
        raise TypeError(msg)
    return setting


@dataclass(frozen=True, slots=True)
class Finding:
    """One failure, and the rows it concerns (int64; empty for a table or column as a whole)."""

    row: FailureRow
    positions: "np.ndarray[Any, Any]"


NO_ROWS: "np.ndarray[Any, Any]" = np.empty(0, dtype=np.int64)


def outcome(findings: Sequence[Finding], *, observed: str, expected: str) -> Outcome:
    """Put findings together; a row that fails twice counts once."""
    if not findings:
        return Outcome(observed, expected)
    rows = int(union_of([finding.positions for finding in findings]).size)
    listed = "; ".join(_sentence(finding.row) for finding in findings[:MAX_EXAMPLES])
    more = f"; and {len(findings) - MAX_EXAMPLES} more" if len(findings) > MAX_EXAMPLES else ""
    return Outcome(listed + more, expected, tuple(finding.row for finding in findings), rows)


def union_of(parts: "Sequence[np.ndarray[Any, Any]]") -> "np.ndarray[Any, Any]":
    """Return int64 row numbers that occur in any part, ascending and once."""
    # a bitmap: numpy's own `unique` takes half a second for a million row numbers
    marked = np.zeros(max((int(part.max()) + 1 for part in parts if part.size), default=0), dtype=bool)
    for part in parts:
        marked[part] = True
    return np.flatnonzero(marked)


def failing_rows(
    table: CheckedTable, columns: tuple[str, ...], positions: "np.ndarray[Any, Any]", *, expected: str, found: str
) -> Finding:
    """Describe rows that fail in a column, or in the columns of a key."""
    row = FailureRow(
        column=", ".join(columns),
        expected=expected,
        found=found,
        count=int(positions.size),
        share=positions.size / table.rows,
        row_numbers=tuple(int(position) for position in positions[:MAX_ROW_NUMBERS]),
        examples=_examples(table, columns, positions[:_SAMPLED_ROWS]),
    )
    return Finding(row, positions)


def failing_column(column: str, *, expected: str, found: str, holds: bool = False, conclusive: bool = False) -> Finding:
    """Describe a failure of a column, or of the table, as a whole; `holds` and `conclusive` as in the report."""
    row = FailureRow(column=column, expected=expected, found=found, holds=holds, conclusive=conclusive)
    return Finding(row, NO_ROWS)


def missing_column(table: CheckedTable, column: str, *, expected: str) -> Finding:
    """Describe a rule that names a column which does not exist; it must not pass."""
    hint = did_you_mean(column, table.names)
    return failing_column(column, expected=expected, found=f"not checked: column missing{hint}")


def broken(table: CheckedTable, column: str, kind: str, error: str, *, expected: str) -> Finding:
    """Describe a check that raised an error of a kind; its text is withheld where values must not be shown."""
    text = " (text withheld: it may quote values that must not be shown)" if table.holds_pii else f": {error}"
    return failing_column(column, expected=expected, found=f"not checked: the check broke with {kind}{text}")


def _sentence(row: FailureRow) -> str:
    column = f"{row.column}: " if row.column else ""
    return f"{column}{row.found}" + (f" in {counted(row.count, 'row')}" if row.row_numbers else "")


def _examples(table: CheckedTable, columns: tuple[str, ...], positions: "np.ndarray[Any, Any]") -> tuple[str, ...]:
    if not columns:
        return ()
    if len(columns) == 1:
        return examples(table.values_at(columns[0], positions), pii=table.is_pii(columns[0]))
    if all(table.is_pii(name) for name in columns):
        return (MASK,)
    values = [
        [f"{name}={shown(value, pii=table.is_pii(name))}" for value in table.values_at(name, positions)]
        for name in columns
    ]
    return tuple(dict.fromkeys(", ".join(parts) for parts in zip(*values, strict=True)))[:MAX_EXAMPLES]
