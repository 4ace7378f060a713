"""Features that predict the target so well that they may be known only after it.

Beside the scores of features, signs count: a name that speaks of the time after the outcome (for a strong feature only,
since `outcome` of an earlier campaign is known in time), and what `class_signs` and `number_signs` find.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import pyarrow as pa

from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.class_signs import (
    excluded_in_tail,
    one_class_values,
    recoded_with_mistakes,
    revealing_values,
    score_of_words,
)
from assay.gate.sentinel.copies import copies_of_target
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    NUMBERS,
    Array,
    CodedColumn,
    as_floats,
    checked_features,
    coded,
    coded_numbers,
    reported,
    role_of,
    sampled_rows,
    sentinel_check,
    values_of,
)
from assay.gate.sentinel.look_up_tables import nearly_looked_up
from assay.gate.sentinel.number_signs import PairSigns, coded_ranges, near_targets, pairs_that_predict, scales_of_target
from assay.gate.sentinel.row_order import time_relations
from assay.gate.sentinel.scores import Score, class_score, number_score, parts_of_target
from assay.gate.sentinel.ties import separated
from assay.gate.sentinel.written_forms import revealing_forms
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


_Columns: TypeAlias = Mapping[str, CodedColumn | None]
_EXPECTED = f"no feature is known only after the target; {ADVICE}"
STRONG_AUC = 0.75
"""AUC from which the name of the strongest feature counts."""
_EARLIER = "it follows from the target of earlier rows, so it may be known in time"
_RELATED = 0.1
"""Square of a correlation of ranks from which a feature is compared with the target's movement in time."""
STRONG_R2 = 0.36
"""R2 of ranks, a rank correlation of 0.6, from which the name of the strongest feature counts."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Features with one sign of a leak.

    Attributes:
        reasons: by feature.
        holds: whether promotion waits for a person where the model relies on one; else the sign is a warning.
        conclusive: whether it waits even if the model could do without.
    """

    reasons: dict[str, str]
    holds: bool = True
    conclusive: bool = False


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
        Sign(_separated(table, spec, columns, labels, rows, scores), conclusive=True),
        Sign(_too_good(scores, spec), holds=spec.task.is_classification),
        Sign(_recoded(columns, labels, spec), conclusive=True),
        Sign(_named(scores, spec)),
    ]
    if spec.task.is_classification:
        tabled = nearly_looked_up(table, spec.dataset.target, features, rows)
        signs.append(Sign(tabled, conclusive=True))
        signs.append(Sign(_revealing(table, spec, columns, labels, rows) | _excluding(scores, columns, labels)))
    else:
        signs.append(
            Sign(scales_of_target(columns, labels, strong) | near_targets(table, spec.dataset.target, strong, rows))
        )
        limit = spec.validation.sentinel.max_single_feature_score
        signs.append(Sign(coded_ranges(scores, columns, labels, limit), conclusive=True))
        signs.insert(0, Sign(_parts(table, spec, features, rows), holds=False))
    power = 2 if spec.task.is_classification else 1
    related = {name for name, skill in _skills(scores, spec).items() if skill**power >= _RELATED}
    times = time_relations(table, spec.dataset.target, features, related)
    signs += _of_pairs(pairs_that_predict(table, spec, features, rows, scores), spec)
    signs.append(
        Sign(
            revealing_forms(table, spec.dataset.target, features, classes=spec.task.is_classification), conclusive=True
        )
    )
    signs += [Sign(times.mixing, conclusive=True), Sign(times.moving), Sign(_prevailing(scores, spec), holds=False)]
    signs.append(Sign(_prevailing(scores, spec, FAR, _TIMES_FAR)))
    held = {name for sign in signs if sign.holds for name in sign.reasons} - times.earlier
    conclusive = {name for sign in signs if sign.conclusive for name in sign.reasons} - times.earlier
    suspects = {name: text for sign in reversed(signs) for name, text in sign.reasons.items()}
    suspects |= {name: f"{suspects[name]}; {_EARLIER}" for name in times.earlier & suspects.keys()}
    best = max(scores, key=lambda name: scores[name].value, default="")
    seen = f"strongest single feature: {best}, {_words(spec)} {scores[best].value:.3f}" if best else "no feature"
    return reported(suspects, observed=seen, expected=_EXPECTED, holding=held, conclusive=conclusive)


def _scores(columns: _Columns, labels: CodedColumn | None, spec: PipelineSpec) -> dict[str, Score]:
    if labels is None or labels.present.sum() < MIN_ROWS or not (labels.ordered or spec.task.is_classification):
        return {}
    labelled = labels.present
    target = labels.in_rows(labelled)
    score = class_score if spec.task.is_classification else number_score
    return {name: score(column.in_rows(labelled), target) for name, column in columns.items() if column is not None}


