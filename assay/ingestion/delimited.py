"""Delimited text, read strictly by Arrow.

Belongs here: inference of types that never changes a value without a word.
Does not belong here: guessing a dialect; what shows in the bytes alone (`raw_text`).
"""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from assay.errors import EmptyDataError, MalformedDataError
from assay.ingestion.raw_text import refuse_broken_text, refuse_foreign_delimiter
from assay.specs.dataset import CsvDialect

_LEADING_ZERO = r"^[ \t]*[+-]?0[0-9xX]"
_MANY_DIGITS = r"^[ \t]*[+-]?[0-9]{16,}[ \t]*$"
_EXACT_UP_TO = 2.0**53
_DIGIT = r"[0-9]"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


def read_delimited(path: Path, dialect: CsvDialect, name: str, *, delimiter: str) -> pa.Table:
    """Read delimited text; every row must have as many fields as the header.

    Types are inferred from all rows. A number column stays text when a number would lose something of it: a leading
    zero (`00123`, `0x1F`) in any value, digits beyond 64 bits, or a size beyond a float's. To know that, the number
    columns alone are read a second time as text; that takes less time than the bytes would take to search. Quoted
    fields may hold delimiters and line breaks, and are never missing.

    Args:
        path: the file.
        dialect: how it is written.
        name: how it is called in messages.
        delimiter: the format's own field separator, where the dialect sets none.

    Raises:
        MalformedDataError: wrong field counts (with the row), bytes that are not in the encoding, NUL bytes, stray
            quotes, repeated columns, or a header in another delimiter.
        EmptyDataError: there is no header.
    """
    separator = dialect.delimiter or delimiter
    _refuse_unknown_encoding(dialect, name)
    refuse_foreign_delimiter(path, dialect, name, separator)
    refuse_broken_text(path, dialect, name, separator)
    table = _read(path, dialect, name, separator, texts=())
    _refuse_repeated_names(table.column_names, name)
    _refuse_undecodable(table, dialect, name)
    numbers = [field.name for field in table.schema if _is_number(field.type)]
    if not numbers or table.num_rows == 0:
        return table
    texts = _read(path, dialect, name, separator, texts=numbers)
    for column in numbers:
        if _loses_something(table[column], texts[column]):
            table = table.set_column(table.column_names.index(column), column, texts[column])
    return table


def _loses_something(numbers: pa.ChunkedArray, texts: pa.ChunkedArray) -> bool:
    if pc.any(pc.match_substring_regex(texts, _LEADING_ZERO)).as_py():
        return True
    if not pa.types.is_floating(numbers.type):
        return False
    if pc.any(pc.and_(pc.is_inf(numbers), pc.match_substring_regex(texts, _DIGIT))).as_py():
        return True
    largest = pc.max(pc.abs(numbers)).as_py()
    if largest is None or largest < _EXACT_UP_TO:
        return False
    return bool(pc.any(pc.match_substring_regex(texts, _MANY_DIGITS)).as_py())


def _read(path: Path, dialect: CsvDialect, name: str, separator: str, *, texts: Sequence[str]) -> pa.Table:
    convert = csv.ConvertOptions(
        null_values=list(dialect.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=_TRUE,
        false_values=_FALSE,
        decimal_point=dialect.decimal,
        column_types=dict.fromkeys(texts, pa.string()),
        include_columns=list(texts),
    )
    try:
        table = csv.read_csv(path, csv.ReadOptions(encoding=dialect.encoding), _parsing(dialect, separator), convert)
        str(table.column_names)  # Arrow decodes names here, not before
    except (pa.ArrowInvalid, UnicodeError) as error:
        raise _refusal(path, name, separator, dialect, error) from error
    return table


def _parsing(dialect: CsvDialect, separator: str) -> csv.ParseOptions:
    return csv.ParseOptions(delimiter=separator, quote_char=dialect.quote, double_quote=True, newlines_in_values=True)


def _refusal(
    path: Path, name: str, separator: str, dialect: CsvDialect, error: Exception
) -> MalformedDataError | EmptyDataError:
    found = _first_line(error)
    if "Empty CSV file" in found:
        return EmptyDataError("the file is empty", where=name, found=found, expected="a header and rows")
    if "Expected" in found and "columns" in found:
        expected = f"as many fields in every row as in the header, separated by {separator!r}"
        remedy = "mend the row, or dataset.dialect"
        found = _with_row_number(path, separator, dialect) or found
    else:
        expected = f"text in {dialect.encoding}, fields separated by {separator!r}"
        remedy = "set dataset.dialect.encoding or .delimiter to what wrote the file, or mend dataset.format"
    return MalformedDataError(
        "the file is not readable as delimited text", where=name, found=found, expected=expected, remedy=remedy
    )


def _with_row_number(path: Path, separator: str, dialect: CsvDialect) -> str:
    """Read again in one thread, where Arrow knows the row's number."""
    options = csv.ReadOptions(encoding=dialect.encoding, use_threads=False)
    try:
        csv.read_csv(path, options, _parsing(dialect, separator))
    except pa.ArrowInvalid as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    """Return what Arrow says, without the row that it quotes."""
    return re.sub(r"(got \d+):.*", r"\1", str(error).splitlines()[0])[:300]


def _refuse_unknown_encoding(dialect: CsvDialect, name: str) -> None:
    try:
        codecs.lookup(dialect.encoding)
    except LookupError as error:
        raise MalformedDataError(
            "the encoding is unknown",
            where=name,
            found=dialect.encoding,
            expected="a Python codec name, such as utf-8, cp1252 or latin-1",
            remedy="mend dataset.dialect.encoding",
        ) from error


def _refuse_repeated_names(names: list[str], name: str) -> None:
    repeated = [place for place, column in enumerate(names) if column in names[:place]]
    if repeated:
        column = names[repeated[0]]
        raise MalformedDataError(
            "column names are repeated",
            where=f"{name}, columns {names.index(column) + 1} and {repeated[0] + 1}",
            found=column,
            expected="unique names",
        )


def _refuse_undecodable(table: pa.Table, dialect: CsvDialect, name: str) -> None:
    for field in table.schema:
        if pa.types.is_binary(field.type):
            row = next(place for place, value in enumerate(table[field.name].to_pylist(), 1) if not _is_text(value))
            raise MalformedDataError(
                "a text is not in the file's encoding",
                where=f"{name}, column '{field.name}', data row {row}",
                expected=f"text in {dialect.encoding}",
                remedy="set dataset.dialect.encoding, e.g. cp1252",
            )


def _is_text(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_number(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))
