"""Features that are the target under another name: copies, recodings, rescaled numbers, and gaps that reveal it.

A one-to-one relation in few rows is no proof, so there must be enough rows, and enough of two classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    NUMBERS,
    Array,
    CodedColumn,
    as_floats,
    checked_features,
    coded,
    reported,
    sampled_rows,
    sentinel_check,
    values_of,
)
from assay.specs.pipeline import PipelineSpec

_EXPECTED = f"no feature reveals the target; {ADVICE}"
MIN_MEMBERS = 10
"""A class with fewer members proves nothing about a recoding."""
NEAR_COPY_AGREEMENT = 0.999
"""Rows in which a near copy agrees with the target; then no row of the first thousand may differ."""
NEAR_COPY_KAPPA = 0.9
"""Agreement beyond chance (Cohen 1960); a constant agrees with a frequent class in nearly all rows."""
COPY_CORRELATION = 1 - 1e-9
"""Correlation from which two numbers are one, in another unit."""
_SPARE_VALUES = 8
_Search: TypeAlias = Callable[[str], str]


@sentinel_check("no_target_leakage", _EXPECTED)
def no_target_leakage(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no feature is the target itself."""
    found = copies_of_target(table, spec)
    return reported(found, observed="no feature is a copy of the target", expected=_EXPECTED)


def copies_of_target(table: CheckedTable, spec: PipelineSpec) -> dict[str, str]:
    """Return the features that are the target, each with the reason.

    Candidates are found in a sample and confirmed in all rows.
    """
    judged = (spec.dataset.target, spec.task, checked_features(table, spec))
    return table.derived(("copies_of_target", *judged), lambda: _copies(table, spec))


def _copies(table: CheckedTable, spec: PipelineSpec) -> dict[str, str]:
    rows = sampled_rows(table)
    search = _class_copies if spec.task.is_classification else _number_copies
    in_sample = search(table, spec.dataset.target, rows, 1)
    candidates = [name for name in checked_features(table, spec) if in_sample(name)]
    if not candidates:
        return {}
    confirmed = search(table, spec.dataset.target, None, MIN_MEMBERS)
    reasons = {name: confirmed(name) for name in candidates}
    return {name: reason for name, reason in reasons.items() if reason}


def _class_copies(table: CheckedTable, name: str, rows: Array | None, members: int) -> _Search:
    """Compare features with a target of classes, at least two of which need so many members."""
    labels = coded(table, name, rows)
    if labels is None:
        return _nothing
    target = labels.in_rows(labels.present)
    large = np.bincount(target.codes, minlength=target.distinct) >= members
    if target.codes.size < MIN_ROWS or large.sum() < 2:  # noqa: PLR2004 - a copy separates two classes
        return _nothing

    def reason(name: str) -> str:
        values = coded(table, name, rows)
        if values is None:
            return ""
        feature = values.in_rows(labels.present)
        return _recoding(feature, target) or _revealing_gap(feature, target, large)

    return reason


def _nothing(name: str) -> str:  # noqa: ARG001 - the signature of a search
    return ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a feature agrees with the target.

    Attributes:
        agreeing: rows in which the value stands for the row's class.
        rows: all rows.
        chance: share of the rows in which they would agree by chance.
    """

    agreeing: int
    rows: int
    chance: float

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen 1960); 1 where all rows agree."""
        return 1 - (1 - self.agreeing / self.rows) / (1 - self.chance) if self.agreeing < self.rows else 1.0

    @property
    def kappa_at_least(self) -> float:
        """Lower confidence bound of kappa (95 %, one-sided), from that of the agreement (Wilson 1927)."""
        share, n = self.agreeing / self.rows, self.rows
        middle = share + _Z**2 / (2 * n)
        low = (middle - _Z * float(np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)))) / (1 + _Z**2 / n)
        return 1 - (1 - low) / (1 - self.chance) if self.chance < 1 else 0.0


_Z = 1.645


def agreement_of(feature: CodedColumn, target: CodedColumn) -> Agreement | None:
    """Return how well the feature's values stand for classes; None unless each class has a value of its own.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    if feature.distinct > target.distinct + _SPARE_VALUES:
        return None
    # a gap counts as one more value: a feature may be missing for one class alone
    cells = (feature.codes + 1) * target.distinct + target.codes
    counts = np.bincount(cells, minlength=(feature.distinct + 1) * target.distinct).reshape(-1, target.distinct)
    best = counts.argmax(axis=0)
    if np.unique(best).size < target.distinct:
        return None
    agreeing, rows = int(counts.max(axis=0).sum()), int(counts.sum())
    return Agreement(agreeing, rows, float((counts.sum(axis=1)[best] * counts.sum(axis=0)).sum()) / rows**2)


def _recoding(feature: CodedColumn, target: CodedColumn) -> str:
    found = agreement_of(feature, target)
    if found is None:
        return ""
    if found.agreeing == found.rows:
        return f"is the target under other names: one value for each class in all {found.rows:,} rows"
    if found.agreeing / found.rows > NEAR_COPY_AGREEMENT and found.kappa >= NEAR_COPY_KAPPA:
        where = f"{found.agreeing:,} of {found.rows:,} rows"
        return f"is nearly the target under other names: one value for each class in {where}"
    return ""


def _revealing_gap(feature: CodedColumn, target: CodedColumn, large: Array) -> str:
    """Find a class in all of whose rows, and in no other, the feature is missing (or, only there, present)."""
    missing = ~feature.present
    gaps, rows = int(missing.sum()), missing.size
    if gaps in {0, rows}:
        return ""
    by_class = np.bincount(target.codes, weights=missing, minlength=target.distinct)
    sizes = np.bincount(target.codes, minlength=target.distinct)
    where = {
        "one class": large & (by_class == sizes) & (sizes == gaps),
        "all classes but one": large & (by_class == 0) & (sizes == rows - gaps),
    }
    classes = next((words for words, found in where.items() if found.any()), "")
    return f"is missing in all rows of {classes}, and in no others" if classes else ""


def _number_copies(table: CheckedTable, name: str, rows: Array | None, members: int) -> _Search:  # noqa: ARG001
    """Compare features with a target of numbers."""
    if table.kind(name) not in NUMBERS:
        return _nothing
    target = as_floats(values_of(table, name, rows))

    def reason(name: str) -> str:
        if table.kind(name) not in NUMBERS:
            return ""
        feature = as_floats(values_of(table, name, rows))
        both = np.isfinite(target) & np.isfinite(feature)
        return _same_number(feature[both], target[both])

    return reason


def _same_number(feature: Array, target: Array) -> str:
    if target.size < MIN_ROWS:
        return ""
    correlation = correlated(feature, target)
    if abs(correlation) > COPY_CORRELATION:
        same = "equals the target" if np.array_equal(feature, target) else "is the target in another unit"
        return f"{same}: correlation {correlation:.9f} over {target.size:,} rows"
    equal = int((feature == target).sum())
    # numbers that repeat, such as counts that are mostly zero, are equal by chance
    if equal / target.size > NEAR_COPY_AGREEMENT and abs(correlation) > NEAR_COPY_KAPPA:
        return f"equals the target in {equal:,} of {target.size:,} rows"
    return ""


def correlated(left: Array, right: Array) -> float:
    """Return Pearson's correlation of finite numbers; 0 where one of them does not vary."""
    if not left.size:
        return 0.0
    left, right = (values / (np.abs(values).max() or 1.0) for values in (left, right))  # squares of huge ones overflow
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / scale if scale > 0 else 0.0
