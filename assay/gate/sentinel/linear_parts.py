"""A target of numbers that is put together from a few features: `casual + registered = cnt`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.gate.judged_table import JudgedTable
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, as_floats, values_of

EXACT_FIT = 1 - 1e-6
"""R2 from which the target is a combination, beyond what any model of real data reaches."""
MAX_PARTS = 5
"""More parts than this are a model, not a sum."""
_FITTED_ROWS = 1000
_FITTED_COLUMNS = 200
_ROWS_PER_COLUMN = 4
_ROUNDING = 1e-3
_HUGE = 1e100
"""Squares of larger numbers overflow; they count as missing, as infinite ones do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Features whose weighted sum is the target.

    Attributes:
        weights: the factor of each feature.
        constant: what is added.
        fit: R2 over all rows looked at.
    """

    weights: dict[str, float]
    constant: float
    fit: float

    def __str__(self) -> str:
        """Return the sum in words."""
        terms = [f"{weight:.4g} x {name}" for name, weight in self.weights.items()]
        return " + ".join(terms + ([f"{self.constant:.4g}"] if self.constant else []))


def parts_of_target(table: JudgedTable, target: str, features: Sequence[str], rows: Array | None) -> Parts | None:
    """Find the few features whose weighted sum is the target.

    Least squares of all of them first; then backward elimination in blocks, smallest contribution first.

    Args:
        table: the rows.
        target: a column of numbers.
        features: where to look.
        rows: the sample; None for all rows.

    Returns:
        The fewest parts found; None where no combination is exact, or only one of more than five.
    """
    names, values, wanted = _complete_rows(table, target, features, rows)
    if not names or wanted.size < MIN_ROWS or float(np.ptp(wanted)) == 0:
        return None
    step = max(1, wanted.size // max(_FITTED_ROWS, _ROWS_PER_COLUMN * len(names)))
    few, few_wanted = values[::step], wanted[::step]
    kept = np.arange(len(names))
    if _fit(few, few_wanted)[0] <= EXACT_FIT:
        return None
    kept = _eliminated(few, few_wanted, kept)
    fit, weights = _fit(values[:, kept], wanted)
    if kept.size > MAX_PARTS or fit <= EXACT_FIT:
        return None
    constant = float(wanted.mean() - values[:, kept].mean(axis=0) @ weights)
    shown = constant if abs(constant) > _ROUNDING * float(wanted.std()) else 0.0
    return Parts({names[place]: float(weight) for place, weight in zip(kept, weights, strict=True)}, shown, fit)


def _complete_rows(
    table: JudgedTable, target: str, features: Sequence[str], rows: Array | None
) -> tuple[list[str], Array, Array]:
    """Return the numbers of the rows that have all of them; a feature that would cost half of the rows stays out."""
    wanted = as_floats(values_of(table, target, rows))
    complete = np.abs(wanted) < _HUGE
    found: dict[str, Array] = {}
    enough = max(MIN_ROWS, int(complete.sum()) // 2)
    for name in features:
        if table.kind(name) not in NUMBERS:
            continue
        values = as_floats(values_of(table, name, rows))
        both = complete & (np.abs(values) < _HUGE)
        if both.sum() >= max(enough, _ROWS_PER_COLUMN * (len(found) + 2)) and len(found) < _FITTED_COLUMNS:
            found[name], complete = values, both
    columns = [values[complete] for values in found.values()]
    return list(found), np.column_stack(columns) if columns else np.empty((0, 0)), wanted[complete]


def _eliminated(values: Array, wanted: Array, kept: Array) -> Array:
    block = kept.size // 2
    while block:
        _, weights = _fit(values[:, kept], wanted)
        order = np.argsort(np.abs(weights) * values[:, kept].std(axis=0))
        smaller = [np.delete(kept, order[start : start + block]) for start in range(0, kept.size - block, block)]
        exact = (chosen for chosen in smaller if _fit(values[:, chosen], wanted)[0] > EXACT_FIT)
        chosen = next(exact, None)
        if chosen is None:
            block //= 2
        else:
            kept, block = chosen, min(block, chosen.size // 2)
    return kept


def _fit(values: Array, wanted: Array) -> tuple[float, Array]:
    """Return R2 and the weights of least squares with a constant."""
    middle, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    centred = wanted - wanted.mean()
    standard = (values - middle) / scale
    weights = np.linalg.lstsq(standard, centred, rcond=None)[0]
    left = centred - standard @ weights
    return 1 - float(left @ left) / float(centred @ centred), weights / scale
