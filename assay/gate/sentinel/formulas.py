"""Formulas that give a target of numbers: sums, products of powers, and sums of operations on two columns.

Only what holds in every row, to rounding, counts: no relation of real data does. Weights must be short numbers, as
people write them: the columns of a linear model without noise have long ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.counting import percent
from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, squarable, values_of
from assay.gate.sentinel.joined_columns import (
    CONFIRMED_ROWS,
    SEARCHED_ROWS,
    Numbers,
    Reasons,
    Term,
    both,
    joined,
    numbers_of,
    pair_values,
    single_values,
    worded,
)
from assay.gate.sentinel.scores import Parts, least_squares, parts_of_numbers

MIN_LEVELS = 20
"""A target of fewer numbers is met by chance."""
_EXACT = 1e-9
_NEARLY = 1e-4
_SUMMANDS = 15
_TERMS = 4
_TERM_ROWS = 500
_PAIRED_TERMS = 1000
_UNSURE = 1e-3
_NEGLIGIBLE = 1e-5
"""Share of the variance that a formula may leave: what rounded numbers lose. Whether it is no more is confirmed."""
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
    for formula in (_sum_of_columns, _power_product, _sum_of_pairs, _sum_of_most_rows, _product_of_most_rows):
        found = formula(few)
        share = _reproduced(found, numbers) if found is not None else 0.0
        if found is not None and share >= MATCHES:
            names = tuple(name for name in numbers.names if name in found.columns)
            where = f"{'all' if share >= 1 else percent(share) + ' of'} the rows compared"
            return dict.fromkeys(names, f"gives the target with others: {target} = {found}, in {where}")
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
        terms = [f"{weight:.4g} x {worded(term)}" for term, weight in self.terms.items()]
        return " + ".join(terms + ([f"{self.constant:.4g}"] if self.constant else []))

    def of(self, numbers: Numbers) -> Array:
        """Return the formula's values, shape (rows,)."""
        place = {name: numbers.values[:, index] for index, name in enumerate(numbers.names)}
        with np.errstate(all="ignore"):
            if self.exponents is not None:
                powers = [np.power(np.abs(place[name]), power) for name, power in self.exponents.items()]
                product: Array = self.constant * np.prod(powers, axis=0)
                return product
            parts = [weight * joined(op, place[a], place[b]) for (op, a, b), weight in self.terms.items()]
        total: Array = np.sum(parts, axis=0) + self.constant
        return total


MATCHES = 0.95
"""Share of the rows that a formula must give to the last digit; others may have been corrected."""


def _reproduced(formula: Formula, numbers: Numbers) -> float:
    """Return in which share of the rows a formula gives the number, within half a unit of its last digit."""
    numbers = numbers.every(CONFIRMED_ROWS)
    missed = np.abs(formula.of(numbers) - numbers.target)
    usable = np.isfinite(missed)
    if usable.sum() < max(MIN_ROWS, usable.size // 2):
        return 0.0
    unknown = _lost_by_rounding(formula, numbers)[usable]
    missed, wanted = missed[usable], numbers.target[usable]
    unit, spread = last_digit(wanted), float(wanted.std())
    # what is coarse is met by chance
    if unit >= spread / _FINE or float(np.median(unknown)) >= spread / _FINER:
        return 0.0
    allowed = np.maximum(1e-6 * np.abs(wanted), 0.51 * unit) + _EXACT * spread + unknown
    return float((missed <= allowed).mean())


_FINE, _FINER = 10, 100
_ROUNDED = 50
"""Units per standard deviation from which a number is a rounded one; coarser ones are counts."""


def _lost_by_rounding(formula: "Formula", numbers: Numbers) -> Array:
    """Return by how much half a unit of the last digit of rounded columns changes a formula's values, shape (rows,)."""
    exact = formula.of(numbers)
    lost = np.zeros(exact.size)
    for index, name in enumerate(numbers.names):
        unit = last_digit(numbers.values[:, index]) if name in formula.columns else 0.0
        # whole numbers may be counts, and counts are exact
        if unit in {0.0, 1.0} or unit * _ROUNDED > float(numbers.values[:, index].std()):
            continue
        shifted = numbers.values.copy()
        shifted[:, index] += 0.51 * unit
        lost += np.nan_to_num(np.abs(formula.of(Numbers(numbers.names, shifted, numbers.target)) - exact))
    return lost


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
    parts = parts_of_numbers(numbers.names, numbers.values, numbers.target, exact=1 - _NEARLY, most=_SUMMANDS)
    return _formula(parts, {name: ("", name, name) for name in numbers.names})


def _sum_of_most_rows(numbers: Numbers) -> Formula | None:
    return _sum_of_columns(_most_alike(numbers, numbers.values, numbers.target))


def _product_of_most_rows(numbers: Numbers) -> Formula | None:
    positive = np.asarray((numbers.values > 0).all(axis=0))
    if positive.sum() < 2 or (numbers.target > 0).mean() < MATCHES:  # noqa: PLR2004 - a product joins two
        return None
    names = [name for name, use in zip(numbers.names, positive, strict=True) if use]
    rows = numbers.target > 0
    kept = Numbers(tuple(names), numbers.values[rows][:, positive], numbers.target[rows])
    return _power_product(_most_alike(kept, np.log(kept.values), np.log(kept.target)))


def _most_alike(numbers: Numbers, values: Array, wanted: Array) -> Numbers:
    """Return the nine tenths of the rows that one linear relation fits best: least trimmed squares (Rousseeuw 1984)."""
    kept = np.arange(wanted.size)
    standard = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-300)
    columns = np.column_stack([np.ones(wanted.size), standard])
    for _ in range(_TRIMMING_STEPS):
        weights = np.linalg.pinv(columns[kept].T @ columns[kept], hermitian=True) @ (columns[kept].T @ wanted[kept])
        missed = np.abs(wanted - columns @ weights)
        kept = np.sort(np.argpartition(missed, int(_TRIMMED * wanted.size))[: int(_TRIMMED * wanted.size)])
    return Numbers(numbers.names, numbers.values[kept], numbers.target[kept])


