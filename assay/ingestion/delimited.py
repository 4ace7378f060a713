"""Delimited text, read strictly by Arrow.

Belongs here: what Arrow's reader would get silently wrong, told instead: leading zeros, foreign delimiters, NUL bytes.
Does not belong here: guessing a dialect.
"""

import mmap
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from assay.errors import MalformedDataError
from assay.specs.dataset import CsvDialect

_FOREIGN_DELIMITERS = (";", "\t", "|", ",")
_LEADING_ZERO = r"^[+-]?0[0-9]"


def read_delimited(path: Path, dialect: CsvDialect, name: str, *, delimiter: str) -> pa.Table:
    """Read delimited text; every row must have as many fields as the header.

    Types are inferred from all rows. A number column in which any text has a leading zero (`00123`) stays text: such
    digits are codes, and a number would lose them. Only files that hold a leading zero anywhere pay a second reading
    of their number columns. Quoted fields may hold delimiters and line breaks.

    Args:
        path: the file.
        dialect: how it is written.
        name: how it is called in messages.
        delimiter: the format's own field separator, where the dialect sets none.

    Raises:
        MalformedDataError: wrong field counts (with the row), bytes that are not in the encoding, NUL bytes, unnamed
            columns, or one single column whose name holds another delimiter.
    """
    separator = dialect.delimiter or delimiter
    _refuse_nul(path, dialect, name)
    table = _read(path, dialect, name, separator, column_types={})
    _refuse_odd_names(table.column_names, name, separator)
    _refuse_undecodable(table, dialect, name)
    numbers = [field.name for field in table.schema if _is_number(field.type)]
    if numbers and _has_leading_zero(path, separator):
        texts = _read(path, dialect, name, separator, column_types=dict.fromkeys(numbers, pa.string()))
        for column in numbers:
            if pc.any(pc.match_substring_regex(texts[column], _LEADING_ZERO)).as_py():
                table = table.set_column(table.column_names.index(column), column, texts[column])
    return table


def _read(
    path: Path, dialect: CsvDialect, name: str, separator: str, *, column_types: dict[str, pa.DataType]
) -> pa.Table:
    parse = csv.ParseOptions(delimiter=separator, quote_char=dialect.quote, double_quote=True, newlines_in_values=True)
    convert = csv.ConvertOptions(
        null_values=list(dialect.null_values),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        decimal_point=dialect.decimal,
        column_types=column_types,
        include_columns=list(column_types),
    )
    try:
        return csv.read_csv(path, csv.ReadOptions(encoding=dialect.encoding), parse, convert)
    except (pa.ArrowInvalid, UnicodeError, LookupError) as error:
        raise _refusal(path, name, separator, dialect, error) from error


def _refusal(path: Path, name: str, separator: str, dialect: CsvDialect, error: Exception) -> MalformedDataError:
    found = str(error).splitlines()[0][:300]
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
        csv.read_csv(path, options, csv.ParseOptions(delimiter=separator, newlines_in_values=True))
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0][:300]
    return ""


def _refuse_nul(path: Path, dialect: CsvDialect, name: str) -> None:
    if dialect.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        position = content.find(b"\0")
    if position >= 0:
        raise MalformedDataError(
            "the file holds a NUL byte",
            where=f"{name}, byte {position}",
            expected="text",
            remedy="check dataset.format and dataset.dialect.encoding",
        )


def _refuse_odd_names(names: list[str], name: str, separator: str) -> None:
    if "" in names:
        raise MalformedDataError(
            "a column has no name", where=f"{name}, column {names.index('') + 1}", remedy="name every column"
        )
    foreign = [other for other in _FOREIGN_DELIMITERS if other != separator and other in names[0]]
    if len(names) == 1 and foreign:
        raise MalformedDataError(
            "the whole header is one column",
            where=name,
            found=f"{names[0][:80]!r} with delimiter {separator!r}",
            remedy=f"set dataset.dialect.delimiter to {foreign[0]!r}",
        )


def _refuse_undecodable(table: pa.Table, dialect: CsvDialect, name: str) -> None:
    undecodable = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if undecodable:
        raise MalformedDataError(
            "a text is not in the file's encoding",
            where=f"{name}, column '{undecodable[0]}'",
            expected=f"text in {dialect.encoding}",
            remedy="set dataset.dialect.encoding, e.g. cp1252",
        )


def _has_leading_zero(path: Path, separator: str) -> bool:
    pattern = re.compile(rb'(?:^|[\n"' + re.escape(separator.encode()) + rb"])[+-]?0[0-9]")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return pattern.search(content) is not None


def _is_number(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))
