"""Features that predict the target so well that they may be known only after it.

Beside the scores of features, three signs count: a name that speaks of the time after the outcome (for a strong feature
only, since `outcome` of an earlier campaign is known in time), values that stand for one class each, and single words
of a text that reveal the target.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.copies import agreement_of, copies_of_target, correlated
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    NUMBERS,
    Array,
    CodedColumn,
    checked_features,
    coded,
    reported,
    role_of,
    sampled_rows,
    sentinel_check,
    squarable,
    values_of,
)
from assay.gate.sentinel.joined_columns import numbers_of, pair_values, worded
from assay.gate.sentinel.row_order import time_relations
from assay.gate.sentinel.scores import SURE_MEMBERS, Score, class_score, number_score, parts_of_target
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

_DURATIONS = "duration|elapsed"
_ENDS = (
    "outcome|results?|resolved|resolution|closed|closing|closure|completed|completion|finished|ended|end|exit|"
    "terminated|termination|settled|settlement|discharged?|final|actual"
)
_CONSEQUENCES = (
    "cancell?ed|cancellation|churn|churned|refund|refunded|returned|chargeback|recovered|recoveries|writeoff|paid|"
    "repaid|delivered|after|afterwards|post"
)
AFTERWARDS = {
    "how long it took, which is known when it is over": re.compile(_DURATIONS),
    "how it ended": re.compile(_ENDS),
    "what follows from the outcome": re.compile(_CONSEQUENCES),
}
"""Words by what they speak of; each is compared with whole parts of a name."""
_HARMLESS = re.compile(r"post[\W_]*(code|office)|end[\W_]*(user|point)", re.IGNORECASE)
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def afterwards(name: str) -> str:
    """Return what a name says of the time after the outcome; empty where it says nothing."""
    parts = {part.lower() for part in _PART.findall(_HARMLESS.sub(" ", name))}
    meanings = (meaning for meaning, words in AFTERWARDS.items() if any(words.fullmatch(part) for part in parts))
    return next(meanings, "")


NEARLY = 0.95
"""Agreement beyond chance (Cohen 1960) from which a feature of few values is the target with mistakes in it."""


def revealing_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Return how values of a feature reveal the target; empty where they do not.

    Two classes of at least a hundred rows are needed, as for every lower bound.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    sizes = np.bincount(target.codes, minlength=target.distinct)
    if (sizes >= SURE_MEMBERS).sum() < 2:  # noqa: PLR2004 - a value separates one class from another
        return ""
    found = agreement_of(feature, target)
    if found is not None and found.kappa >= NEARLY:
        return f"has one value for each class in {found.agreeing:,} of {found.rows:,} rows"
    return "" if feature.ordered else _settled(feature, target)


def _settled(feature: CodedColumn, target: CodedColumn) -> str:
    shown = feature.codes[feature.present]
    cells = shown * target.distinct + target.codes[feature.present]
    counts = np.bincount(cells, minlength=feature.distinct * target.distinct).reshape(-1, target.distinct)
    rows = counts.sum(axis=1)
    sure = (counts.max(axis=1) == rows) & (rows >= SURE_MEMBERS)
    if np.unique(counts[sure].argmax(axis=1)).size < 2:  # noqa: PLR2004 - as above
        return ""
    return f"settles the target in {rows[sure].sum() / target.codes.size:.1%} of the rows: {sure.sum()} of its values"


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
    return (
        f"has {odd.sum()} values that occur with one class alone, in {rows[odd].sum():,} of {target.codes.size:,} rows"
    )


TAILS = (0.05, 0.1, 0.2)
"""Shares of the rows at an end of a feature."""
_MAX_SHARE_OF_EXPECTED = 1 / 3
_MAX_CHANCE = 1e-5
_AHEAD = 1.1
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
    auc = (ranks[positive].sum() - members * (members + 1) / 2) / (members * (labels.size - members))
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
                return (
                    f"predicts best, and the {'lowest' if sign > 0 else 'highest'} {share:.0%} of its values nearly "
                    f"exclude a class ({seen} rows, where {expected:.0f} are expected): is it known before the outcome?"
                )
    return ""


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


_Columns: TypeAlias = Mapping[str, CodedColumn | None]
_EXPECTED = f"no feature is known only after the target; {ADVICE}"
STRONG_AUC = 0.75
"""AUC from which the name of the strongest feature counts."""
_EARLIER = "it follows from the target of earlier rows, so it may be known in time"
_RELATED = 0.1
STRONG_R2 = 0.36
"""R2 of ranks, a rank correlation of 0.6, from which the name of the strongest feature counts."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Features with one sign of a leak.

    Attributes:
        reasons: by feature.
        holds: whether promotion waits for a person where the model relies on one; else the sign is a warning.
    """

    reasons: dict[str, str]
    holds: bool = True


@sentinel_check("no_suspected_leakage", _EXPECTED)
def no_suspected_leakage(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no feature, alone or with a few others, predicts the target too well to be true."""
    rows = sampled_rows(table)
    copies = copies_of_target(table, spec)
    features = [name for name in checked_features(table, spec) if name not in copies]
    labels = coded(table, spec.dataset.target, rows)
    columns = {name: coded(table, name, rows) for name in features}
    scores = _scores(columns, labels, spec)
    strong = {name for name, score in scores.items() if score.value >= STRONG_R2}
    signs = [
        Sign(_too_good(scores, spec), holds=spec.task.is_classification),
        Sign(_named(scores, spec)),
    ]
    if spec.task.is_classification:
        signs.append(Sign(_revealing(table, spec, columns, labels, rows) | _excluding(scores, columns, labels)))
    else:
        signs.append(Sign(_bands(columns, labels, strong) | near_targets(table, spec.dataset.target, strong, rows)))
        signs.insert(0, Sign(_parts(table, spec, features, rows), holds=False))
    related = {name for name, score in scores.items() if score.value >= _RELATED}
    times = time_relations(table, spec.dataset.target, features, related)
    signs.append(Sign(_pairs(table, spec, features, rows, scores), holds=spec.task.is_classification))
    signs += [Sign(times.moving), Sign(_prevailing(scores, spec), holds=False)]
    held = {name for sign in signs if sign.holds for name in sign.reasons} - times.earlier
    suspects = {name: text for sign in reversed(signs) for name, text in sign.reasons.items()}
    suspects |= {name: f"{suspects[name]}; {_EARLIER}" for name in times.earlier & suspects.keys()}
    best = max(scores, key=lambda name: scores[name].value, default="")
    seen = f"strongest single feature: {best}, {_words(spec)} {scores[best].value:.3f}" if best else "no feature"
    return reported(suspects, observed=seen, expected=_EXPECTED, holding=held)


