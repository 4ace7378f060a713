"""Columns that together are the target: sums, products, ratios, comparisons and look-up tables that reproduce it.

A relation is searched in two thousand rows and confirmed in the sentinel's whole sample, so that the cost does not grow
with the table. Only what holds in every row, to rounding, counts: no relation of real data does. What a relation needs
to be one, and no accident of generated data, stands with each search.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.copies import copies_of_target
from assay.gate.sentinel.encodings import means_of_own_rows
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    NUMBERS,
    Array,
    checked_features,
    coded,
    reported,
    sampled_rows,
    sentinel_check,
    squarable,
    values_of,
)
from assay.gate.sentinel.row_order import time_relations
from assay.gate.sentinel.scores import Parts, least_squares, parts_of_numbers
from assay.specs.pipeline import PipelineSpec

_EXPECTED = f"no few features together are the target; {ADVICE}"
SEARCHED_ROWS = 2000
_CONFIRMED_ROWS = 20_000
_PAIRED_COLUMNS = 40
MIN_LEVELS = 20
"""A target of fewer numbers is met by chance."""
Reasons: TypeAlias = dict[str, str]


@sentinel_check("target_not_reconstructible", _EXPECTED, fewest=4 * MIN_ROWS)
def target_not_reconstructible(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no few features give the target exactly."""
    rows, target = sampled_rows(table), spec.dataset.target
    copies = copies_of_target(table, spec)
    features = [name for name in checked_features(table, spec) if name not in copies]
    reasons = means_of_own_rows(table, target, features) or looked_up(table, target, features, rows)
    reasons |= time_relations(table, target, features, set()).later
    if not reasons:
        search = compared_numbers if spec.task.is_classification else computed_numbers
        reasons = search(table, target, features, rows)
    return reported(reasons, observed="no few features give the target", expected=_EXPECTED)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numeric features without gaps, and the target, of the same rows; float64.

    Attributes:
        names: the features.
        values: shape (rows, features).
        target: shape (rows,).
    """

    names: tuple[str, ...]
    values: Array
    target: Array

    def every(self, rows: int) -> "Numbers":
        """Return about so many rows, evenly spread."""
        step = max(1, self.target.size // rows)
        return Numbers(self.names, self.values[::step], self.target[::step])


def numbers_of(table: CheckedTable, target: Array, features: Sequence[str], rows: Array | None) -> Numbers:
    """Return the numeric features that vary, in the rows that have all of them.

    A feature whose gaps would cost half of the rows stays out.
    """
    complete = np.isfinite(target)
    found: dict[str, Array] = {}
    enough = max(MIN_ROWS, int(complete.sum()) // 2)
    for name in features:
        if table.kind(name) not in NUMBERS or len(found) == _PAIRED_COLUMNS:
            continue
        values = squarable(values_of(table, name, rows))
        both = complete & np.isfinite(values)
        if both.sum() >= enough and np.ptp(values[both]) > 0:
            found[name], complete = values, both
    columns = [values[complete] for values in found.values()]
    return Numbers(tuple(found), np.column_stack(columns) if columns else np.empty((0, 0)), target[complete])


_EXACT = 1e-9
_NEARLY = 1e-4
_TERMS = 4
_TERM_ROWS = 500
_NEGLIGIBLE = 1e-8
_COLLINEAR = 1e-6
_POWERS = np.array([-3, -2, -1, -0.5, 0.5, 1, 2, 3])


def computed_numbers(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find a target of numbers that a short formula gives: a sum, a product, or a sum of products and ratios.

    Weights must be short numbers, as people write them: the columns of a linear model without noise have long ones.
    """
    if table.kind(target) not in NUMBERS:
        return {}
    numbers = numbers_of(table, squarable(values_of(table, target, rows)), features, rows)
    few = numbers.every(SEARCHED_ROWS)
    if len(numbers.names) < 2 or np.unique(few.target).size < MIN_LEVELS:  # noqa: PLR2004 - a formula joins two
        return {}
    for formula in (_sum_of_columns, _power_product, _sum_of_pairs):
        found = formula(few)
        if found is not None and _reproduces(found, numbers):
            names = tuple(name for name in numbers.names if name in found.columns)
            return dict.fromkeys(names, f"gives the target with others: {target} = {found}, in every row")
    return {}


