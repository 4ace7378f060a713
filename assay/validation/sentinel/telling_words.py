"""Words that say the target: of a text, which is told apart from every other as a whole.

Does not belong here: texts of few different values, which are categories (`single_feature_scores`).
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from assay.validation.sentinel.coded_columns import CodedColumn
from assay.validation.sentinel.single_feature_scores import SURE_MEMBERS, Score, class_score

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
