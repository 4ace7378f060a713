"""Forms in which values are written: decimals, last digits, marks, lengths and single characters of codes.

A system that writes rows of one class in another way gives the class away, whatever the values say. Values themselves
are compared elsewhere; a form says nothing of the matter, so agreement far beyond chance is enough.
"""

from collections.abc import Iterator

import numpy as np

from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel.class_signs import stands_for_classes
from assay.gate.sentinel.features import MIN_ROWS, Array, CodedColumn, coded, coded_numbers, squarable
from assay.gate.sentinel.scores import number_score

READ_ROWS = 2000
"""Rows that are read, evenly spread, because rows may be sorted by class."""
FORM_R2 = 0.9
"""Lower bound of R2 of ranks from which a form holds a target of numbers."""
_CATEGORIES = 100
_POSITIONS = 12
_DECIMALS = 4


def revealing_forms(table: CheckedTable, target: str, features: list[str], *, classes: bool) -> dict[str, str]:
    """Return the features whose written form gives the target, each with the reason.

    Args:
        table: the rows.
        target: a column of classes or of numbers.
        features: columns to read; texts of at most 100 different values are skipped, as categories.
        classes: whether the target is classes.
    """
    rows = np.unique(np.linspace(0, table.rows - 1, min(READ_ROWS, table.rows)).astype(np.int64))
    labels = coded(table, target, rows)
    if labels is None or labels.present.sum() < 4 * MIN_ROWS or not (classes or labels.ordered):
        return {}
    labelled = labels.present
    wanted = labels.in_rows(labelled)
    reasons: dict[str, str] = {}
    for name in features:
        for words, form in _forms(table, name, rows):
            if form.distinct > 1 and _reveals(form.in_rows(labelled), wanted, classes=classes):
                reasons[name] = f"nearly gives the target by {words} alone"
                break
    return reasons


def _reveals(form: CodedColumn, target: CodedColumn, *, classes: bool) -> bool:
    if classes:
        return bool(stands_for_classes(form, target))
    return number_score(form, target).at_least >= FORM_R2


def _forms(table: CheckedTable, name: str, rows: Array) -> Iterator[tuple[str, CodedColumn]]:
    if table.kind(name) == "string":
        known = coded(table, name)
        if known is not None and known.distinct > _CATEGORIES:
            yield from _forms_of_texts(table.plain(name).take(rows).to_pylist())
    elif table.kind(name) in {"integer", "float"}:
        values = squarable(table.plain(name).take(rows))
        if table.kind(name) == "float":
            yield "its number of decimals", coded_numbers(_decimals(values))
        whole = np.isfinite(values) & (values == np.round(values))
        if np.unique(values[whole]).size > _CATEGORIES:
            yield "its last digit", _unordered(np.where(whole, np.abs(values) % 10, np.nan))


def _forms_of_texts(texts: list[str | None]) -> Iterator[tuple[str, CodedColumn]]:
    yield "its marks and blanks", _coded_texts([None if text is None else _marks(text) for text in texts])
    lengths = np.array([np.nan if text is None else len(text) for text in texts], dtype=np.float64)
    yield "its length", _unordered(lengths)
    shown = lengths[np.isfinite(lengths)]
    for place in range(int(min(_POSITIONS, np.min(shown, initial=_POSITIONS)))):
        yield f"its character {place + 1}", _coded_texts([None if text is None else text[place] for text in texts])


def _marks(text: str) -> str:
    return "".join(sorted({each for each in text if not each.isalnum()}))


def _decimals(values: Array) -> Array:
    """Return how many decimals are written, at most four; NaN where missing."""
    found = np.where(np.isfinite(values), float(_DECIMALS), np.nan)
    for places in reversed(range(_DECIMALS)):
        scaled = values * 10.0**places
        exact = np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))
        found = np.where(exact & np.isfinite(values), float(places), found)
    return found


def _unordered(values: Array) -> CodedColumn:
    found = coded_numbers(values)
    return CodedColumn(found.codes, found.distinct, ordered=False)


def _coded_texts(texts: list[str | None]) -> CodedColumn:
    numbers: dict[str, int] = {}
    codes = [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in texts]
    return CodedColumn(np.array(codes, dtype=np.int64), len(numbers), ordered=False)
