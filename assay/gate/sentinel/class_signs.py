"""Signs that a feature holds classes of the target: values, words and ends of it that stand for one class."""

import re
from collections.abc import Sequence
from math import exp, lgamma, log
from statistics import NormalDist

import numpy as np
import pyarrow as pa

from assay.counting import counted, percent
from assay.gate.sentinel.copies import MIN_MEMBERS, Agreement, agreement_of
from assay.gate.sentinel.features import CodedColumn
from assay.gate.sentinel.scores import SURE_MEMBERS, Score, auc_of_ranks, class_score

ALMOST_PERFECT = 0.8
"""Agreement beyond chance (Cohen 1960) that is almost perfect (Landis and Koch 1977)."""
NEARLY = 0.95
"""Agreement from which a flag is a target of two classes; a good test of the matter itself may reach less."""
_SURELY = 0.9
_ROWS_PER_VALUE = 20
_GROUPS = 100


def recoded_with_mistakes(feature: CodedColumn, target: CodedColumn) -> str:
    """Return that a feature's values, or its gaps, are the target with mistakes in it; empty where they are not.

    The lower bound of the agreement counts, so that few rows need fewer mistakes.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    if (np.bincount(target.codes, minlength=target.distinct) >= MIN_MEMBERS).sum() < 2:  # noqa: PLR2004 - as below
        return ""
    gaps = CodedColumn(feature.present.astype(np.int64), 2, ordered=True)
    forms = {"has one value for each class": feature, "is missing in one class, and present in another,": gaps}
    for words, values in forms.items():
        found = agreement_of(values, target)
        is_flag = target.distinct == 2 and values is feature  # noqa: PLR2004 - two classes
        if found is not None and found.kappa_at_least >= (_SURELY if is_flag else ALMOST_PERFECT):
            if is_flag and found.kappa < NEARLY:
                continue
            return f"{words} in {found.agreeing:,} of {found.rows:,} rows"
    return _grouped_values(feature, target)


def stands_for_classes(form: CodedColumn, target: CodedColumn) -> bool:
    """Return whether values that say nothing of the matter, as a way of writing, almost perfectly agree with classes.

    Args:
        form: one code per row, unordered.
        target: one class per row, none missing.
    """
    found = agreement_of(form, target)
    return bool((found is not None and found.kappa_at_least >= ALMOST_PERFECT) or _grouped_values(form, target))


def _grouped_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Find a category whose values each stand for a class, several for one."""
    if feature.ordered or not target.distinct < feature.distinct <= min(_GROUPS, target.codes.size / _ROWS_PER_VALUE):
        return ""
    cells = (feature.codes + 1) * target.distinct + target.codes
    counts = np.bincount(cells, minlength=(feature.distinct + 1) * target.distinct).reshape(-1, target.distinct)
    said, rows = counts.argmax(axis=1), counts.sum(axis=1)
    shares = np.bincount(said, weights=rows, minlength=target.distinct) * counts.sum(axis=0)
    found = Agreement(int(counts.max(axis=1).sum()), int(rows.sum()), float(shares.sum()) / float(rows.sum()) ** 2)
    if found.kappa_at_least < ALMOST_PERFECT:
        return ""
    return f"has values that each stand for one class in {found.agreeing:,} of {found.rows:,} rows"


def revealing_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Return how values of a category settle the target; empty where they do not.

    Two classes of at least a hundred rows are needed, as for every lower bound.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    sizes = np.bincount(target.codes, minlength=target.distinct)
    if (sizes >= SURE_MEMBERS).sum() < 2:  # noqa: PLR2004 - a value separates one class from another
        return ""
    return "" if feature.ordered else _settled(feature, target)


def _settled(feature: CodedColumn, target: CodedColumn) -> str:
    shown = feature.codes[feature.present]
    cells = shown * target.distinct + target.codes[feature.present]
    counts = np.bincount(cells, minlength=feature.distinct * target.distinct).reshape(-1, target.distinct)
    rows = counts.sum(axis=1)
    sure = (counts.max(axis=1) == rows) & (rows >= SURE_MEMBERS)
    if np.unique(counts[sure].argmax(axis=1)).size < 2:  # noqa: PLR2004 - as above
        return ""
    return (
        f"settles the target in {percent(rows[sure].sum() / target.codes.size)} of the rows: {sure.sum()} of its values"
    )


MIN_EVIDENCE = 50.0
"""Natural logarithm of the odds against chance from which a value that occurs with one class alone counts."""
_MIN_VALUE_ROWS = 50
_MAX_VALUES = 100
_MIN_SHARE = 0.02
_MOST_OF_ROWS = 0.6


