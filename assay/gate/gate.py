"""The data-quality gate: rows in; a verdict on all rules, a profile, and a receipt for the rows accepted out."""

import datetime as dt
import hashlib
import inspect
import math
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset, GateReceipt, GateWarning, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import SpecError
from assay.gate import (  # noqa: F401 - they register the functions of the rules
    column_rules,
    custom_rules,
    distribution_rules,
    expression_rules,
    sentinel,
    table_rules,
)
from assay.gate.checked_table import CheckedTable, decoded, missing_mask
from assay.gate.outcome import CHECKS, Outcome, broken, outcome
from assay.gate.report import ColumnProfile, GateReport, RuleResult, warning_text
from assay.importing import import_users_object
from assay.specs.base import digest_of
from assay.specs.pipeline import PipelineSpec
from assay.specs.rules import RULES, Rule

MAX_WARNINGS = 20
"""Findings of one rule that a receipt keeps."""
_NOT_CONFIGURED = Outcome("not configured", "not configured")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate decided.

    Attributes:
        report: every rule's result, for people and programs.
        receipt: the proof that is stored with the rows.
        accepted: the rows to publish; None when a rule that blocks failed.
        checked: the rows that the rules saw, accepted or not, for the profile page.
        schema: their columns' dtypes and roles.
    """

    report: GateReport
    receipt: GateReceipt
    accepted: ValidatedDataset | None
    checked: pa.Table
    schema: TableSchema


def run_gate(
    dataset: Dataset,
    spec: PipelineSpec,
    *,
    where: str,
    partition: str = "",
    as_of: dt.datetime | None = None,
    reference: Dataset | ValidatedDataset | None = None,
    rules: Iterable[Rule] = RULES.values(),
) -> GateVerdict:
    """Check the rows of one partition by the pipeline's rules.

    Args:
        dataset: prepared rows; not changed.
        spec: the pipeline as this run sees it.
        where: asset and partition, for the report.
        partition: the partition key; empty without partitions.
        as_of: the moment as of which ages count, with a time zone: the partition's end, so that a backfill is checked
            as it would have been then; now unless given.
        reference: rows that passed before, for `validation.distributions`; None when there are none yet.
        rules: those that are checked.

    Returns:
        The verdict; rules that raise are failed results, never exceptions.
    """
    rows = _without_null_rows(dataset.table, spec.validation.drop_null_rows)
    table = CheckedTable(
        rows,
        dataset.schema,
        show_values=spec.validation.show_values,
        as_of=as_of,
        reference=None if reference is None else CheckedTable(reference.table, reference.schema),
    )
    results = tuple(result_of(rule, table, spec) for rule in rules)
    failed = tuple(rule.name for rule in results if not rule.passed and rule.severity == "ERROR")
    # computed from the rows themselves: the receipt vouches for nothing that the gate has not seen
    identity = fingerprint(rows)
    receipt = GateReceipt(
        data_digest=identity.digest,
        rules_digest=rules_digest(spec),
        verdict="failed" if failed else "passed",
        failed_rules=failed,
        rows=rows.num_rows,
        warnings=tuple(_warnings(results, rows.num_rows)),
    )
    report = GateReport(
        pipeline=spec.name,
        partition=partition,
        where=where,
        rows_read=dataset.table.num_rows,
        rows_dropped=dataset.table.num_rows - rows.num_rows,
        rows_judged=rows.num_rows,
        passed=not failed,
        rules=results,
        profile=profile(table),
    )
    accepted = None if failed else ValidatedDataset(rows, dataset.schema, identity, receipt)
    return GateVerdict(report, receipt, accepted, rows, dataset.schema)


def _warnings(results: tuple[RuleResult, ...], rows: int) -> Iterator[GateWarning]:
    for rule in results:
        if rule.severity == "WARN":
            for failure in rule.failures[:MAX_WARNINGS]:
                yield GateWarning(
                    rule=rule.name,
                    column=failure.column,
                    found=warning_text(failure, rule, rows),
                    holds=failure.holds,
                    conclusive=failure.conclusive,
                )


def _without_null_rows(table: pa.Table, drop: bool | tuple[str, ...]) -> pa.Table:  # noqa: FBT001 - the spec's union
    names = table.column_names if drop is True else [name for name in drop or () if name in table.column_names]
    missing: pa.ChunkedArray | None = None
    for name in names:
        mask = missing_mask(decoded(table.column(name)))
        missing = mask if missing is None else pc.or_(missing, mask)
    return table if missing is None else table.filter(pc.invert(missing))


def result_of(rule: Rule, table: CheckedTable, spec: PipelineSpec) -> RuleResult:
    """Return what one rule says of rows; one that raises has failed."""
    configured = rule.configured(spec)
    found = _checked(rule, table, spec) if configured else _NOT_CONFIGURED
    return RuleResult(
        name=rule.name,
        passed=not found.failures,
        configured=configured,
        severity=rule.severity_in(spec.validation),
        observed=found.observed,
        expected=found.expected,
        failing_rows=found.failing_rows,
        failing_share=found.failing_rows / table.rows if table.rows else 0.0,
        failures=found.failures,
    )


def _checked(rule: Rule, table: CheckedTable, spec: PipelineSpec) -> Outcome:
    try:
        return CHECKS[rule.name](table, spec)
    except Exception as error:  # noqa: BLE001 - a check that raises must block with its reason, not vanish
        failure = broken(table, "", type(error).__name__, str(error), expected=rule.text)
        return outcome([failure], observed="", expected=rule.text)


def rules_digest(spec: PipelineSpec) -> str:
    """Return the digest that a receipt records: the spec's, and the source files of the user's own rules.

    An edit of a rule's module voids earlier receipts, as an edit of the pipeline file's rules does. Modules that it
    imports do not count.
    """
    own: dict[str, str] = {}
    for part, validation in (("", spec.validation), ("raw: ", spec.validation.raw)):
        if validation is not None:
            own |= {f"{part}{name}": path for name, path in validation.custom.items()}
            own |= {part: validation.pandera_schema} if validation.pandera_schema is not None else {}
    if not own:
        return spec.rules_digest
    return digest_of(spec.rules_digest, {name: _source_digest(path) for name, path in own.items()})


def _source_digest(path: str) -> str:
    try:
        file = _source_file(import_users_object(path, where="validation"), path)
    except (SpecError, TypeError):
        return "no source"  # the rule itself reports that it cannot be imported, and does not pass
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "no source"


def _source_file(rule: Any, path: str) -> str | None:
    try:
        return inspect.getsourcefile(rule)
    except TypeError:  # an object, such as a schema, does not know its source: its module does
        return inspect.getsourcefile(sys.modules[path.partition(":")[0]])


# counting all different values of long columns costs more than judging them
_COUNTED_ROWS = 100_000
_NUMBERS = frozenset({"integer", "float"})


def profile(table: CheckedTable) -> tuple[ColumnProfile, ...]:
    """Return the profile of every column, in order."""
    columns = [column for column in table.schema.columns if column.name in table]
    # Arrow and numpy release the interpreter lock
    with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
        return tuple(pool.map(partial(_profile_of, table), columns))


def _profile_of(table: CheckedTable, column: ColumnSchema) -> ColumnProfile:
    missing = table.missing(column.name)
    distinct = _distinct(table, column.name)
    hidden = table.is_pii(column.name)
    low, high, mean = (None, None, None) if hidden else _numbers(table, column.name)
    return ColumnProfile(
        name=column.name,
        dtype=table.dtype(column.name),
        role=column.role,
        missing=missing,
        missing_share=missing / table.rows if table.rows else 0.0,
        distinct=distinct,
        distinct_is_approximate=distinct is not None and table.rows > _COUNTED_ROWS,
        minimum=low,
        maximum=high,
        mean=mean,
        masked=hidden,
    )


def _distinct(table: CheckedTable, name: str) -> int | None:
    import pandas as pd

    head = table.plain(name).slice(0, _COUNTED_ROWS)
    if table.kind(name) in _NUMBERS:  # pandas counts different numbers in a third of Arrow's time
        return int(pd.Series(_as_numpy(head)).nunique())
    try:
        return int(pc.count_distinct(head, mode="only_valid").as_py())
    except pa.ArrowNotImplementedError:  # nested and other rare types cannot be compared; the profile says none
        return None


def _numbers(table: CheckedTable, name: str) -> tuple[float | None, float | None, float | None]:
    if table.kind(name) not in _NUMBERS or table.missing(name) == table.rows:
        return None, None, None
    column = table.plain(name)
    values, mean = _as_numpy(column), pc.mean(column.cast(pa.float64(), safe=False)).as_py()
    if not math.isfinite(mean):
        values = values[np.isfinite(values)]
        mean = pc.mean(pa.array(values, pa.float64())).as_py()
    if not values.size:
        return None, None, None
    return float(np.fmin.reduce(values)), float(np.fmax.reduce(values)), _finite(mean)


def _as_numpy(values: pa.ChunkedArray) -> "np.ndarray[Any, Any]":
    """Return numbers with NaN where one is missing."""
    plain: np.ndarray[Any, Any] = (values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values).to_numpy()
    return plain


def _finite(value: Any) -> float | None:
    # the mean of huge numbers overflows, and JSON has no infinity
    return float(value) if value is not None and math.isfinite(value) else None
