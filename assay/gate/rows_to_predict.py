"""The rules of the gate for rows that are only predicted: those that apply without a target, to the columns at hand."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from assay.data.dataset import Dataset
from assay.errors import GateRejectedError
from assay.expressions.language import locked_connection, parsed
from assay.gate.checked_table import CheckedTable
from assay.gate.gate import result_of
from assay.gate.report import RuleResult
from assay.specs.pipeline import PipelineSpec
from assay.specs.rules import RULES, Rule
from assay.specs.validation import ValidationSpec

_OF_TRAINING_ROWS = frozenset({"row_count_in_range", "columns_present", "custom_rules_hold", "pandera_schema_holds"})


def check_rows_to_predict(
    dataset: Dataset, spec: PipelineSpec, *, as_of: dt.datetime | None = None
) -> tuple[RuleResult, ...]:
    """Return what the rules say of rows that are only predicted.

    Settings of columns that the rows lack, as they need no target, are left out; the model itself refuses rows without
    one of its features.

    Args:
        dataset: the rows, after the steps of `features`.
        spec: the pipeline.
        as_of: the moment as of which ages count; now unless given.
    """
    names = {name for name in dataset.table.column_names if name != spec.dataset.target}
    applying = spec.model_copy(update={"validation": _without_absent(spec.validation, names)})
    show = spec.validation.show_values
    table = CheckedTable(dataset.table, dataset.schema, show_values=show, as_of=as_of)
    return tuple(result_of(rule, table, applying) for rule in RULES.values() if _applies(rule))


def _applies(rule: Rule) -> bool:
    """Whether a rule applies to any number of rows without a target: code of the user's own may need one."""
    return rule.raw and rule.name not in _OF_TRAINING_ROWS


def require_rows_to_predict(results: tuple[RuleResult, ...], *, where: str) -> None:
    """Refuse rows that a blocking rule does not accept.

    Raises:
        GateRejectedError: names the rules and what they found.
    """
    failed = [result for result in results if not result.passed and result.severity == "ERROR"]
    if failed:
        raise GateRejectedError(
            "the rows to predict are refused, and nothing is published",
            where=where,
            found="; ".join(f"{result.name}: {result.observed}" for result in failed),
            expected="; ".join(f"{result.name}: {result.expected}" for result in failed),
            remedy="correct the rows, or list the rules in validation.warn",
        )


def _without_absent(validation: ValidationSpec, names: Collection[str]) -> ValidationSpec:
    """Return the settings that only concern some columns."""
    kept: dict[str, Any] = {
        field: {name: value for name, value in getattr(validation, field).items() if name in names}
        for field in ("dtypes", "ranges", "allowed", "matches")
    }
    if isinstance(validation.max_missing, dict):
        kept["max_missing"] = {name: share for name, share in validation.max_missing.items() if name in names}
    if not isinstance(validation.finite, bool):
        kept["finite"] = tuple(name for name in validation.finite if name in names)
    kept["not_null"] = tuple(name for name in validation.not_null if name in names)
    kept["unique"] = tuple(key for key in validation.unique if set(key) <= set(names))
    freshness = validation.freshness
    kept["freshness"] = freshness if freshness is not None and freshness.column in names else None
    with locked_connection() as connection:
        known = {name.lower() for name in names}

        def is_known(sql: str) -> bool:
            return {name.lower() for name in parsed(connection, sql).columns} <= known

        kept["expressions"] = {name: sql for name, sql in validation.expressions.items() if is_known(sql)}
        kept["conditional"] = tuple(
            rule for rule in validation.conditional if is_known(rule.when) and is_known(rule.then)
        )
    return validation.model_copy(update=kept)
