"""Features that predict the target so well that they may be known only once it is.

Column names that speak of the time after the outcome.

A name alone proves nothing (`outcome` of an earlier campaign is known in time): it counts only for a strong feature.

Values of a feature that stand for one class of the target each.

Words that say the target: of a text, which is told apart from every other as a whole.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from assay.gate.judged_table import JudgedTable
from assay.gate.outcome import Outcome, failing_column, outcome
from assay.gate.sentinel.copies import agreement_of, copies_of_target
from assay.gate.sentinel.features import (
    ADVICE,
    MIN_ROWS,
    NUMBERS,
    Array,
    CodedColumn,
    coded,
    judged_features,
    role_of,
    sampled_rows,
    sentinel_rule,
    too_few,
    values_of,
)
from assay.gate.sentinel.linear_parts import parts_of_target
from assay.gate.sentinel.single_feature_scores import SURE_MEMBERS, Score, class_score, number_score
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


def told_by_values(feature: CodedColumn, target: CodedColumn) -> str:
    """Say how values of a feature give the target away; empty where they do not.

    Two classes of at least a hundred rows are needed, as for every score that is to be sure.

    Args:
        feature: one code per row.
        target: one class per row, none missing.
    """
    sizes = np.bincount(target.codes, minlength=target.distinct)
    if (sizes >= SURE_MEMBERS).sum() < 2:  # noqa: PLR2004 - a value tells one class from another
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


_READ_ROWS = 2000
_TRIED_WORDS = 10
_WORD = re.compile(r"\w+")


def score_of_words(texts: pa.ChunkedArray, target: CodedColumn) -> Score:
    """Return what the most telling word of a text can do alone, by being there or not.

    Two thousand rows are read, evenly spread, as rows may be in the order of their classes.

    Args:
        texts: one per row.
        target: one class per row, none missing.
    """
    places = np.unique(np.linspace(0, len(texts) - 1, _READ_ROWS).astype(np.int64)) if len(texts) else np.empty(0, int)
    labels = CodedColumn(target.codes[places], target.distinct, target.ordered)
    found = [frozenset(_WORD.findall((text or "").casefold())) for text in texts.take(places).to_pylist()]
    scores = [class_score(_presence(word, found), labels) for word in _most_telling(found, labels)]
    return max(scores, key=lambda score: score.at_least, default=Score(0.0, 0.0))


def _presence(word: str, found: Sequence[frozenset[str]]) -> CodedColumn:
    return CodedColumn(np.array([word in words for words in found], dtype=np.int64), 2, ordered=True)


def _most_telling(found: Sequence[frozenset[str]], target: CodedColumn) -> list[str]:
    """Return the words whose share differs most between a class and the rest."""
    counts: dict[str, list[int]] = {}
    for words, label in zip(found, target.codes.tolist(), strict=True):
        for word in words:
            counts.setdefault(word, [0] * target.distinct)[label] += 1
    # a rarer word tells too few rows to be sure
    common = [word for word, by_class in counts.items() if sum(by_class) >= SURE_MEMBERS // 2]
    if not common:
        return []
    inside = np.array([counts[word] for word in common], dtype=np.float64)
    sizes = np.bincount(target.codes, minlength=target.distinct)
    others = np.maximum(sizes.sum() - sizes, 1)
    gap = inside / np.maximum(sizes, 1) - (inside.sum(axis=1, keepdims=True) - inside) / others
    order = np.argsort(-np.abs(gap).max(axis=1), kind="stable")
    return [common[place] for place in order[:_TRIED_WORDS]]


_Columns: TypeAlias = Mapping[str, CodedColumn | None]
_EXPECTED = f"no feature is known only once the target is; {ADVICE}"
STRONG_AUC = 0.75
"""AUC from which the strongest feature is asked for its name."""
STRONG_R2 = 0.36
"""R2 of ranks, a rank correlation of 0.6, from which the strongest feature is asked for its name."""


@sentinel_rule(_EXPECTED)
def no_suspected_leakage(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that no feature, alone or with a few others, predicts the target too well to be true."""
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _EXPECTED)
    rows = sampled_rows(table)
    copies = copies_of_target(table, spec)
    features = [name for name in judged_features(table, spec) if name not in copies]
    labels = coded(table, spec.dataset.target, rows)
    columns = {name: coded(table, name, rows) for name in features}
    scores = _scores(columns, labels, spec)
    told: dict[str, str] = {}
    if not spec.task.is_classification and table.kind(spec.dataset.target) in NUMBERS:
        told |= _parts(table, spec, features, rows)
    told |= {name: text for name, text in _too_good(scores, spec).items() if name not in told}
    if spec.task.is_classification and labels is not None:
        telling = _telling(table, spec, columns, labels, rows)
        told |= {name: text for name, text in telling.items() if name not in told}
    told |= {name: text for name, text in _named(scores, spec).items() if name not in told}
    best = max(scores, key=lambda name: scores[name].value, default="")
    seen = f"strongest single feature: {best}, {_words(spec)} {scores[best].value:.3f}" if best else "no feature"
    findings = [failing_column(name, expected=_EXPECTED, found=text) for name, text in told.items()]
    return outcome(findings, observed=seen, expected=_EXPECTED)


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


def _telling(
    table: JudgedTable, spec: PipelineSpec, columns: _Columns, labels: CodedColumn, rows: Array | None
) -> dict[str, str]:
    """Find features of which some values, or single words, stand for classes."""
    labelled = labels.present
    target = labels.in_rows(labelled)
    present = {name: column.in_rows(labelled) for name, column in columns.items() if column is not None}
    found = {name: told_by_values(column, target) for name, column in present.items()}
    for name in present:
        if role_of(table, name) is ColumnRole.TEXT and table.kind(name) == "string":
            texts = values_of(table, name, rows).filter(pa.array(labelled))
            found[name] = found[name] or _told_by_words(score_of_words(texts, target), spec)
    return {name: text for name, text in found.items() if text}


def _told_by_words(score: Score, spec: PipelineSpec) -> str:
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


def _parts(table: JudgedTable, spec: PipelineSpec, features: list[str], rows: Array | None) -> dict[str, str]:
    parts = parts_of_target(table, spec.dataset.target, features, rows)
    if parts is None:
        return {}
    told = f"adds up to the target: {spec.dataset.target} = {parts}, with R2 {parts.fit:.7f}"
    return dict.fromkeys(parts.weights, told)


def _words(spec: PipelineSpec) -> str:
    return "AUC" if spec.task.is_classification else "R2 of ranks"