def one_class_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Return that values of a category occur with one class alone, far too often for chance; empty where none do.

    Numbers do not count: beyond some bound they often settle a class. Nor does the class of most rows: what is not
    offered in a region is not bought there.
    """
    if feature.ordered or feature.distinct > _MAX_VALUES:
        return ""
    shown = feature.present
    cells = feature.codes[shown] * target.distinct + target.codes[shown]
    counts = np.bincount(cells, minlength=feature.distinct * target.distinct).reshape(-1, target.distinct)
    rows, label = counts.sum(axis=1), counts.argmax(axis=1)
    shares = np.bincount(target.codes, minlength=target.distinct) / target.codes.size
    pure = (counts.max(axis=1) == rows) & (rows >= max(_MIN_VALUE_ROWS, _MIN_SHARE * target.codes.size))
    odd = pure & (shares[label] <= _MOST_OF_ROWS) & (-rows * np.log(np.maximum(shares[label], 1e-12)) >= MIN_EVIDENCE)
    if not odd.any():
        return ""
    occurring = counted(odd.sum(), "value that occurs", "values that each occur")
    return f"has {occurring} with one class alone, in {rows[odd].sum():,} of {target.codes.size:,} rows"


TAILS = (0.05, 0.1, 0.2)
"""Shares of the rows at an end of a feature."""
_MAX_SHARE_OF_EXPECTED = 1 / 3
_MAX_CHANCE = 1e-5
_QUANTITY = 20
"""Different values from which a number is a quantity; flags and codes may honestly exclude a class."""


def excluded_in_tail(feature: CodedColumn, target: CodedColumn) -> str:
    """Return that one end of an ordered feature excludes a class far more than its strength explains; else empty.

    What takes time, or is counted until the outcome, does: a call of a few seconds ends in no contract. The expected
    number is that of two normal distributions of equal variance with the same AUC (Green and Swets 1966); the chance of
    so few is Poisson's.
    """
    if not feature.ordered or feature.distinct < _QUANTITY or target.distinct != 2:  # noqa: PLR2004 - two classes
        return ""
    shown = feature.present
    values, labels = feature.codes[shown], target.codes[shown]
    positive = labels == 1
    members = int(positive.sum())
    if min(members, labels.size - members) < SURE_MEMBERS:
        return ""
    ranks = feature.in_rows(shown).midranks()
    auc = float(auc_of_ranks(ranks[positive].sum(), members, labels.size - members))
    distance = 2**0.5 * NormalDist().inv_cdf(min(max(auc, 1e-4), 1 - 1e-4))
    for sign, label in ((1, 1), (-1, 0)) if distance > 0 else ((1, 0), (-1, 1)):
        size = members / labels.size if label == 1 else 1 - members / labels.size
        places = sign * values
        for wanted in TAILS:
            tail = places <= np.quantile(places, wanted)
            share = float(tail.mean())
            if share > 2 * wanted:
                continue
            expected = labels.size * size * _tail_of(NormalDist(), abs(distance), size, share)
            seen = int((labels[tail] == label).sum())
            if seen <= _MAX_SHARE_OF_EXPECTED * expected and _at_most(seen, expected) <= _MAX_CHANCE:
                return _excluded("lowest" if sign > 0 else "highest", share, seen, expected)
    return ""


def _excluded(end: str, share: float, seen: int, expected: float) -> str:
    return (
        f"predicts best, and the {end} {share:.0%} of its values {'nearly ' if seen else ''}exclude a class "
        f"({counted(seen, 'row')}, where {expected:.0f} are expected): is it known before the outcome?"
    )


def _at_most(seen: int, expected: float) -> float:
    """Return the chance of at most so many events, by Poisson's distribution."""
    return sum(exp(count * log(expected) - expected - lgamma(count + 1)) for count in range(seen + 1))


def _tail_of(normal: NormalDist, distance: float, size: float, share: float) -> float:
    """Return the share of a class that lies in the lowest `share` of all rows, whose mean is higher by a distance."""
    low, high = -9.0, 9.0
    for _ in range(60):
        middle = (low + high) / 2
        both = size * normal.cdf(middle - distance) + (1 - size) * normal.cdf(middle)
        low, high = (middle, high) if both < share else (low, middle)
    return normal.cdf(low - distance)


_READ_ROWS = 2000
_TRIED_WORDS = 10
_WORD = re.compile(r"\w+")


def score_of_words(texts: pa.ChunkedArray, target: CodedColumn) -> Score:
    """Return the score of the word whose presence predicts the target best.

    Two thousand rows are read, evenly spread, because rows may be sorted by class.

    Args:
        texts: one per row.
        target: one class per row, none missing.
    """
    chosen = np.unique(np.linspace(0, len(texts) - 1, _READ_ROWS).astype(np.int64)) if len(texts) else np.empty(0, int)
    labels = CodedColumn(target.codes[chosen], target.distinct, target.ordered)
    found = [frozenset(_WORD.findall((text or "").casefold())) for text in texts.take(chosen).to_pylist()]
    scores = [class_score(_presence(word, found), labels) for word in _most_revealing(found, labels)]
    return max(scores, key=lambda score: score.at_least, default=Score(0.0, 0.0))


def _presence(word: str, found: Sequence[frozenset[str]]) -> CodedColumn:
    return CodedColumn(np.array([word in words for words in found], dtype=np.int64), 2, ordered=True)


def _most_revealing(found: Sequence[frozenset[str]], target: CodedColumn) -> list[str]:
    """Return the words whose share differs most between a class and the rest."""
    counts: dict[str, list[int]] = {}
    for words, label in zip(found, target.codes.tolist(), strict=True):
        for word in words:
            counts.setdefault(word, [0] * target.distinct)[label] += 1
    # a rarer word is in too few rows for a lower bound
    common = [word for word, by_class in counts.items() if sum(by_class) >= SURE_MEMBERS // 2]
    if not common:
        return []
    inside = np.array([counts[word] for word in common], dtype=np.float64)
    sizes = np.bincount(target.codes, minlength=target.distinct)
    others = np.maximum(sizes.sum() - sizes, 1)
    gap = inside / np.maximum(sizes, 1) - (inside.sum(axis=1, keepdims=True) - inside) / others
    order = np.argsort(-np.abs(gap).max(axis=1), kind="stable")
    return [common[index] for index in order[:_TRIED_WORDS]]