def _scores(columns: _Columns, labels: CodedColumn | None, spec: PipelineSpec) -> dict[str, Score]:
    if labels is None or labels.present.sum() < MIN_ROWS or not (labels.ordered or spec.task.is_classification):
        return {}
    labelled = labels.present
    target = labels.in_rows(labelled)
    score = class_score if spec.task.is_classification else number_score
    return {name: score(column.in_rows(labelled), target) for name, column in columns.items() if column is not None}


def _too_good(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, str]:
    limit = spec.validation.sentinel.max_single_feature_score
    return {
        name: f"predicts the target alone with {_words(spec)} {score.value:.3f} (at least {score.at_least:.3f})"
        for name, score in scores.items()
        if score.at_least >= limit
    }


def _revealing(
    table: CheckedTable, spec: PipelineSpec, columns: _Columns, labels: CodedColumn | None, rows: Array | None
) -> dict[str, str]:
    """Find features of which some values, or single words, stand for classes."""
    if labels is None:
        return {}
    labelled = labels.present
    target = labels.in_rows(labelled)
    present = {name: column.in_rows(labelled) for name, column in columns.items() if column is not None}
    found = {
        name: revealing_values(column, target) or one_class_values(column, target) for name, column in present.items()
    }
    for name in present:
        if role_of(table, name) is ColumnRole.TEXT and table.kind(name) == "string":
            texts = values_of(table, name, rows).filter(pa.array(labelled))
            found[name] = found[name] or _revealing_word(score_of_words(texts, target), spec)
    return {name: text for name, text in found.items() if text}


def _excluding(scores: dict[str, Score], columns: _Columns, labels: CodedColumn | None) -> dict[str, str]:
    """Report the strongest feature if an end of it excludes a class; the others must be clearly weaker."""
    ranked = sorted(scores, key=lambda name: -scores[name].value)
    if len(ranked) < 3 or 2 * scores[ranked[0]].value - 1 < _AHEAD * (2 * scores[ranked[1]].value - 1):  # noqa: PLR2004
        return {}
    column = columns[ranked[0]]
    if column is None or labels is None:
        return {}
    reason = excluded_in_tail(column.in_rows(labels.present), labels.in_rows(labels.present))
    return {ranked[0]: reason} if reason else {}


PREVAILS = 0.5
"""Skill from which a feature that outdoes every other is odd: an AUC of 0.75, or an R2 of ranks of 0.5."""
_TIMES_NEXT = 2.0
_SOME = 0.04


