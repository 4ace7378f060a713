"""Signs that numbers hold the target: with small errors, in another scale, or two of them together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.copies import correlated
from assay.gate.sentinel.features import MIN_ROWS, NUMBERS, Array, CodedColumn, coded, squarable, values_of
from assay.gate.sentinel.joined_columns import numbers_of, pair_values, worded
from assay.gate.sentinel.scores import SURE_MEMBERS, Score, auc_of_ranks
from assay.specs.pipeline import PipelineSpec

SAME_NUMBER = 0.95
"""Concordance correlation (Lin 1989) from which a feature is the target with errors, in the target's own unit."""
SAME_LINE = 0.995
"""R2 of a straight line from which a feature is the target with errors, in another unit."""


def near_targets(table: CheckedTable, target: str, features: Iterable[str], rows: Array | None) -> dict[str, str]:
    """Return the features that are a target of numbers with small errors, each with the reason."""
    if table.kind(target) not in NUMBERS:
        return {}
    wanted = squarable(values_of(table, target, rows))
    reasons: dict[str, str] = {}
    for name in features:
        if table.kind(name) not in {"integer", "float"}:
            continue
        values = squarable(values_of(table, name, rows))
        both = np.isfinite(values) & np.isfinite(wanted)
        if both.sum() < MIN_ROWS:
            continue
        x, y = values[both], wanted[both]
        straight = correlated(x, y)
        spread = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        concordance = 2 * straight * float(x.std() * y.std()) / spread if spread > 0 else 0.0
        if concordance >= SAME_NUMBER or straight**2 >= SAME_LINE:
            unit = "" if concordance >= SAME_NUMBER else "in another unit, "
            figures = f"concordance {concordance:.3f}, R2 {straight**2:.3f}"
            reasons[name] = f"is the target {unit}with small errors: {figures}"
    return reasons


_BANDS = 3
_MIN_LEVELS = 20


def scales_of_target(
    columns: Mapping[str, CodedColumn | None], labels: CodedColumn | None, features: Iterable[str]
) -> dict[str, str]:
    """Return the features whose every value has a range of the target of its own, in order."""
    if labels is None:
        return {}
    found = {name: column for name in features if (column := columns[name]) is not None and column.ordered}
    words = "is the target in another scale: each of its values has a range of the target of its own"
    return {name: words for name, column in found.items() if _is_scale(column, labels)}


def _is_scale(feature: CodedColumn, target: CodedColumn) -> bool:
    both = feature.present & target.present
    codes, numbers = feature.codes[both], target.codes[both]
    if codes.size < 4 * MIN_ROWS:
        return False
    order = np.lexsort((numbers, codes))
    starts = np.flatnonzero(np.append(True, np.diff(codes[order]) > 0))
    low, high = numbers[order][starts], numbers[order][np.append(starts[1:], codes.size) - 1]
    if starts.size < _BANDS or target.distinct < _MIN_LEVELS:
        return False
    return bool((high[:-1] < low[1:]).all() or (low[:-1] > high[1:]).all())


_BY_ORDER = 0.5
_FEWEST_CODES = 8
_ROWS_PER_CODE = 10


def coded_ranges(
    scores: Mapping[str, Score], columns: Mapping[str, CodedColumn | None], labels: CodedColumn | None, limit: float
) -> dict[str, str]:
    """Find categories, or numbers in no order with the target, whose values each stand for a range of the target.

    Args:
        scores: of the features, R2 of the target's ranks.
        columns: the features.
        labels: the target of the same rows.
        limit: lower bound of R2 from which a code is odd; the destination of a flight reaches 0.98 of its time.
    """
    found: dict[str, str] = {}
    for name, score in scores.items():
        column = columns[name]
        if column is None or labels is None or score.at_least < limit:
            continue
        if not _FEWEST_CODES <= column.distinct <= column.codes.size / _ROWS_PER_CODE:
            continue
        both = column.present & labels.present
        order = correlated(column.in_rows(both).midranks(), labels.in_rows(both).midranks()) if column.ordered else 0.0
        if order**2 < _BY_ORDER:
            found[name] = f"has values that each stand for a range of the target: R2 of ranks {score.value:.3f}"
    return found


_PAIR_SCORE = 0.98
_PAIR_CORRELATION = 0.995
_ALONE = 0.9
_CANCELLED = 0.95
"""Correlation of ranks from which a difference of two numbers is odd if each alone predicts next to nothing."""
_NOTHING_ALONE = 0.3
_PAIR_ROWS = 1000
_PAIR_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class PairSigns:
    """Pairs of numbers that predict the target together.

    Attributes:
        reasons: by feature.
        divided: features of a difference or ratio; a product of two quantities may honestly be the target.
        cancelled: features of a difference of two numbers that predict next to nothing alone, as two readings of a
            meter, or two moments.
    """

    reasons: dict[str, str]
    divided: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()


def pairs_that_predict(
    table: CheckedTable, spec: PipelineSpec, features: list[str], rows: Array | None, scores: dict[str, Score]
) -> PairSigns:
    """Find two numbers whose difference, product or ratio predicts the target, though neither does alone."""
    target = spec.dataset.target
    labels = coded(table, target, rows)
    if labels is None or (spec.task.is_classification and labels.distinct != 2):  # noqa: PLR2004 - two classes
        return PairSigns({})
    if not spec.task.is_classification and table.kind(target) not in NUMBERS:
        return PairSigns({})
    shown = labels.codes if spec.task.is_classification else squarable(values_of(table, target, rows))
    goal = np.where(labels.present, shown.astype(np.float64), np.nan)
    few = numbers_of(table, goal, features[:_PAIR_COLUMNS], rows).every(_PAIR_ROWS)
    if few.target.size < 4 * MIN_ROWS:
        return PairSigns({})
    terms, values = pair_values(few, ("-", "x", "/"))
    strength = _aucs(values, few.target == 1) if spec.task.is_classification else _correlations(values, few.target)
    bound = _PAIR_SCORE if spec.task.is_classification else _PAIR_CORRELATION
    score = "AUC" if spec.task.is_classification else "correlation"
    reasons: dict[str, str] = {}
    divided: set[str] = set()
    cancelled: set[str] = set()
    for place in np.flatnonzero(strength >= min(bound, _CANCELLED)):
        term = terms[place]
        alone = max(scores[name].value for name in term[1:])
        numbers = not spec.task.is_classification
        cancels = numbers and term[0] == "-" and alone < _NOTHING_ALONE
        if cancels or (strength[place] >= bound and alone < _ALONE):
            words = f"predicts the target by {worded(term)}: {score} {strength[place]:.3f}"
            reasons = dict.fromkeys(term[1:], words) | reasons
            divided |= set(term[1:]) if term[0] != "x" else set()
            cancelled |= set(term[1:]) if cancels else set()
    return PairSigns(reasons, frozenset(divided), frozenset(cancelled))


def _aucs(values: Array, positive: Array) -> Array:
    """Return the AUC of each column, at least 0.5; ties count by their order."""
    ranks = values.argsort(axis=0).argsort(axis=0) + 1
    members, others = int(positive.sum()), int((~positive).sum())
    if min(members, others) < SURE_MEMBERS // 2:
        return np.zeros(values.shape[1])
    auc = auc_of_ranks(ranks[positive].sum(axis=0), members, others)
    found: Array = np.maximum(auc, 1 - auc)
    return found


def _correlations(values: Array, wanted: Array) -> Array:
    return np.array([abs(correlated(column, wanted)) for column in values.T])
