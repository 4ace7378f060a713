"""How many rows each condition of the steps drops, and how many may be dropped."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay import counting
from assay.errors import FeatureStepError
from assay.features.compiling import EARLIER
from assay.features.plan import Plan
from assay.specs.features import FeaturesSpec


@dataclass(frozen=True, slots=True)
class StepCount:
    """What one condition of a filter did.

    Attributes:
        step: title of the step.
        reason: why the rows were dropped; the condition where the file names no reason.
        rows_in: rows before it.
        dropped: rows for which it is not true.
    """

    step: str
    reason: str
    rows_in: int
    dropped: int


def counted(features: FeaturesSpec, plan: Plan, rows: int, stay: Sequence[Sequence[int]]) -> Iterator[StepCount]:
    """Yield what each condition did, by the rows before the first and those that stay after each."""
    counting = [layer for layer in plan.layers if layer.conditions or layer.drops]
    for layer, staying in zip(counting, stay, strict=True):
        if layer.drops:
            if staying[0] < rows:
                yield StepCount(features.title(layer.step), "not selected", rows, rows - staying[0])
            rows = staying[0]
            continue
        for (reason, condition), left in zip(layer.conditions.items(), staying, strict=True):
            if reason == EARLIER:
                continue
            title = features.title(layer.step)
            yield StepCount(title, reason or f"not: {condition.strip()}", rows, rows - left)
            rows = left


def require_enough(features: FeaturesSpec, counts: Sequence[StepCount], rows: int, where: str) -> None:
    """Refuse rows of which more were dropped than the file allows.

    Raises:
        FeatureStepError: a step, or all together, dropped a larger share.
    """
    bounds: dict[str, float | None] = {features.title(n): step.max_dropped for n, step in enumerate(features.steps)}
    for title, bound in bounds.items():
        of_step = [count for count in counts if count.step == title]
        if bound is not None and of_step:
            _require_share(of_step, of_step[0].rows_in, bound, f"{where}, features: {title}", "the step's max_dropped")
    if features.max_dropped is not None:
        _require_share(counts, rows, features.max_dropped, f"{where}, features", "features.max_dropped")


def _require_share(counts: Sequence[StepCount], rows: int, bound: float, where: str, setting: str) -> None:
    dropped = sum(count.dropped for count in counts)
    if dropped <= bound * rows:
        return
    reasons = "; ".join(f"{count.dropped:,} by {count.reason}" for count in counts if count.dropped)
    raise FeatureStepError(
        "more rows are dropped than allowed",
        where=where,
        found=f"{dropped:,} of {counting.counted(rows, 'row')}: {reasons}",
        expected=f"at most {100 * bound:g}%, {math.floor(bound * rows):,} of these rows",
        remedy=f"correct the data or the conditions, or raise {setting}",
    )


def dropped_in_words(counts: Sequence[StepCount]) -> dict[str, str]:
    """Return by the title of each step what it dropped, for people."""
    found: dict[str, list[str]] = {}
    for each in counts:
        found.setdefault(each.step, []).append(f"{each.dropped:,} of {each.rows_in:,} ({each.reason})")
    return {title: ", ".join(texts) for title, texts in found.items()}
