"""The dialect of a delimited file, detected in its first rows where the pipeline asks for it.

The detected dialect is frozen with the schema and used for all later files. Where two dialects fit, the pipeline's
setting stays.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from assay.data.written_values import parsed_moments
from assay.errors import Remedy
from assay.reading.defects import Defect, defect_error
from assay.reading.delimited.blocks import TextBlock, require_known_encoding
from assay.specs.dataset import CsvDialect

_SAMPLE_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 22
_DELIMITERS = (",", ";", "\t", "|")
_FALLBACK_ENCODING = "cp1252"
_MISSING_WORDS = frozenset({"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "-"})
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_DATES_OF_TWO_DIGITS = ("%d-%m-%y",)
_CLOCKS = ("", " %H:%M", " %H:%M:%S")


def detect_dialect(path: Path, dialect: CsvDialect, *, delimiter: str) -> CsvDialect:
    """Return the dialect with its default values replaced by what the file shows.

    Detected are encoding (UTF-8, UTF-16 by its mark, else cp1252), delimiter, decimal mark, thousands mark, words for
    missing numbers, blanks around the fields, and the one format that all dates of a column follow. Settings other than
    the defaults are kept; `delimiter` is the format's own separator, tried first.

    Raises:
        MalformedDataError: no delimiter gives rows of one length, or several do, or the encoding is unknown.
    """
    require_known_encoding(dialect)
    encoding = dialect.encoding if dialect.encoding != "utf-8" else _encoding(path)
    lines = _sample(path, encoding)
    separator = dialect.delimiter or _delimiter(lines, dialect, delimiter)
    rows = [row for row in _rows(lines, separator, dialect) if row]
    written = list(zip(*rows[1 if dialect.header else 0 :], strict=False))
    columns = [_values(column) for column in written]
    decimal = "," if dialect.decimal == "," or _has_decimal_commas(columns, separator) else "."
    strip = dialect.strip or any(map(_is_padded, written))
    found = {"encoding": encoding, "delimiter": separator, "decimal": decimal, "detect": False, "strip": strip}
    thousands = dialect.thousands or _thousands(columns, decimal, separator)
    is_set = dialect.null_words or dialect.null_values != ("",)
    words = dialect.null_words if is_set else tuple(_missing_words(columns, decimal))
    dates = dialect.date_format or _date_format(columns)
    return dialect.model_copy(update={**found, "thousands": thousands, "null_words": words, "date_format": dates})


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            return "utf-16"
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")("strict")
        try:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return _FALLBACK_ENCODING
    return "utf-8"


def _sample(path: Path, encoding: str) -> list[str]:
    with path.open("rb") as file:
        data = file.read(_SAMPLE_BYTES)
        cut = len(data) == _SAMPLE_BYTES
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    lines = list(io.StringIO(text, newline=""))  # unlike `splitlines`, this splits at line ends of files only
    return lines[:-1] if cut and len(lines) > 1 else lines


def _delimiter(lines: Sequence[str], dialect: CsvDialect, default: str) -> str:
    widths = {mark: _widths(lines, mark, dialect) for mark in dict.fromkeys((default, *_DELIMITERS))}
    fitting = [mark for mark, rows in widths.items() if len(set(rows)) == 1 and rows[0] > 1]
    if len(fitting) == 1:
        return fitting[0]
    absent = [mark for mark, rows in widths.items() if set(rows) == {1}]
    if absent and not fitting and (absent[0] == default or all(map(_is_one_column, widths.values()))):
        return absent[0]
    several = ", ".join(f"{widths[mark][0]} fields in every row by {mark!r}" for mark in fitting)
    one_column = f"; for a file of one column set it to {absent[0]!r}, which occurs in no row" if absent else ""
    others = "" if several else ", or correct rows of other lengths"
    raise defect_error(
        Defect.WRONG_DELIMITER,
        "the delimiter is ambiguous",
        found=several or "rows of different lengths whatever the delimiter",
        expected=f"one of {', '.join(repr(mark) for mark in _DELIMITERS)} between all fields",
        remedy=Remedy(f"set {{}}{one_column}{others}", "dataset.dialect.delimiter"),
    )


def _widths(lines: Sequence[str], delimiter: str, dialect: CsvDialect) -> list[int]:
    """Return the number of fields of each row; none where quotes are wrong."""
    try:
        return [len(row) for row in _rows(lines, delimiter, dialect, strict=True) if row]
    except csv.Error:
        return []


def _is_one_column(widths: Sequence[int]) -> bool:
    """Whether a mark that divides some rows may be part of their values.

    It is not in the first row, and most rows do not agree on a number of fields, as they do below a title.
    """
    return (
        bool(widths)
        and widths[0] == 1
        and all(2 * widths.count(width) <= len(widths) - 1 for width in set(widths) - {1})
    )


def _values(column: Iterable[str]) -> list[str]:
    return [value.strip() for value in column if value.strip()]


def _rows(lines: Sequence[str], delimiter: str, dialect: CsvDialect, *, strict: bool = False) -> Iterator[list[str]]:
    if dialect.strip:
        block = TextBlock("".join(lines).encode(), 1, 0, last=True).stripped(delimiter, dialect.quote)
        lines = io.StringIO(block.data.decode(), newline="").readlines()
    return csv.reader(lines, delimiter=delimiter, quotechar=dialect.quote, strict=strict)


def _is_padded(column: Sequence[str]) -> bool:
    """Whether most values of a column have blanks around them."""
    values = [value for value in column if value.strip()]
    padded = sum(value != value.strip(" \t") for value in values)
    return 2 * padded > len(values)


def _all_match(pattern: str, values: Sequence[str]) -> bool:
    return bool(values) and all(re.fullmatch(pattern, value) for value in values)


def _has_decimal_commas(columns: Sequence[Sequence[str]], separator: str) -> bool:
    if separator == ",":
        return False
    numbers = r"[+-]?\d{1,3}(\.\d{3})*(,\d+)?|[+-]?\d+(,\d+)?"
    # 1,234 is a whole number in many countries
    sure = re.compile(r"(?![+-]?[1-9]\d{0,2}(,\d{3})+$).*,.*")
    return any(_all_match(numbers, values) and any(map(sure.fullmatch, values)) for values in columns)


def _thousands(columns: Sequence[Sequence[str]], decimal: str, separator: str) -> str | None:
    for mark in (".", ",", "'", " ", "_"):
        if mark in {decimal, separator}:
            continue
        group, fraction = re.escape(mark) + r"\d{3}", f"({re.escape(decimal)}\\d+)?"
        pattern = rf"[+-]?\d{{1,3}}({group})*{fraction}|[+-]?\d+{fraction}"
        # a single group, as in 1.234, is a fraction in many countries
        sure = re.compile(rf"[+-]?\d{{1,3}}({group}){{2,}}{fraction}|[+-]?\d{{1,3}}({group})+{re.escape(decimal)}\d+")
        if any(_all_match(pattern, values) and any(map(sure.fullmatch, values)) for values in columns):
            return mark
    return None


def _missing_words(columns: Sequence[Sequence[str]], decimal: str) -> list[str]:
    number = rf"[+-]?\d+({re.escape(decimal)}\d+)?([eE][+-]?\d+)?"
    words: dict[str, None] = {}
    for values in columns:
        others = {value for value in values if not re.fullmatch(number, value)}
        if others and others <= _MISSING_WORDS and len(others) < len(set(values)):
            words.update(dict.fromkeys(sorted(others)))
    return list(words)


def _date_format(columns: Sequence[Sequence[str]]) -> str | None:
    candidates = [day + clock for day in (*_DATES, *_DATES_OF_TWO_DIGITS) for clock in _CLOCKS]
    found: set[str] = set()
    for values in columns:
        if values and re.match(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", values[0]):
            fitting = [form for form in candidates if parsed_moments(set(values), form) is not None]
            found |= {fitting[0]} if len(fitting) == 1 else set()
    return found.pop() if len(found) == 1 else None
