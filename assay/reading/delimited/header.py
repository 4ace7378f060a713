"""The first row of delimited text: the columns' names."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from assay.errors import EmptyDataError
from assay.reading.defects import MAX_COLUMNS, MAX_FIELD_BYTES, Defect, defect_error
from assay.reading.delimited.blocks import TextBlock, wrong_encoding
from assay.reading.delimited.fields import require_sound_text
from assay.specs.dataset import CsvDialect

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FOREIGN = (";", "\t", "|", ",")
_UNNAMED = "\0"
csv.field_size_limit(MAX_FIELD_BYTES)  # Python's default is an eighth of it


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes:
        names: one for each field; a column without a name has a placeholder that no file can contain.
        written: the header row's bytes without the line end, to find it among the rows; empty without header.
    """

    names: tuple[str, ...]
    written: bytes


def is_unnamed(name: str) -> bool:
    """Whether a name is the placeholder of a column without one."""
    return name.startswith(_UNNAMED)


def split_header(block: TextBlock, dialect: CsvDialect, separator: str, name: str) -> tuple[Header, TextBlock]:
    """Split the first block into header and rows.

    Args:
        block: the file's first block.
        dialect: how it is written; without a header the first row gives the number of columns.
        separator: between fields.
        name: how the file is called in messages.

    Returns:
        The header, and the block with the rows after it.

    Raises:
        MalformedDataError: repeated names, a stray quote, another delimiter, too many columns.
        EmptyDataError: there is no row at all.
    """
    fields, start, end = _first_row(block, dialect, separator, name)
    if not dialect.header:
        return Header(tuple(f"column_{number}" for number in range(1, len(fields) + 1)), b""), block
    written = replace(block, data=block.data[:end])
    require_sound_text(written, dialect, separator, b"", name)
    _refuse_foreign_delimiter(fields, separator, name, block.line)
    if len(fields) > MAX_COLUMNS:
        raise defect_error(
            Defect.TOO_MANY_COLUMNS,
            "there are too many columns",
            name,
            row=block.line,
            found=str(len(fields)),
            expected=f"at most {MAX_COLUMNS:,}",
            remedy="check dataset.dialect.delimiter",
        )
    _refuse_repeated(fields, name, block.line)
    names = tuple(field or f"{_UNNAMED}{number}" for number, field in enumerate(fields, 1))
    rows = replace(block, data=block.data[end:], line=written.line_at(end), offset=block.offset + end)
    return Header(names, block.data[start:end].rstrip(b"\r\n")), rows


def _first_row(block: TextBlock, dialect: CsvDialect, separator: str, name: str) -> tuple[list[str], int, int]:
    """Return the fields of the first row that is not blank, and its start and end."""
    start, begin, end = 0, 0, 0

    def lines() -> Iterator[str]:
        nonlocal begin, end
        for match in _LINE.finditer(block.data):
            begin, end = match.span()
            yield match.group().decode()

    reader = csv.reader(lines(), delimiter=separator, quotechar=dialect.quote, strict=True)
    try:
        for fields in reader:
            if fields:
                return fields, start, end
            start = end
    except UnicodeDecodeError as error:
        number = begin + error.start
        raise wrong_encoding(dialect, name, row=block.line_at(number), byte=block.offset + number) from error
    except csv.Error as error:
        defect = Defect.FIELD_TOO_LONG if "limit" in str(error) else Defect.STRAY_QUOTE
        raise defect_error(
            defect, "the header is not readable", name, row=block.line, found=str(error), expected="names of columns"
        ) from error
    raise EmptyDataError("the file is empty", where=name, found="no row", expected="a header and rows")


def _refuse_foreign_delimiter(fields: list[str], separator: str, name: str, line: int) -> None:
    foreign = [other for other in _FOREIGN if other != separator and other in fields[0]]
    if len(fields) == 1 and foreign:
        raise defect_error(
            Defect.WRONG_DELIMITER,
            "the whole header is one column",
            name,
            row=line,
            found=f"{fields[0][:80]!r} with delimiter {separator!r}",
            remedy=f"set dataset.dialect.delimiter to {foreign[0]!r}",
        )


def _refuse_repeated(fields: list[str], name: str, line: int) -> None:
    seen: dict[str, int] = {}
    for number, field in enumerate(fields, 1):
        if field and field in seen:
            raise defect_error(
                Defect.REPEATED_COLUMN,
                "column names are repeated",
                f"{name}, columns {seen[field]} and {number}",
                row=line,
                column=field,
                expected="unique names",
                remedy="rename one of them in the file",
            )
        seen[field] = number