def _prevailing(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, str]:
    """Report the strongest feature if it has twice the skill of the next, while three others have some."""
    skill = {name: 2 * each.value - 1 if spec.task.is_classification else each.value for name, each in scores.items()}
    ranked = sorted(skill, key=lambda name: -skill[name])
    if len(ranked) < 4 or skill[ranked[3]] < _SOME:  # noqa: PLR2004 - the strongest and three others
        return {}
    best, following = ranked[:2]
    if skill[best] < PREVAILS or skill[best] < _TIMES_NEXT * skill[following]:
        return {}
    found = f"{_words(spec)} {scores[best].value:.3f}, against {scores[following].value:.3f} of {following}"
    return {best: f"outdoes every other feature ({found}): is it known when the prediction is made?"}


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
            reasons[name] = f"is the target with small errors: concordance {concordance:.3f}, R2 {straight**2:.3f}"
    return reasons


_PAIR_SCORE = 0.98
_PAIR_CORRELATION = 0.995
_ALONE = 0.9
_PAIR_ROWS = 1000
_PAIR_COLUMNS = 20


def _pairs(
    table: CheckedTable, spec: PipelineSpec, features: list[str], rows: Array | None, scores: dict[str, Score]
) -> dict[str, str]:
    """Find two numbers whose difference, product or ratio predicts the target, though neither does alone."""
    target = spec.dataset.target
    labels = coded(table, target, rows)
    if labels is None or (spec.task.is_classification and labels.distinct != 2):  # noqa: PLR2004 - two classes
        return {}
    if not spec.task.is_classification and table.kind(target) not in NUMBERS:
        return {}
    shown = labels.codes if spec.task.is_classification else squarable(values_of(table, target, rows))
    goal = np.where(labels.present, shown.astype(np.float64), np.nan)
    few = numbers_of(table, goal, features[:_PAIR_COLUMNS], rows).every(_PAIR_ROWS)
    if few.target.size < 4 * MIN_ROWS:
        return {}
    terms, values = pair_values(few, ("-", "x", "/"))
    strength = _aucs(values, few.target == 1) if spec.task.is_classification else _correlations(values, few.target)
    bound = _PAIR_SCORE if spec.task.is_classification else _PAIR_CORRELATION
    reasons: dict[str, str] = {}
    for place in np.flatnonzero(strength >= bound):
        term = terms[place]
        if max(scores[name].value for name in term[1:]) < _ALONE:
            for name in term[1:]:
                reasons.setdefault(name, f"predicts the target by {worded(term)}: {_words(spec)} {strength[place]:.3f}")
    return reasons


def _aucs(values: Array, positive: Array) -> Array:
    """Return the AUC of each column, at least 0.5; ties count by their order."""
    ranks = values.argsort(axis=0).argsort(axis=0) + 1
    members, others = int(positive.sum()), int((~positive).sum())
    if min(members, others) < SURE_MEMBERS // 2:
        return np.zeros(values.shape[1])
    auc = (ranks[positive].sum(axis=0) - members * (members + 1) / 2) / (members * others)
    found: Array = np.maximum(auc, 1 - auc)
    return found


def _correlations(values: Array, wanted: Array) -> Array:
    return np.array([abs(correlated(column, wanted)) for column in values.T])


_BANDS = 3
_MIN_LEVELS = 20


def _bands(columns: _Columns, labels: CodedColumn | None, features: Iterable[str]) -> dict[str, str]:
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


def _revealing_word(score: Score, spec: PipelineSpec) -> str:
    if score.at_least < spec.validation.sentinel.max_single_feature_score:
        return ""
    return f"holds a word that predicts the target alone with AUC {score.value:.3f} (at least {score.at_least:.3f})"


def _named(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, str]:
    meanings = {name: afterwards(name) for name in scores}
    harmless = max((score.value for name, score in scores.items() if not meanings[name]), default=0.0)
    needed = max(harmless, STRONG_AUC if spec.task.is_classification else STRONG_R2)
    return {
        name: f"predicts the target best of all features ({_words(spec)} {score.value:.3f}), and its name speaks of "
        f"{meanings[name]}: is it known when the prediction is made?"
        for name, score in scores.items()
        if meanings[name] and score.value >= needed
    }


def _parts(table: CheckedTable, spec: PipelineSpec, features: list[str], rows: Array | None) -> dict[str, str]:
    if table.kind(spec.dataset.target) not in NUMBERS:
        return {}
    parts = parts_of_target(table, spec.dataset.target, features, rows)
    if parts is None:
        return {}
    reason = f"adds up to the target: {spec.dataset.target} = {parts}, with R2 {parts.fit:.7f}"
    return dict.fromkeys(parts.weights, reason)


def _words(spec: PipelineSpec) -> str:
    return "AUC" if spec.task.is_classification else "R2 of ranks"
