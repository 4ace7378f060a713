"""The data-quality gate: rows in, a verdict on all rules out, and a receipt for exactly the rows accepted."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset, GateReceipt, ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.gate import custom_rules, distribution_rules, expression_rules, pandera_rules, table_rules, value_rules
from assay.gate import custom_rules as user_schema
from assay.gate import table_rules as freshness
from assay.gate import table_rules as learnability
from assay.gate.judged_table import JudgedTable, decoded, missing_mask
from assay.gate.outcome import Outcome, broken, outcome
from assay.gate.profile import profile
from assay.gate.report import GateReport, RuleResult
from assay.gate.rules import RULES, Rule, severity_of
from assay.gate.rules_identity import rules_digest
from assay.gate.sentinel.rules import SENTINEL_JUDGES
from assay.specs.pipeline import PipelineSpec

Judge: TypeAlias = Callable[[JudgedTable, PipelineSpec], Outcome]

JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "row_count_in_range": table_rules.row_count_in_range,
        "columns_present": table_rules.columns_present,
        "dtypes_as_declared": pandera_rules.dtypes_as_declared,
        "missing_share_below_maximum": table_rules.missing_share_below_maximum,
        "no_missing_target": pandera_rules.no_missing_target,
        "columns_not_null": pandera_rules.columns_not_null,
        "rows_unique_by_key": pandera_rules.rows_unique_by_key,
        "values_in_range": pandera_rules.values_in_range,
        "values_allowed": pandera_rules.values_allowed,
        "custom_rules_hold": custom_rules.custom_rules_hold,
        "target_learnable": learnability.target_learnable,
        "values_match_pattern": value_rules.values_match_pattern,
        "values_finite": value_rules.values_finite,
        "expressions_hold": expression_rules.expressions_hold,
        "conditions_hold": expression_rules.conditions_hold,
        "data_is_fresh": freshness.data_is_fresh,
        "pandera_schema_holds": user_schema.pandera_schema_holds,
        "distributions_as_reference": distribution_rules.distributions_as_reference,
        **SENTINEL_JUDGES,
    }
)


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate decided.

    Attributes:
        report: every rule's result, for people and machines.
        receipt: the proof that is stored with the rows.
        accepted: the rows to publish; None when a rule that blocks failed.
        judged: the rows that the rules saw, accepted or not, for looking at.
    """

    report: GateReport
    receipt: GateReceipt
    accepted: ValidatedDataset | None
    judged: pa.Table


def run_gate(
    dataset: Dataset,
    spec: PipelineSpec,
    *,
    where: str,
    partition: str = "",
    as_of: dt.datetime | None = None,
    reference: Dataset | ValidatedDataset | None = None,
) -> GateVerdict:
    """Judge the rows of one partition by the pipeline's rules.

    Args:
        dataset: prepared rows; not changed.
        spec: the pipeline as this run sees it.
        where: asset and partition, for the report.
        partition: the partition key; empty without partitions.
        as_of: the moment as of which ages count, with a time zone: the partition's end, so that a backfill is judged
            as it would have been then; now unless given.
        reference: rows that passed before, for `validation.distributions`; None when there are none yet.

    Returns:
        The verdict; broken rules are failed results, never exceptions.
    """
    table = _without_null_rows(dataset.table, spec.validation.drop_null_rows)
    judged = JudgedTable(
        table,
        dataset.schema,
        show_values=spec.validation.show_values,
        as_of=as_of,
        reference=None if reference is None else JudgedTable(reference.table, reference.schema),
    )
    rules = tuple(_result(rule, judged, spec) for rule in RULES.values())
    failed = tuple(rule.name for rule in rules if not rule.passed and rule.severity == "ERROR")
    # computed from the rows themselves: the receipt vouches for nothing that the gate has not seen
    identity = fingerprint(table)
    receipt = GateReceipt(
        data_digest=identity.digest,
        rules_digest=rules_digest(spec),
        verdict="failed" if failed else "passed",
        failed_rules=failed,
        rows=table.num_rows,
    )
    report = GateReport(
        pipeline=spec.name,
        partition=partition,
        where=where,
        rows_read=dataset.table.num_rows,
        rows_dropped=dataset.table.num_rows - table.num_rows,
        rows_judged=table.num_rows,
        passed=not failed,
        rules=rules,
        profile=profile(judged),
    )
    accepted = None if failed else ValidatedDataset(table, dataset.schema, identity, receipt)
    return GateVerdict(report, receipt, accepted, table)


def _without_null_rows(table: pa.Table, drop: bool | tuple[str, ...]) -> pa.Table:  # noqa: FBT001 - the spec's union
    names = table.column_names if drop is True else [name for name in drop or () if name in table.column_names]
    missing: pa.ChunkedArray | None = None
    for name in names:
        mask = missing_mask(decoded(table.column(name)))
        missing = mask if missing is None else pc.or_(missing, mask)
    return table if missing is None else table.filter(pc.invert(missing))


def _result(rule: Rule, table: JudgedTable, spec: PipelineSpec) -> RuleResult:
    try:
        judged = JUDGES[rule.name](table, spec)
    except Exception as error:  # noqa: BLE001 - a check that raises must block with its reason, not vanish
        told = broken(table, "", f"{type(error).__name__}: {error}", expected=rule.description)
        judged = outcome([told], observed="", expected=rule.description)
    return RuleResult(
        name=rule.name,
        passed=not judged.failures,
        configured=judged.configured,
        severity=severity_of(rule, spec.validation),
        observed=judged.observed,
        expected=judged.expected,
        failing_rows=judged.failing_rows,
        failing_share=judged.failing_rows / table.rows if table.rows else 0.0,
        failures=judged.failures,
    )