@dataclass(frozen=True, slots=True)
class Formula:
    """A sum of terms, each a column or two columns joined.

    Attributes:
        terms: weight by (operation, left, right); a column alone has the operation "" and itself on both sides.
        constant: what is added.
    """

    terms: "dict[tuple[str, str, str], float]"
    constant: float = 0.0
    exponents: "dict[str, float] | None" = None
    """Of a product of powers, whose factor is `constant`."""

    @property
    def columns(self) -> set[str]:
        """Every column of the formula."""
        return set(self.exponents or ()) | {name for _, left, right in self.terms for name in (left, right)}

    def __str__(self) -> str:
        """Return the formula in words."""
        if self.exponents is not None:
            factors = [name if power == 1 else f"{name}^{power:g}" for name, power in self.exponents.items()]
            return " x ".join([*([f"{self.constant:.4g}"] if abs(self.constant - 1) > _NEARLY else []), *factors])
        terms = [f"{weight:.4g} x {_worded(term)}" for term, weight in self.terms.items()]
        return " + ".join(terms + ([f"{self.constant:.4g}"] if self.constant else []))

    def of(self, numbers: Numbers) -> Array:
        """Return the formula's values, shape (rows,)."""
        place = {name: numbers.values[:, index] for index, name in enumerate(numbers.names)}
        with np.errstate(all="ignore"):
            if self.exponents is not None:
                powers = [np.power(np.abs(place[name]), power) for name, power in self.exponents.items()]
                product: Array = self.constant * np.prod(powers, axis=0)
                return product
            parts = [weight * _joined(op, place[a], place[b]) for (op, a, b), weight in self.terms.items()]
        total: Array = np.sum(parts, axis=0) + self.constant
        return total


def _worded(term: tuple[str, str, str]) -> str:
    operation, left, right = term
    if operation in {"min", "max"}:
        return f"{operation}({left}, {right})"
    return f"|{left} - {right}|" if operation == "gap" else f"({left} {operation} {right})" if operation else left


def _joined(operation: str, left: Array, right: Array) -> Array:
    if not operation:
        return left
    found: Array = np.abs(left - right) if operation == "gap" else _JOINS[operation](left, right)
    return found


_JOINS: dict[str, np.ufunc] = {
    "x": np.multiply,
    "/": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "-": np.subtract,
}


