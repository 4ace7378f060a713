"""Features that predict the target so well that they may be known only once it is.

Does not belong here: how well a feature predicts (`single_feature_scores`), the target itself (`copies`).
"""

from collections.abc import Mapping
from typing import TypeAlias

import pyarrow as pa

from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import Outcome, failing_column, outcome
from assay.validation.sentinel.coded_columns import NUMBERS, CodedColumn, coded
from assay.validation.sentinel.copies import copies_of_target
from assay.validation.sentinel.judged_features import (
    ADVICE,
    MIN_ROWS,
    Array,
    judged_features,
    role_of,
    sampled_rows,
    sentinel_rule,
    too_few,
    values_of,
)
from assay.validation.sentinel.linear_parts import parts_of_target
from assay.validation.sentinel.single_feature_scores import Score, class_score, number_score
from assay.validation.sentinel.telling_names import afterwards
from assay.validation.sentinel.telling_values import told_by_values
from assay.validation.sentinel.telling_words import score_of_words

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
