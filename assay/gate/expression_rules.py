"""The rules that are SQL expressions: those that every row keeps, and those that rows of a kind keep.

A confined process evaluates them (`assay.expressions.language`): an expression may ask for any amount of memory or
time.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.errors import DataContractError
from assay.expressions.language import ANSWERS, ROWS, locked_connection, nan_as_null, parsed
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import (
    Finding,
    Outcome,
    broken,
    checks,
    failing_column,
    failing_rows,
    missing_column,
    outcome,
)
from assay.reading.confined import Confinement
from assay.reading.sandbox import ChildEnd, exceeded_limit, run_child
from assay.scratch import scratch_folder
from assay.specs.dataset import ReadLimits
from assay.specs.pipeline import PipelineSpec

_CHILD = "assay.expressions.language"

_Failing: TypeAlias = Callable[..., pa.ChunkedArray]


@dataclass(frozen=True, slots=True)
class _Proposition:
    """What rows keep: SQL texts, which rows fail given the truth of each, and the columns that the texts name."""

    name: str
    text: str
    parts: tuple[str, ...]
    failing: _Failing
    columns: tuple[str, ...] = ()


@checks("expressions_hold")
def expressions_hold(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.expressions`: no row for which an expression is false; NULL passes."""
    expressions = spec.validation.expressions.items()
    return _checked(
        table,
        [_Proposition(name, f"{name}: {sql}", (sql,), pc.invert) for name, sql in expressions],
        spec.dataset.limits,
    )


@checks("conditions_hold")
def conditions_hold(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check `validation.conditional`: where `when` is true `then` is, too; NULL is not true."""
    return _checked(
        table,
        [
            _Proposition(rule.then, f"where {rule.when}: {rule.then}", (rule.when, rule.then), _when_without_then)
            for rule in spec.validation.conditional
        ],
        spec.dataset.limits,
    )


def _when_without_then(when: pa.ChunkedArray, then: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.and_(pc.fill_null(when, False), pc.invert(pc.fill_null(then, False)))


def _checked(table: CheckedTable, propositions: list[_Proposition], limits: ReadLimits) -> Outcome:
    findings: list[Finding] = []
    sound: list[_Proposition] = []
    with locked_connection() as connection:
        for one in propositions:
            try:
                named = [name for sql in one.parts for name in parsed(connection, sql).columns]
            except DataContractError as refusal:  # its text is the pipeline file's, never the data's
                found = f"not checked: {refusal.what} ({refusal.found})"
                findings.append(failing_column("", expected=one.text, found=found))
                continue
            missing = [missing_column(table, name, expected=one.text) for name in named if name not in table]
            findings += missing
            sound += [] if missing else [replace(one, columns=tuple(dict.fromkeys(named)))]
    findings += _evaluated(table, sound, limits)
    expected = "; ".join(one.text for one in propositions)
    holding = counted(len(propositions), "holds", "hold")
    return outcome(findings, observed=f"{holding} in every row", expected=expected)


def _evaluated(table: CheckedTable, propositions: Sequence[_Proposition], limits: ReadLimits) -> list[Finding]:
    """Evaluate propositions in one child; one that exceeds a limit leaves the others checked."""
    if not propositions:
        return []
    with scratch_folder("rules") as name:
        folder = Path(name)
        confinement = _write_rows(table, propositions, folder / ROWS, limits)
        end = _run(propositions, folder, confinement)
        if "errors" in end.answer and end.code == 0:
            return _findings(table, propositions, end.answer["errors"], folder / ANSWERS)
    if len(propositions) > 1:
        return [finding for one in propositions for finding in _evaluated(table, [one], limits)]
    return [_stopped(propositions[0], end, confinement)]


def _write_rows(
    table: CheckedTable, propositions: Sequence[_Proposition], path: Path, limits: ReadLimits
) -> Confinement:
    names = dict.fromkeys(name for one in propositions for name in one.columns)
    columns = {name: nan_as_null(table.plain(name)) for name in names}
    # an expression of constants alone still answers once per row
    rows = pa.table(columns or {"row": pa.nulls(table.rows)})
    with pa.ipc.new_file(path, rows.schema) as out:
        out.write_table(rows)
    return Confinement.of(limits, path.stat().st_size)


def _run(propositions: Sequence[_Proposition], folder: Path, confinement: Confinement) -> ChildEnd:
    request = {
        "folder": str(folder.absolute()),
        "expressions": [sql for one in propositions for sql in one.parts],
        "confinement": confinement.to_plain(),
        "parent": os.getpid(),
    }
    return run_child(_CHILD, json.dumps(request), folder, wall_seconds=confinement.wall_seconds)


def _stopped(one: _Proposition, end: ChildEnd, confinement: Confinement) -> Finding:
    exceeded = exceeded_limit(end, confinement)
    if exceeded is None:
        cause = end.answer.get("crash") or f"exit code {end.code}"
        return failing_column("", expected=one.text, found=f"not checked: the evaluation failed with {cause}")
    found = f"not checked: the evaluation takes more {exceeded.resource} than it may ({exceeded.limit})"
    return failing_column("", expected=one.text, found=found)


def _findings(
    table: CheckedTable, propositions: Sequence[_Proposition], errors: list[dict[str, str] | None], answers: Path
) -> list[Finding]:
    with pa.memory_map(str(answers)) as source:
        truths = list(zip(pa.ipc.open_file(source).read_all().columns, errors, strict=True))
        findings = []
        for one in propositions:
            parts, truths = truths[: len(one.parts)], truths[len(one.parts) :]
            findings += _finding(table, one, parts)
    return findings


def _finding(
    table: CheckedTable, one: _Proposition, parts: list[tuple[pa.ChunkedArray, dict[str, str] | None]]
) -> list[Finding]:
    error = next((error for _, error in parts if error), None)
    if error and "refused" in error:
        return [failing_column("", expected=one.text, found=f"not checked: {error['refused']}")]
    if error:
        return [broken(table, "", error["broken"], error["text"], expected=one.text)]
    failing = one.failing(*[truth for truth, _ in parts])
    rows: np.ndarray[Any, Any] = np.flatnonzero(pc.fill_null(failing, False).to_numpy())
    found = f"{one.name} does not hold"
    return [failing_rows(table, one.columns, rows, expected=one.text, found=found)] if rows.size else []
