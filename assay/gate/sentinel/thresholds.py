"""Weighted sums and products of powers of a few columns whose threshold gives two classes in every row.

Weights are estimated by logistic regression of the columns, or of their logarithms, shortened to the ratios that people
write, and confirmed: no row may lie on the wrong side, though rows lie close to the threshold on both sides. Labels
without a rule are not separable by so few weights (Cover 1965), and classes that lie apart leave a gap.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from assay.gate.sentinel.features import MIN_ROWS, Array
from assay.gate.sentinel.formulas import last_digit
from assay.gate.sentinel.joined_columns import CONFIRMED_ROWS, SEARCHED_ROWS, Numbers, Reasons

NEARLY = 0.97
"""AUC of least squares from which weights are searched."""
_PARTS = 5
_NEGLIGIBLE = 0.05
_STEPS = 12
_RIDGE = 1e-3
_NEAR = 0.15
_MOST_TRIED = 200
_RATIOS = np.unique([up / down for up in range(1, 11) for down in range(1, 11)])
_POWERS = np.array([0.5, 1, 2, 3, 1 / 2, 1 / 3, 2 / 3, 3 / 2])


def thresholds(numbers: Numbers) -> Reasons:
    """Find a weighted sum, or a product of powers, whose threshold gives the target of two classes.

    Args:
        numbers: with a target of 0 and 1.
    """
    few, many = numbers.every(SEARCHED_ROWS), numbers.every(CONFIRMED_ROWS)
    for logarithms in (False, True):
        usable = np.asarray((few.values > 0).all(axis=0)) if logarithms else np.ones(len(few.names), dtype=bool)
        names = [name for name, use in zip(few.names, usable, strict=True) if use]
        values = np.log(few.values[:, usable]) if logarithms else few.values[:, usable]
        for weights in _shortened(values, few.target, _POWERS if logarithms else _RATIOS):
            chosen = np.flatnonzero(weights)
            columns = many.values[:, usable][:, chosen]
            joined_values = _joined(columns, weights[chosen], logarithms)
            step = _one_unit(columns, weights[chosen], joined_values, logarithms)
            if _separates(joined_values, many.target, step):
                joined = [names[index] for index in chosen]
                return dict.fromkeys(joined, _words(joined, weights[chosen], many.target.size, logarithms=logarithms))
    return {}


def _words(names: Sequence[str], weights: Array, rows: int, *, logarithms: bool) -> str:
    parts = [
        (f"{name}^{weight:.3g}" if logarithms else f"{weight:.3g} x {name}")
        for name, weight in zip(names, weights, strict=True)
    ]
    rule = " x ".join(parts) if logarithms else " + ".join(parts)
    return f"gives the target with others: it is one class where {rule} is larger, in all {rows:,} rows compared"


def _joined(values: Array, weights: Array, logarithms: bool) -> Array:  # noqa: FBT001 - one of two forms
    with np.errstate(all="ignore"):
        found: Array = np.prod(values**weights, axis=1) if logarithms else values @ weights
    return found


def _one_unit(columns: Array, weights: Array, joined: Array, logarithms: bool) -> float:  # noqa: FBT001 - as above
    """Return by how much a rule's value changes with one unit of the last digit of its coarsest column."""
    steps = []
    for index, column in enumerate(columns.T):
        moved = columns.copy()
        moved[:, index] += last_digit(column)
        steps.append(float(np.median(np.abs(_joined(moved, weights, logarithms) - joined))))
    return max(steps)


def _shortened(values: Array, target: Array, ratios: Array) -> Iterator[Array]:
    """Yield short weights near those of a logistic regression, the largest being 1, nearest first."""
    if values.shape[1] < 2 or not _is_nearly_linear(values, target):  # noqa: PLR2004 - a rule joins two
        return
    spread = values.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    kept = np.flatnonzero(spread > 0)
    fitted = _logistic((values - values.mean(axis=0))[:, kept] / scale[kept], target)
    kept = kept[np.abs(fitted) >= _NEGLIGIBLE * np.abs(fitted).max()]
    if not 2 <= kept.size <= _PARTS:  # noqa: PLR2004 - as above
        return
    fitted = _logistic((values - values.mean(axis=0))[:, kept] / scale[kept], target) / scale[kept]
    first = int(np.argmax(np.abs(fitted) * scale[kept]))
    choices = [_close(weight / fitted[first], ratios) for weight in fitted]
    if not all(choices):
        return
    wanted = fitted / fitted[first]
    tried = sorted(product(*choices), key=lambda each: float(np.abs(np.array(each) / wanted - 1).sum()))
    for weights in tried[:_MOST_TRIED]:
        found = np.zeros(values.shape[1])
        found[kept] = weights
        yield found


def _close(ratio: float, ratios: Array) -> list[float]:
    """Return the short ratios near one, with its sign."""
    return [float(np.sign(ratio) * each) for each in ratios if abs(each / abs(ratio) - 1) <= _NEAR]


def _is_nearly_linear(values: Array, target: Array) -> bool:
    centred = values - values.mean(axis=0)
    weights = np.linalg.pinv(centred.T @ centred, hermitian=True) @ (centred.T @ (target - target.mean()))
    ranks = (centred @ weights).argsort().argsort() + 1
    members = float(target.sum())
    others = target.size - members
    return bool((ranks[target == 1].sum() - members * (members + 1) / 2) / (members * others) >= NEARLY)


def _logistic(values: Array, target: Array) -> Array:
    """Return the weights of a logistic regression by Newton's method; a small ridge bounds those of separable rows."""
    design = np.column_stack([np.ones(target.size), values])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (target - chance) - _RIDGE * weights
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + _RIDGE * np.eye(design.shape[1])
        weights = weights + np.linalg.solve(curve, slope)
    found: Array = weights[1:]
    return found


_GAP = 0.01
_MIN_NEAR = 0.002


def _separates(values: Array, target: Array, step: float) -> bool:
    """Return whether no row is on the wrong side, though rows lie close to the threshold on both."""
    usable = np.isfinite(values)
    inside, outside = values[usable & (target == 1)], values[usable & (target == 0)]
    if min(inside.size, outside.size) < MIN_ROWS:
        return False
    low, high = (inside, outside) if inside.mean() < outside.mean() else (outside, inside)
    width = max(step, _GAP * float(np.subtract(*np.quantile(values[usable], [0.95, 0.05]))))
    if low.max() > high.min() + 1e-9 * abs(low.max()) or high.min() - low.max() > width:
        return False
    middle = (low.max() + high.min()) / 2
    return bool(min((low > middle - 5 * width).mean(), (high < middle + 5 * width).mean()) >= _MIN_NEAR)
