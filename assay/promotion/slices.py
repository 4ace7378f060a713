"""Slices of the holdout on which a challenger may be worse than the champion, declared and found.

Columns of `evaluation.slices` are compared value by value. Further slices are found on the rows' losses, by the values
of categories and the quarters of numbers, alone and in pairs (Chung et al. 2019, "Slice Finder"; Sagadeeva and Boehm
2021, "SliceLine", whose enumeration by matrix products this is). A slice is worse only if the interval of its loss says
so after Bonferroni's correction for all slices that were scanned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from assay.data.schema import TableSchema
from assay.learning.evaluation.bootstrap import Effect, effects
from assay.learning.evaluation.predictions import Predictions, codes
from assay.promotion.comparison import Comparison
from assay.specs.base import Spec
from assay.specs.dataset import ColumnRole
from assay.specs.operations import SliceBoundsSpec
from assay.specs.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd

_MOST_VALUES = 20
_MOST_BASES = 400
_MOST_PAIRED = 20
_MOST_FOUND = 10
_LEAST_STATISTIC = 2.0
_QUARTERS = 4
_SCANNED_ROLES = {ColumnRole.CATEGORICAL, ColumnRole.BOOLEAN, ColumnRole.NUMERIC, ColumnRole.DATETIME}
_NEVER = np.finfo(np.float64).eps


class SliceComparison(Spec):
    """Champion and challenger on one slice, in the primary metric."""

    name: str
    """Such as `segment = b`."""
    rows: int
    champion: float
    challenger: float
    loss: float
    """By how much the challenger is worse, in the metric's unit."""
    loss_lower_bound: float
    """Lower end of the loss's one-sided interval, corrected for the number of slices."""
    declared: bool
    """Whether `evaluation.slices` names it."""
    ruined: bool
    """Whether the loss exceeds the bound and its lower end exceeds 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Rows by a condition.

    Attributes:
        name: the condition, for people.
        inside: which rows it is true of, shape (n,).
        statistic: by how many standard errors their mean loss exceeds that of all rows.
    """

    name: str
    inside: np.ndarray
    statistic: float = 0.0


def compare_slices(
    made: Comparison, features: TableSchema, rule: SliceBoundsSpec, bound: float, spec: PipelineSpec
) -> tuple[SliceComparison, ...]:
    """Compare both models on declared and found slices, worst loss first.

    Slices of fewer than `min_rows` rows, and those where the metric has no value, are left out.

    Args:
        made: the comparison on all rows.
        features: columns and roles of the holdout frame.
        rule: how slices are found.
        bound: loss that ruins a slice, in the metric's unit.
        spec: the pipeline.
    """
    declared = [each for name in spec.evaluation.slices for each in _by_value(made.features, name, features)]
    declared = [each for each in declared if each.inside.sum() >= rule.min_rows]
    changes = row_losses(made.pair.truth, made.pair.new) - row_losses(made.pair.truth, made.pair.old)
    found, scanned = worst_slices(changes, made.features, features, rule.min_rows) if rule.find else ([], 0)
    names = {each.name for each in declared}
    found = [each for each in found if each.name not in names]
    wanted = [(made.primary, each.inside) for each in (*declared, *found)]
    compared = effects(wanted, made.pair, made.units, spec.training.seed) if wanted else ()
    judged = []
    for number, (part, effect) in enumerate(zip((*declared, *found), compared, strict=True)):
        is_declared = number < len(declared)
        error = (1 - spec.promotion.confidence) / (len(declared) if is_declared else scanned)
        judged += list(_judged(part, effect, made, error, bound, declared=is_declared))
    return tuple(sorted(judged, key=lambda each: -each.loss_lower_bound))


def _judged(
    part: Slice, effect: Effect, made: Comparison, error: float, bound: float, *, declared: bool
) -> Iterator[SliceComparison]:
    from scipy.stats import t

    if effect.old is None or effect.new is None or effect.value is None or not np.isfinite(effect.spread):
        return
    freedom = max(made.units.number(part.inside) - 1, 1)
    lower = -effect.value - float(t.ppf(1 - error, freedom)) * effect.spread
    yield SliceComparison(
        name=part.name,
        rows=int(part.inside.sum()),
        champion=effect.old,
        challenger=effect.new,
        loss=-effect.value,
        loss_lower_bound=lower,
        declared=declared,
        ruined=-effect.value > bound and lower > 0,
    )