_TRIMMED, _TRIMMING_STEPS = 0.9, 6


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
    """Find a sum of columns, their logarithms, roots and squares, and products, ratios and the like of two columns."""
    numbers = numbers.every(_TERM_ROWS)
    pairs, values = pair_values(numbers, ("x", "/", "min", "max", "gap"))
    own, own_values = single_values(numbers, ("log", "root", "square", "inverse"))
    terms = [*(("", name, name) for name in numbers.names), *own, *pairs]
    columns = np.column_stack([numbers.values, own_values, values])
    for chosen in (_best_two(columns, numbers.target), _best_in_turn(columns, numbers.target)):
        if chosen and (found := _weighted([terms[at] for at in chosen], numbers)) is not None:
            return found
    return None


def _best_two(columns: Array, target: Array) -> list[int]:
    """Return the two columns that leave next to nothing of the target, of all twos; empty where none do.

    Terms taken one after the other miss them where a third one is nearer to the target than either.
    """
    columns = columns - columns.mean(axis=0)
    lengths = np.sqrt((columns**2).sum(axis=0))
    kept = np.flatnonzero(lengths > _COLLINEAR * np.abs(columns).max(initial=1.0))
    if not 2 <= kept.size <= _PAIRED_TERMS:  # noqa: PLR2004 - two are needed
        return []
    standard = columns[:, kept] / lengths[kept]
    wanted = target - target.mean()
    one = standard.T @ (wanted / np.sqrt(wanted @ wanted))
    both = standard.T @ standard
    apart = 1 - both**2
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = (one[:, None] ** 2 + one[None, :] ** 2 - 2 * one[:, None] * one[None, :] * both) / apart
    fit[apart <= _COLLINEAR] = 0.0
    best = np.unravel_index(int(np.argmax(fit)), fit.shape)
    return [int(kept[at]) for at in best] if fit[best] >= 1 - _NEGLIGIBLE else []


def _best_in_turn(columns: Array, target: Array) -> list[int]:
    """Return the columns that leave next to nothing, each the one that explains most of what the chosen leave.

    Orthogonal least squares (Chen, Billings and Luo 1989).
    """
    left = columns - columns.mean(axis=0)
    spread = np.sqrt((left**2).sum(axis=0))
    wanted = target - target.mean()
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
    return chosen if float(wanted @ wanted) <= _NEGLIGIBLE * total else []


def _weighted(terms: Sequence[Term], numbers: Numbers) -> Formula | None:
    """Return a sum of terms with the weights of least squares; None unless they are short, within their errors."""
    columns = np.column_stack([joined(term[0], *both(numbers, term)) for term in terms])
    fit, weights = least_squares(columns, numbers.target)
    centred = columns - columns.mean(axis=0)
    noise = max(0.0, 1 - fit) * float(numbers.target.var())
    errors = np.sqrt(noise * np.diag(np.linalg.pinv(centred.T @ centred, hermitian=True)))
    short = [_short_within(float(weight), 3 * float(error)) for weight, error in zip(weights, errors, strict=True)]
    if not all(short):
        return None
    left = numbers.target - columns @ np.array(short)
    constant, unsure = float(left.mean()), 3 * float(left.std()) / np.sqrt(left.size)
    kept = constant if abs(constant) > max(unsure, _EXACT * float(numbers.target.std())) else 0.0
    return Formula(dict(zip(terms, short, strict=True)), kept)


def _short_within(value: float, error: float) -> float:
    """Return the short number that a fitted weight stands for; 0 if it is not short, or not known to three digits."""
    if error > _UNSURE * abs(value) or value == 0:
        return 0.0
    for inverted in (False, True):
        candidate = 1 / value if inverted else value
        near = round(candidate, 2 - int(np.floor(np.log10(abs(candidate)))))
        if near and abs(candidate - near) <= (_NEARLY + error / abs(value)) * abs(candidate):
            return 1 / near if inverted else near
    return 0.0
