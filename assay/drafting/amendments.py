"""What a draft changes after a finding of the gate: one function for each rule, in one registry.

A finding without a function, or one that its function cannot answer, is a question to a person.
"""

from collections.abc import Callable
from typing import TypeAlias

from assay.drafting.draft import COLUMNS, TARGET, Draft
from assay.gate.checked_table import CheckedTable
from assay.gate.gate import GateVerdict
from assay.gate.report import FailureRow, RuleResult
from assay.gate.sentinel.texts import mixed_texts
from assay.specs.dataset import ColumnRole

Amendment: TypeAlias = Callable[[Draft, FailureRow, CheckedTable], Draft]
AMENDMENTS: dict[str, Amendment] = {}
"""By the rule whose finding they answer."""
_DIALECT = ("dataset", "dialect")


def _answers(*rules: str) -> Callable[[Amendment], Amendment]:
    def register(amendment: Amendment) -> Amendment:
        AMENDMENTS.update(dict.fromkeys(rules, amendment))
        return amendment

    return register


def amended(draft: Draft, verdict: GateVerdict) -> Draft:
    """Return the draft after all findings of a verdict; its settings are the same where it has no answer."""
    table = CheckedTable(verdict.checked, verdict.schema)
    for rule in verdict.report.rules:
        for failure in rule.failures:
            draft = _answered(draft, rule, failure, table)
    return draft


def _answered(draft: Draft, rule: RuleResult, failure: FailureRow, table: CheckedTable) -> Draft:
    amendment = AMENDMENTS.get(rule.name)
    changed = draft if amendment is None else amendment(draft, failure, table)
    is_settled = changed.document != draft.document or draft.at((*COLUMNS, failure.column)) is not None
    subject = f"{failure.column}: " if failure.column else ""
    return changed if is_settled else draft.with_question(f"{subject}{failure.found} ({rule.name})")


def _with_role(draft: Draft, column: str, role: ColumnRole, reason: str) -> Draft:
    path = (*COLUMNS, column)
    if column == draft.at(TARGET) or draft.at(path) is not None:
        return draft
    return draft.with_setting(path, {"role": str(role)}, reason)


@_answers("no_target_leakage", "target_not_reconstructible", "features_vary")
def _ignored(draft: Draft, failure: FailureRow, _table: CheckedTable) -> Draft:
    return _with_role(draft, failure.column, ColumnRole.IGNORED, failure.found)


@_answers("no_identifier_features")
def _identifier(draft: Draft, failure: FailureRow, _table: CheckedTable) -> Draft:
    return _with_role(draft, failure.column, ColumnRole.IDENTIFIER, failure.found)


@_answers("no_missing_target")
def _rows_without_target(draft: Draft, failure: FailureRow, _table: CheckedTable) -> Draft:
    reason = f"{failure.count:,} rows have no target"
    return draft.with_setting(("validation", "drop_null_rows"), [draft.at(TARGET)], reason)


@_answers("numbers_not_read_as_text")
def _numbers(draft: Draft, failure: FailureRow, table: CheckedTable) -> Draft:
    """Take a few words among numbers for missing values, and many for categories."""
    mixed = mixed_texts(table, failure.column, draft.at((*_DIALECT, "decimal")) or ".")
    if mixed is None or mixed.different > len(mixed.words):
        return _with_role(draft, failure.column, ColumnRole.CATEGORICAL, failure.found)
    known = draft.at((*_DIALECT, "null_words")) or []
    words = list(dict.fromkeys((*known, *mixed.words)))
    reason = f"{failure.column}: {mixed.numbers:,} of {mixed.present:,} texts are numbers"
    return draft.with_setting((*_DIALECT, "null_words"), words, reason)


@_answers("groups_not_split")
def _groups(draft: Draft, failure: FailureRow, _table: CheckedTable) -> Draft:
    """Split by the first column of entities, so that none is in training and holdout."""
    if draft.at(("split", "by")) == "group" or not failure.holds:
        return draft
    split = {"by": "group", "group": failure.column, "test_size": draft.at(("split", "test_size"))}
    return draft.with_setting(("split",), split, failure.found)