def _by_value(frame: "pd.DataFrame", name: str, features: TableSchema) -> Iterator[Slice]:
    """Yield the rows of each frequent value of a column; personal values are not shown."""
    column = frame[name]
    values = column.astype(object).where(column.notna(), "(missing)").map(_written)
    for rank, value in enumerate(values.value_counts().head(_MOST_VALUES).index, start=1):
        shown = f"(personal value {rank})" if features[name].pii else value
        yield Slice(f"{name} = {shown}", (values == value).to_numpy())


def _by_quarter(frame: "pd.DataFrame", name: str, features: TableSchema) -> Iterator[Slice]:
    import pandas as pd

    column = frame[name]
    quarters = pd.qcut(column, _QUARTERS, duplicates="drop")
    last = len(quarters.cat.categories)
    for rank, quarter in enumerate(quarters.cat.categories, start=1):
        below = "" if rank == 1 else f"{_written(quarter.left)} < "
        above = "" if rank == last else f" ≤ {_written(quarter.right)}"
        shown = f"{name} (personal quarter {rank})" if features[name].pii else f"{below}{name}{above}"
        yield Slice(shown, (quarters == quarter).to_numpy())
    if column.isna().any():
        yield Slice(f"{name} = (missing)", column.isna().to_numpy())


def _written(value: object) -> str:
    """Return a value as text, a whole number without a fraction."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _bases(frame: "pd.DataFrame", features: TableSchema) -> Iterator[Slice]:
    for column in features.columns:
        if column.role not in _SCANNED_ROLES:
            continue
        many = column.role in {ColumnRole.NUMERIC, ColumnRole.DATETIME} and frame[column.name].nunique() > _MOST_VALUES
        yield from (_by_quarter if many else _by_value)(frame, column.name, features)


def worst_slices(
    losses: np.ndarray, frame: "pd.DataFrame", features: TableSchema, min_rows: int
) -> tuple[list[Slice], int]:
    """Return the slices whose rows lose most, and how many were scanned.

    What all rows lose alike is left out.

    Args:
        losses: of each row, shape (n,).
        frame: shape (n, columns).
        features: columns and roles of the frame.
        min_rows: smaller slices are left out.
    """
    losses = losses - losses.mean()
    spread = float(losses.std())
    bases = [each for each in _bases(frame, features) if each.inside.sum() >= min_rows][:_MOST_BASES]
    if not bases or spread == 0:
        return [], 0
    masks = np.column_stack([each.inside for each in bases]).astype(np.float64)
    alone = _statistics(masks.T @ losses, masks.sum(axis=0), spread, min_rows)
    first = np.argsort(-alone)[:_MOST_PAIRED]
    chosen = masks[:, first]
    pairs = _statistics((chosen * losses[:, None]).T @ masks, chosen.T @ masks, spread, min_rows)
    pairs[np.arange(len(first)), first] = -np.inf
    both = [replace(bases[number], statistic=float(alone[number])) for number in first]
    for row, column in zip(*np.unravel_index(np.argsort(-pairs, axis=None)[:_MOST_FOUND], pairs.shape), strict=True):
        one, other = bases[first[row]], bases[column]
        # a pair is worth its name only where it is worse than both of its parts
        if pairs[row, column] > max(alone[first[row]], alone[column]):
            name = " and ".join(sorted((one.name, other.name)))
            both.append(Slice(name, one.inside & other.inside, float(pairs[row, column])))
    both.sort(key=lambda each: -each.statistic)
    worst = {each.name: each for each in both if each.statistic > _LEAST_STATISTIC}
    return list(worst.values())[:_MOST_FOUND], len(bases) + pairs.size


def _statistics(sums: np.ndarray, rows: np.ndarray, spread: float, min_rows: int) -> np.ndarray:
    """Return the excess loss of each slice in standard errors; minus infinity for slices that are too small."""
    found: np.ndarray = np.where(rows >= min_rows, sums / (np.sqrt(np.maximum(rows, 1)) * spread), -np.inf)
    return found


def row_losses(truth: np.ndarray, predictions: Predictions) -> np.ndarray:
    """Return the loss of each row, shape (n,): squared error, log loss, or 0 and 1 without probabilities."""
    if not predictions.classes:
        return np.asarray((predictions.labels - truth.astype(np.float64)) ** 2)
    if predictions.probabilities is None:
        return np.asarray(predictions.labels != truth, dtype=np.float64)
    coded = codes(truth, predictions.classes)
    known = coded < len(predictions.classes)
    stated = np.zeros(len(truth))
    stated[known] = predictions.probabilities[np.flatnonzero(known), coded[known]]
    return np.asarray(-np.log(np.clip(stated, _NEVER, 1)))