def _skills(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, float]:
    return {name: 2 * each.value - 1 if spec.task.is_classification else each.value for name, each in scores.items()}


def _too_good(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, str]:
    limit = spec.validation.sentinel.max_single_feature_score
    return {
        name: f"predicts the target alone with {_words(spec)} {score.value:.3f} (at least {score.at_least:.3f})"
        for name, score in scores.items()
        if score.at_least >= limit
    }


def _of_pairs(found: PairSigns, spec: PipelineSpec) -> list[Sign]:
    if spec.task.is_classification:
        return [Sign(found.reasons)]
    sure = {name: text for name, text in found.reasons.items() if name in found.cancelled}
    divided = {name: text for name, text in found.reasons.items() if name in found.divided}
    return [Sign(sure, conclusive=True), Sign(divided), Sign(found.reasons, holds=False)]


_MOST_TIMES = 4


def _separated(
    table: CheckedTable,
    spec: PipelineSpec,
    columns: _Columns,
    labels: CodedColumn | None,
    rows: Array | None,
    scores: dict[str, Score],
) -> dict[str, str]:
    """Find what is tied to the rest only through the target: a feature, or the time between two moments."""
    times = [name for name in columns if table.kind(name) == "datetime"][:_MOST_TIMES]
    classes = spec.task.is_classification
    found = separated(columns, labels, _skills(scores, spec), classes=classes)
    if found or len(times) < 2:  # noqa: PLR2004 - a time lies between two moments
        return found
    moments = {name: as_floats(values_of(table, name, rows)) for name in times}
    spans = {f"{b} - {a}": (a, b) for a, b in combinations(times, 2)}
    between: dict[str, CodedColumn | None] = {
        name: coded_numbers(moments[b] - moments[a]) for name, (a, b) in spans.items()
    }
    others = {name: column for name, column in columns.items() if name not in times}
    skills = _skills({name: scores[name] for name in others if name in scores} | _scores(between, labels, spec), spec)
    found = separated(others | between, labels, skills, classes=classes)
    return {part: f"gives {name}, which {text}" for name, text in found.items() for part in spans.get(name, ())}


def _recoded(columns: _Columns, labels: CodedColumn | None, spec: PipelineSpec) -> dict[str, str]:
    """Find features that are classes with mistakes in them."""
    if labels is None or not spec.task.is_classification or labels.present.sum() < MIN_ROWS:
        return {}
    labelled = labels.present
    target = labels.in_rows(labelled)
    found = {
        name: recoded_with_mistakes(column.in_rows(labelled), target)
        for name, column in columns.items()
        if column is not None
    }
    return {name: text for name, text in found.items() if text}


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


_AHEAD = 1.1


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
FAR = 0.9
"""Skill from which a feature that has three times the skill of every other waits for a person."""
_TIMES_FAR = 3.0
_SOME = 0.04


def _prevailing(
    scores: dict[str, Score], spec: PipelineSpec, least: float = PREVAILS, times: float = _TIMES_NEXT
) -> dict[str, str]:
    """Report the strongest feature if it has so many times the skill of the next, while three others have some."""
    skill = _skills(scores, spec)
    ranked = sorted(skill, key=lambda name: -skill[name])
    if len(ranked) < 4 or skill[ranked[3]] < _SOME:  # noqa: PLR2004 - the strongest and three others
        return {}
    best, following = ranked[:2]
    if skill[best] < least or skill[best] < times * skill[following]:
        return {}
    found = f"{_words(spec)} {scores[best].value:.3f}, against {scores[following].value:.3f} of {following}"
    return {best: f"outdoes every other feature ({found}): is it known when the prediction is made?"}


def _revealing_word(score: Score, spec: PipelineSpec) -> str:
    if score.at_least < spec.validation.sentinel.max_single_feature_score:
        return ""
    return f"holds a word that predicts the target alone with AUC {score.value:.3f} (at least {score.at_least:.3f})"


def _named(scores: dict[str, Score], spec: PipelineSpec) -> dict[str, str]:
    meanings = {name: afterwards(name) for name in scores}
    harmless = max((score.value for name, score in scores.items() if not meanings[name]), default=0.0)
    needed = max(harmless, STRONG_AUC if spec.task.is_classification else STRONG_R2)
    best = max((score.value for score in scores.values()), default=0.0)
    return {
        name: f"predicts the target {'best of all' if score.value == best else 'better than other'} features "
        f"({_words(spec)} {score.value:.3f}), and its name speaks of {meanings[name]}: is it known when the prediction "
        "is made?"
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