def _reproduces(formula: Formula, numbers: Numbers) -> bool:
    """Return whether a formula gives every number, within half a unit of its last digit."""
    numbers = numbers.every(_CONFIRMED_ROWS)
    missed = np.abs(formula.of(numbers) - numbers.target)
    usable = np.isfinite(missed)
    if usable.sum() < max(MIN_ROWS, usable.size // 2):
        return False
    missed, wanted = missed[usable], numbers.target[usable]
    unit = last_digit(wanted)
    allowed = np.maximum(1e-6 * np.abs(wanted), 0.51 * unit) + _EXACT * float(wanted.std())
    # a coarse unit is met by chance
    fine = unit < float(wanted.std()) / 10
    return bool(fine and (missed <= allowed).mean() >= 0.999)  # noqa: PLR2004 - a few rows may be corrected


def last_digit(values: Array) -> float:
    """Return the unit of the last digit to which numbers are rounded: 1, 0.1 ... 1e-6; 0 where they are not."""
    for places in range(7):
        scaled = values * 10.0**places
        if (np.abs(scaled - np.round(scaled)) <= 1e-7 * np.maximum(1, np.abs(scaled))).all():
            return float(10.0**-places)
    return 0.0


def is_short(value: float) -> bool:
    """Return whether a number has at most three digits, or is one over a whole number up to 10,000, or its multiple."""
    if value == 0:
        return True
    for candidate in (abs(value), 1 / abs(value)):
        scaled = candidate / 10.0 ** np.floor(np.log10(candidate))
        if abs(scaled * 100 - round(scaled * 100)) <= 0.01:  # noqa: PLR2004 - a ten-thousandth of the third digit
            return True
    return False


def _shortened(value: float) -> float:
    """Return the short number that a fitted weight stands for."""
    for inverted in (False, True):
        candidate = 1 / value if inverted else value
        near = round(candidate, 2 - int(np.floor(np.log10(abs(candidate)))))
        if near and abs(candidate - near) <= _NEARLY * abs(candidate):
            return 1 / near if inverted else near
    return value


def _formula(parts: Parts | None, terms: "dict[str, tuple[str, str, str]]") -> Formula | None:
    """Return the formula of fitted parts whose weights are short numbers."""
    if parts is None or not all(is_short(weight) for weight in parts.weights.values()):
        return None
    weights = {terms[name]: _shortened(weight) for name, weight in parts.weights.items()}
    return Formula(weights, parts.constant)


def _sum_of_columns(numbers: Numbers) -> Formula | None:
    parts = parts_of_numbers(numbers.names, numbers.values, numbers.target, exact=1 - _NEARLY)
    return _formula(parts, {name: ("", name, name) for name in numbers.names})


def _power_product(numbers: Numbers) -> Formula | None:
    """Find a product of powers: a sum in logarithms."""
    positive = np.flatnonzero((numbers.values > 0).mean(axis=0) > 0.5)  # noqa: PLR2004 - half of the rows are left
    rows = (numbers.values[:, positive] > 0).all(axis=1) & (numbers.target > 0)
    if positive.size < 2 or rows.sum() < MIN_ROWS * 2:  # noqa: PLR2004 - a product joins two
        return None
    names = [numbers.names[index] for index in positive]
    logs = np.log(numbers.values[rows][:, positive])
    parts = parts_of_numbers(names, logs, np.log(numbers.target[rows]), exact=1 - 1e-3)
    if parts is None:
        return None
    powers = {name: float(_POWERS[np.abs(_POWERS - weight).argmin()]) for name, weight in parts.weights.items()}
    if any(abs(powers[name] - weight) > 0.05 for name, weight in parts.weights.items()):  # noqa: PLR2004
        return None
    product = Formula({}, 1.0, powers).of(numbers)[rows]
    return Formula({}, float(np.median(numbers.target[rows] / product)), powers)


def _sum_of_pairs(numbers: Numbers) -> Formula | None:
    """Find a sum of columns and of products, ratios, extremes and distances of two columns.

    Terms are chosen one after the other, each the one that explains most of what the chosen leave: orthogonal least
    squares (Chen, Billings and Luo 1989).
    """
    numbers = numbers.every(_TERM_ROWS)
    pairs, values = _pair_values(numbers, ("x", "/", "min", "max", "gap"))
    terms = [*(("", name, name) for name in numbers.names), *pairs]
    left = np.column_stack([numbers.values, values])
    left = left - left.mean(axis=0)
    spread = np.sqrt((left**2).sum(axis=0))
    wanted = numbers.target - numbers.target.mean()
    total, chosen = float(wanted @ wanted), list[int]()
    while len(chosen) < _TERMS and float(wanted @ wanted) > _NEGLIGIBLE * total:
        lengths = np.sqrt((left**2).sum(axis=0))
        usable = lengths > _COLLINEAR * spread
        explained = np.where(usable, np.abs(wanted @ left) / np.where(usable, lengths, 1.0), 0.0)
        best = int(explained.argmax())
        direction = left[:, best] / (lengths[best] or 1.0)
        chosen.append(best)
        wanted = wanted - direction * float(direction @ wanted)
        left = left - direction[:, None] * (direction @ left)
    if not chosen or float(wanted @ wanted) > _NEGLIGIBLE * total:
        return None
    every = np.column_stack([_joined(terms[at][0], *_both(numbers, terms[at])) for at in chosen])
    _, weights = least_squares(every, numbers.target)
    constant = float(numbers.target.mean() - every.mean(axis=0) @ weights)
    names = {str(at): terms[at] for at in chosen}
    kept = constant if abs(constant) > _NEARLY * float(numbers.target.std()) else 0.0
    return _formula(
        Parts({str(at): float(weight) for at, weight in zip(chosen, weights, strict=True)}, kept, 1.0), names
    )


def _both(numbers: Numbers, term: tuple[str, str, str]) -> tuple[Array, Array]:
    place = {name: index for index, name in enumerate(numbers.names)}
    return numbers.values[:, place[term[1]]], numbers.values[:, place[term[2]]]


def _pair_values(numbers: Numbers, operations: Sequence[str]) -> "tuple[list[tuple[str, str, str]], Array]":
    """Return the operations on every two columns that give finite numbers, and their values (rows, operations)."""
    terms: list[tuple[str, str, str]] = []
    columns: list[Array] = []
    for left, right in combinations(range(len(numbers.names)), 2):
        for operation in operations:
            pairs = ((left, right), (right, left)) if operation == "/" else ((left, right),)
            for first, second in pairs:
                with np.errstate(all="ignore"):
                    found = _joined(operation, numbers.values[:, first], numbers.values[:, second])
                if np.isfinite(found).all():
                    terms.append((operation, numbers.names[first], numbers.names[second]))
                    columns.append(found)
    return terms, np.column_stack(columns) if columns else np.empty((numbers.target.size, 0))


_NEAR_BOUNDARY = 0.01
_MIN_NEAR = 0.002


def compared_numbers(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find a target of two classes that a comparison of two columns gives: a > b, the sign of a x b, a / b > 0.5.

    Rows must lie close to the boundary on both sides, and no column alone may separate: clusters that lie apart do.
    """
    labels = coded(table, target, rows)
    if labels is None or labels.distinct != 2:  # noqa: PLR2004 - two classes
        return {}
    classes = np.where(labels.present, labels.codes.astype(np.float64), np.nan)
    numbers = numbers_of(table, classes, features, rows)
    few = numbers.every(SEARCHED_ROWS)
    if min(few.target.sum(), few.target.size - few.target.sum()) < MIN_ROWS:
        return {}
    for term in _separating(few):
        if _separates(_term_values(term, numbers.every(_CONFIRMED_ROWS)), numbers.every(_CONFIRMED_ROWS).target):
            words = f"gives the target with another: it is one class where {_worded(term)} is larger, in every row"
            return dict.fromkeys((term[1], term[2]), words)
    return {}


def _term_values(term: tuple[str, str, str], numbers: Numbers) -> Array:
    place = {name: index for index, name in enumerate(numbers.names)}
    with np.errstate(all="ignore"):
        return _joined(term[0], numbers.values[:, place[term[1]]], numbers.values[:, place[term[2]]])


def _separating(numbers: Numbers) -> "Iterator[tuple[str, str, str]]":
    terms, values = _pair_values(numbers, ("-", "x", "/"))
    if not terms:
        return
    first = numbers.target == 1
    low, high = values[first], values[~first]
    apart = (low.min(axis=0) > high.max(axis=0)) | (low.max(axis=0) < high.min(axis=0))
    for index in np.flatnonzero(apart):
        yield terms[index]


def _separates(values: Array, target: Array) -> bool:
    usable = np.isfinite(values)
    inside, outside = values[usable & (target == 1)], values[usable & (target == 0)]
    if min(inside.size, outside.size) < MIN_ROWS:
        return False
    low, high = (inside, outside) if inside.max() < outside.min() else (outside, inside)
    if low.max() >= high.min():
        return False
    width = _NEAR_BOUNDARY * float(np.subtract(*np.quantile(values[usable], [0.95, 0.05])))
    middle = (low.max() + high.min()) / 2
    natural = abs(middle) <= width or (is_short(round(float(middle), 3)) and abs(high.min() - low.max()) <= width)
    near = min((low > middle - 5 * width).mean(), (high < middle + 5 * width).mean())
    return bool(natural and high.min() - low.max() <= width and near >= _MIN_NEAR)


_LOOKED_UP = 40
_TRIPLES_UP_TO = 16
_MAX_VALUES = 100
_ROWS_PER_KEY = 10
_MIN_KAPPA = 0.99


def looked_up(table: CheckedTable, target: str, features: Sequence[str], rows: Array | None) -> Reasons:
    """Find one, two or three columns of few values whose combinations fix the target in every row.

    Whether a value is missing is such a column too. There must be far fewer combinations than rows, and combinations
    learned in one half of the rows must give the target of the other half.
    """
    labels = coded(table, target, rows)
    if labels is None or not labels.present.any():
        return {}
    present = labels.present
    wanted = labels.in_rows(present)
    names, codes = _few_valued(table, features, rows, present, wanted.codes.size)
    step = max(1, wanted.codes.size // SEARCHED_ROWS)
    few = [(code[::step], size) for code, size in codes]
    goal = wanted.codes[::step]
    for width in (1, 2, 3) if len(names) <= _TRIPLES_UP_TO else (1, 2):
        for chosen in combinations(range(len(names)), width):
            if len({names[index][0] for index in chosen}) < width:
                continue
            if _fixes([few[index] for index in chosen], goal) and _fixes(
                [codes[index] for index in chosen], wanted.codes
            ):
                words = [f"{names[index][0]}{' (missing or not)' if names[index][1] else ''}" for index in chosen]
                keys = f"gives the target{' with others' if width > 1 else ''}: each combination of {', '.join(words)}"
                return dict.fromkeys((names[index][0] for index in chosen), f"{keys} has one value of it")
    return {}


def _few_valued(
    table: CheckedTable, features: Sequence[str], rows: Array | None, present: Array, count: int
) -> "tuple[list[tuple[str, bool]], list[tuple[Array, int]]]":
    """Return columns of few values as codes from 0, a gap being one more, and every gap as a column of its own."""
    names: list[tuple[str, bool]] = []
    codes: list[tuple[Array, int]] = []
    limit = min(_MAX_VALUES, count // _ROWS_PER_KEY)
    for name in features:
        column = coded(table, name, rows)
        if column is None or len(codes) >= _LOOKED_UP:
            continue
        inside = column.in_rows(present)
        if column.distinct <= limit:
            names.append((name, False))
            codes.append((inside.codes + 1, column.distinct + 1))
        elif not inside.present.all() and inside.present.any():
            names.append((name, True))
            codes.append((inside.present.astype(np.int64), 2))
    return names, codes


def _fixes(columns: "Sequence[tuple[Array, int]]", goal: Array) -> bool:
    """Return whether combinations of codes learned in the even rows give the goal of the odd ones, and vary it."""
    keys = np.zeros(goal.size, dtype=np.int64)
    for code, size in columns:
        keys = keys * size + code
    cells = int(np.prod([size for _, size in columns]))
    if cells > goal.size * 50:
        keys, cells = np.unique(keys, return_inverse=True)[1], goal.size
    learned = np.full(cells, -1, dtype=np.int64)
    learned[keys[::2]] = goal[::2]
    # contradictions within the learned half
    if (learned[keys[::2]] != goal[::2]).any():
        return False
    known = learned[keys[1::2]]
    seen = known >= 0
    if (known[seen] != goal[1::2][seen]).any() or seen.mean() < 0.95:  # noqa: PLR2004 - else keys name rows
        return False
    used = np.count_nonzero(np.bincount(keys, minlength=cells))
    sizes = np.bincount(goal)
    enough = np.sort(sizes)[-2:].min() >= MIN_ROWS if np.count_nonzero(sizes) > 1 else False
    return bool(used * _ROWS_PER_KEY <= goal.size and enough)
