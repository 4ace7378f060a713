"""The first row of delimited text, and how the rows after it are written."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from assay.errors import EmptyDataError
from assay.reading.defects import MAX_FIELD_BYTES, Defect, defect_error, require_few_columns
from assay.reading.delimited.blocks import TextBlock, wrong_encoding
from assay.reading.delimited.fields import Fields, fields_of, require_sound_text
from assay.specs.dataset import CsvDialect

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FOREIGN = (";", "\t", "|", ",")
_UNNAMED = "\0"
csv.field_size_limit(MAX_FIELD_BYTES)  # Python's default is an eighth of it


@dataclass(frozen=True, slots=True)
class Rows:
    """How the rows of one file are written.

    Attributes:
        names: one for each field; a column without a name has a placeholder that no file can contain.
        header: the header row's bytes without the line end, to find it among the rows; empty without header.
        dialect: as in the spec.
        separator: between fields.
    """

    names: tuple[str, ...]
    header: bytes
    dialect: CsvDialect
    separator: str

    def fields_in(self, data: bytes) -> Fields:
        """Find the fields of some rows."""
        return fields_of(data, self.separator, self.dialect.quote)

    def name_of(self, column: int) -> str:
        """Return the name of a 0-based column, for messages; empty where a row has more fields than the header."""
        return self.names[column] if column < len(self.names) else ""


def is_unnamed(name: str) -> bool:
    """Whether a name is the placeholder of a column without one."""
    return name.startswith(_UNNAMED)


def split_header(block: TextBlock, dialect: CsvDialect, separator: str) -> tuple[Rows, TextBlock]:
    """Split a file's first block into the header and the rows after it.

    Without a header the first row gives the number of columns.

    Raises:
        MalformedDataError: repeated names, a stray quote, another delimiter, too many columns.
        EmptyDataError: there is no row at all.
    """
    fields, start, end = _first_row(block, dialect, separator)
    if not dialect.header:
        return Rows(tuple(f"column_{number}" for number in range(1, len(fields) + 1)), b"", dialect, separator), block
    written = replace(block, data=block.data[:end])
    require_sound_text(written, dialect, separator, b"")
    _refuse_foreign_delimiter(fields, separator, block.line)
    require_few_columns(len(fields), row=block.line, remedy="check dataset.dialect.delimiter")
    _refuse_repeated(fields, block.line)
    names = tuple(field or f"{_UNNAMED}{number}" for number, field in enumerate(fields, 1))
    rest = replace(block, data=block.data[end:], line=written.line_at(end), offset=block.offset + end)
    return Rows(names, block.data[start:end].rstrip(b"\r\n"), dialect, separator), rest


def _first_row(block: TextBlock, dialect: CsvDialect, separator: str) -> tuple[list[str], int, int]:
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
        raise wrong_encoding(dialect, row=block.line_at(number), byte=block.offset + number) from error
    except csv.Error as error:
        defect = Defect.FIELD_TOO_LONG if "limit" in str(error) else Defect.STRAY_QUOTE
        what, expected = "the header is not readable", "names of columns"
        raise defect_error(defect, what, row=block.line, found=str(error), expected=expected) from error
    raise EmptyDataError("the file is empty", found="no row", expected="a header and rows")


def _refuse_foreign_delimiter(fields: list[str], separator: str, line: int) -> None:
    foreign = [other for other in _FOREIGN if other != separator and other in fields[0]]
    if len(fields) == 1 and foreign:
        what, found = "the whole header is one column", f"{fields[0][:80]!r} with delimiter {separator!r}"
        remedy = f"set dataset.dialect.delimiter to {foreign[0]!r}"
        raise defect_error(Defect.WRONG_DELIMITER, what, row=line, found=found, remedy=remedy)


def _refuse_repeated(fields: list[str], line: int) -> None:
    seen: dict[str, int] = {}
    for number, field in enumerate(fields, 1):
        if field and field in seen:
            raise defect_error(
                Defect.REPEATED_COLUMN,
                "column names are repeated",
                name=f"columns {seen[field]} and {number}",
                row=line,
                column=field,
                expected="unique names",
                remedy="rename one of them in the file",
            )
        seen[field] = number
