"""Texts that are something else as written: numbers among a few other words, and one value in several spellings.

A column of numbers with one word in it is read as text, exactly as written, and would be learned from as categories.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.report import MASK
from assay.gate.sentinel.features import checked_features, reported, sentinel_check
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

BLOCKING_SHARE = 0.95
"""Share of numbers among a column's texts above which the other texts are taken for missing values."""
SUSPICIOUS_SHARE = 0.5
"""Share of numbers from which a few other words are worth a question."""
_MOST_WORDS = 5
_MOST_CATEGORIES = 10_000
_NUMBERS = "no column of numbers is read as text because of a few other words"
_CONSISTENT = "no blanks around texts, one spelling of each value, no column of numbers and a few words"
_CODE = r"^\s*[+-]?(0[0-9]|[0-9]{16,})"


@dataclass(frozen=True, slots=True)
class MixedTexts:
    """Numbers and other words in one column of texts.

    Attributes:
        numbers: rows whose text is a number.
        present: rows with a text.
        different: number of different other texts.
        words: some of those, the most frequent first.
    """

    numbers: int
    present: int
    different: int
    words: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of numbers among the texts."""
        return self.numbers / self.present

    def reason(self, name: str, *, pii: bool, version: int) -> str:
        """Return what is wrong, and the lines of the pipeline file that correct it."""
        more = ", ..." if self.different > len(self.words) else ""
        listed = MASK if pii else ", ".join(map(repr, self.words)) + more
        words = "..." if pii else ", ".join(f'"{word}"' for word in self.words) + more
        return (
            f"{self.numbers:,} of {self.present:,} texts are numbers; the others are {listed}. If those mean "
            f"'missing', set dataset.dialect to {{null_words: [{words}]}} and dataset.schema_version to {version + 1}; "
            f"if the numbers are codes, add dataset.columns: {{{name}: {{role: categorical}}}}"
        )


@sentinel_check("numbers_not_read_as_text", _NUMBERS)
def numbers_not_read_as_text(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that no text column whose role is inferred consists of numbers but for a few words."""
    found = {name: mixed for name, mixed in _mixed_columns(table, spec).items() if mixed.share > BLOCKING_SHARE}
    reasons = _reasons(found, table, spec)
    return reported(reasons, observed="numbers are read as numbers", expected=_NUMBERS)


@sentinel_check("texts_written_consistently", _CONSISTENT)
def texts_written_consistently(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check spellings of features and target, and ask about columns that are numbers for the greater part."""
    mixed = {
        name: found
        for name, found in _mixed_columns(table, spec).items()
        if SUSPICIOUS_SHARE < found.share <= BLOCKING_SHARE and found.different <= _MOST_WORDS
    }
    reasons = _reasons(mixed, table, spec)
    for name in (*checked_features(table, spec), spec.dataset.target):
        is_prose = table.schema[name].role is ColumnRole.TEXT
        if table.kind(name) == "string" and not is_prose and name not in reasons:
            reasons[name] = _spelling(_counted(table, name), pii=table.is_pii(name))
    return reported(reasons, observed="texts are written in one way", expected=_CONSISTENT)


def _reasons(found: Mapping[str, MixedTexts], table: CheckedTable, spec: PipelineSpec) -> dict[str, str]:
    version = spec.dataset.schema_version
    return {name: mixed.reason(name, pii=table.is_pii(name), version=version) for name, mixed in found.items()}


def _mixed_columns(table: CheckedTable, spec: PipelineSpec) -> dict[str, MixedTexts]:
    """Return the text columns that hold numbers too; those that were declared or reviewed are what they are."""
    labels = {spec.dataset.target} if spec.task.is_classification else set()
    skipped = {*spec.validation.sentinel.trusted, *labels}
    columns = [
        name
        for name in table.names
        if table.kind(name) == "string"
        and name not in skipped
        and table.schema[name].reason != "declared"
        and table.schema[name].role is not ColumnRole.IGNORED
    ]
    found = {name: mixed_texts(table, name, spec.dataset.dialect.decimal) for name in columns}
    return {name: mixed for name, mixed in found.items() if mixed is not None}


def mixed_texts(table: CheckedTable, name: str, decimal: str) -> MixedTexts | None:
    """Return the numbers and other words of a text column; None where all are of one kind, or the numbers are codes."""
    return _mixed(_counted(table, name), decimal)


def _counted(table: CheckedTable, name: str) -> pa.StructArray:
    """Return the `values` of a text column and their `counts`; of all rows, since the words to find are rare."""
    return table.derived(("texts_counted", name), lambda: pc.value_counts(table.plain(name).drop_null()))


def _mixed(column: pa.StructArray, decimal: str) -> MixedTexts | None:
    texts, counts = column.field("values"), column.field("counts")
    mark = re.escape(decimal)
    number = rf"^\s*[+-]?([0-9]+({mark}[0-9]*)?|{mark}[0-9]+)([eE][+-]?[0-9]+)?\s*$"
    others = pc.or_(pc.invert(pc.match_substring_regex(texts, number)), _too_large(texts, decimal))
    words = pc.sum(others).as_py() or 0
    if words in {0, len(texts)} or pc.any(pc.match_substring_regex(texts, _CODE)).as_py():
        return None
    present, of_words = pc.sum(counts).as_py(), pc.sum(counts.filter(others)).as_py()
    named = pa.table({"text": texts.filter(others), "rows": counts.filter(others)})
    first = named.sort_by([("rows", "descending"), ("text", "ascending")]).slice(0, _MOST_WORDS)
    return MixedTexts(present - of_words, present, words, tuple(first["text"].to_pylist()))


def _too_large(texts: pa.Array, decimal: str) -> pa.Array:
    """Mark numbers such as 1e400 that no float holds: one of them makes a column of numbers one of texts."""
    large = pc.match_substring_regex(texts, r"^\s*[+-]?[0-9]*[^0-9eE]?[0-9]*[eE]\+?[0-9]{3,}\s*$")
    found = [text for text in texts.filter(large).to_pylist() if _overflows(text.replace(decimal, "."))]
    return pc.is_in(texts, pa.array(found, texts.type))


def _overflows(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


def _spelling(column: pa.StructArray, *, pii: bool) -> str:
    """Return which texts have blanks around them, or are one value in two spellings; empty where there are none."""
    texts, counts = column.field("values"), column.field("counts")
    padded = pc.sum(counts.filter(pc.not_equal(texts, pc.utf8_trim_whitespace(texts)))).as_py()
    if padded:
        texts_have = counted(padded, "text has", "texts have")
        return f"{texts_have} blanks around them: set dataset.dialect to {{strip: true}}"
    first: dict[str, str] = {}
    for text in sorted(texts.to_pylist()) if len(texts) <= _MOST_CATEGORIES else ():
        other = first.setdefault(text.casefold().rstrip("."), text)
        if other != text:
            pair = MASK if pii else f"{other!r} and {text!r}"
            return f"two spellings of one value: {pair} differ in case or a final dot only; correct one of them"
    return ""
