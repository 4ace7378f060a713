"""The first row of delimited text: the columns' names.

Rows looked at as bytes, for what a parser would get wrong without a word.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from assay.errors import EmptyDataError
from assay.reading.defects import Defect, malformed
from assay.reading.delimited.blocks import Block, wrong_encoding
from assay.specs.dataset import CsvDialect

# numpy's passes over a piece then stay inside the processor's cache
_PIECE = 1 << 18
_NEWLINE, _RETURN, _ZERO = b"\n\r0"
_BEFORE_A_NUMBER = np.frombuffer(b" \t+-", np.uint8)
_AFTER_A_ZERO = np.frombuffer(b"0123456789xX", np.uint8)


def refuse_broken_text(block: Block, dialect: CsvDialect, separator: str, header: bytes, name: str) -> None:
    """Refuse NUL bytes, stray quotes and a repeated header.

    A quote may stand at the edges of a field or doubled inside a quoted one, as in RFC 4180. A stray quote makes a
    parser swallow the rows up to the next quote without a word.

    Args:
        block: whole rows.
        dialect: how they are written.
        separator: between fields.
        header: the header row's bytes; empty where the file has none, or only one column.
        name: how the file is called in messages.

    Raises:
        MalformedDataError: says the line and the byte.
    """
    nul = block.data.find(b"\0")
    if nul >= 0:
        raise malformed(
            Defect.NUL_BYTE,
            "the file holds a NUL byte",
            name,
            row=block.line_at(nul),
            byte=block.offset + nul,
            expected="text",
            remedy="check dataset.format and dataset.dialect.encoding",
        )
    stray = _stray_quote(block.data, dialect.quote.encode(), separator.encode())
    if stray is not None:
        raise malformed(
            Defect.STRAY_QUOTE,
            "a quote stands in the middle of a field, or is never closed",
            name,
            row=block.line_at(stray),
            byte=block.offset + stray,
            found=dialect.quote,
            expected="quotes around whole fields, and doubled inside them",
            remedy="mend the row; if the file does not quote at all, set dataset.dialect.quote to a character it lacks",
        )
    again = _row_like(block.data, header) if header else -1
    if again >= 0:
        raise malformed(
            Defect.REPEATED_HEADER,
            "the header stands among the rows",
            name,
            row=block.line_at(again),
            byte=block.offset + again,
            expected="one header, in the first row",
            remedy="the file is several put together: take the further headers out",
        )


def columns_with_leading_zeros(data: bytes, separator: str) -> npt.NDArray[np.int64]:
    """Return the 0-based columns in which a field begins with a zero and another digit, as `00123` or `-07` do.

    Args:
        data: whole rows without quotes.
        separator: between fields.
    """
    codes = np.frombuffer(data, np.uint8)
    pieces = [_leading_zeros(codes, start, ord(separator)) for start in range(0, codes.size, _PIECE)]
    found = np.sort(np.concatenate(pieces)) if pieces else np.empty(0, np.int64)
    if not found.size:
        return found
    ends = np.concatenate([[-1], np.flatnonzero((codes == _NEWLINE) | (codes == _RETURN))])
    separators = np.flatnonzero(codes == ord(separator))
    row_starts = ends[np.searchsorted(ends, found) - 1]
    return np.unique(np.searchsorted(separators, found) - np.searchsorted(separators, row_starts))


def _leading_zeros(codes: npt.NDArray[np.uint8], start: int, separator: int) -> npt.NDArray[np.int64]:
    """Return places in one piece of zeros that begin a field, signs and blanks aside, and do not end its number."""
    piece = codes[start : start + _PIECE]
    begins = np.empty(piece.size, bool)
    begins[0] = start == 0 or int(codes[start - 1]) in {separator, _NEWLINE, _RETURN}
    np.logical_or(piece[:-1] == separator, piece[:-1] == _NEWLINE, out=begins[1:])
    begins[1:] |= piece[:-1] == _RETURN
    places = np.flatnonzero(begins & (piece <= _ZERO)) + start
    moved = places[np.isin(codes[places], _BEFORE_A_NUMBER)]
    places = places[codes[places] == _ZERO]
    while moved.size:
        moved = moved[moved + 1 < codes.size] + 1
        places = np.concatenate([places, moved[codes[moved] == _ZERO]])
        moved = moved[np.isin(codes[moved], _BEFORE_A_NUMBER)]
    places = places[places + 1 < codes.size]
    return places[np.isin(codes[places + 1], _AFTER_A_ZERO)]


def _stray_quote(data: bytes, quote: bytes, separator: bytes) -> int | None:
    if quote not in data:
        return None
    codes = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    places = np.flatnonzero(codes == quote[0])
    edges = np.frombuffer(separator + b"\r\n" + quote, np.uint8)
    opens = np.arange(places.size) % 2 == 0
    stray = places[~np.isin(np.where(opens, codes[places - 1], codes[places + 1]), edges)]
    if stray.size:
        return int(stray[0]) - 1
    return int(places[-1]) - 1 if places.size % 2 else None


def _row_like(data: bytes, header: bytes) -> int:
    """Return where a row equals the header; -1 where none does."""
    if data.startswith(header) and data[len(header) : len(header) + 1] in {b"", b"\r", b"\n"}:
        return 0
    for before in (b"\n", b"\r"):
        for after in (b"\n", b"\r"):
            place = data.find(before + header + after)
            if place >= 0:
                return place + 1
    return len(data) - len(header) if data.endswith((b"\n" + header, b"\r" + header)) else -1


MAX_COLUMNS = 5_000
"""Wider tables come from a wrong delimiter or a transposed file."""
MAX_FIELD_BYTES = 1 << 20
"""Longer ones come from a quote that is never closed."""
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FOREIGN = (";", "\t", "|", ",")
_UNNAMED = "\0"
csv.field_size_limit(MAX_FIELD_BYTES)  # Python's own is an eighth of it


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a file.

    Attributes:
        names: one for each field; a column without a name has a place holder that no file can hold.
        written: the header row's bytes without the line end, to find it again among the rows; empty without header.
    """

    names: tuple[str, ...]
    written: bytes


def is_unnamed(name: str) -> bool:
    """Whether a name is the place holder of a column without one."""
    return name.startswith(_UNNAMED)


def split_header(block: Block, dialect: CsvDialect, separator: str, name: str) -> tuple[Header, Block]:
    """Take the header off the first block.

    Args:
        block: the file's first block.
        dialect: how it is written; without a header the first row only tells the number of columns.
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
    refuse_broken_text(written, dialect, separator, b"", name)
    _refuse_foreign_delimiter(fields, separator, name, block.line)
    if len(fields) > MAX_COLUMNS:
        raise malformed(
            Defect.TOO_MANY_COLUMNS,
            "there are too many columns",
            name,
            row=block.line,
            found=str(len(fields)),
            expected=f"at most {MAX_COLUMNS:,}",
            remedy="check dataset.dialect.delimiter",
        )
    _refuse_repeated(fields, name, block.line)
    names = tuple(field or f"{_UNNAMED}{place}" for place, field in enumerate(fields, 1))
    rows = replace(block, data=block.data[end:], line=written.line_at(end), offset=block.offset + end)
    return Header(names, block.data[start:end].rstrip(b"\r\n")), rows


def _first_row(block: Block, dialect: CsvDialect, separator: str, name: str) -> tuple[list[str], int, int]:
    """Return the fields of the first row that is not blank, and where it begins and ends."""
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
        place = begin + error.start
        raise wrong_encoding(dialect, name, row=block.line_at(place), byte=block.offset + place) from error
    except csv.Error as error:
        defect = Defect.FIELD_TOO_LONG if "limit" in str(error) else Defect.STRAY_QUOTE
        raise malformed(
            defect, "the header is not readable", name, row=block.line, found=str(error), expected="names of columns"
        ) from error
    raise EmptyDataError("the file is empty", where=name, found="no row", expected="a header and rows")


def _refuse_foreign_delimiter(fields: list[str], separator: str, name: str, line: int) -> None:
    foreign = [other for other in _FOREIGN if other != separator and other in fields[0]]
    if len(fields) == 1 and foreign:
        raise malformed(
            Defect.WRONG_DELIMITER,
            "the whole header is one column",
            name,
            row=line,
            found=f"{fields[0][:80]!r} with delimiter {separator!r}",
            remedy=f"set dataset.dialect.delimiter to {foreign[0]!r}",
        )


def _refuse_repeated(fields: list[str], name: str, line: int) -> None:
    seen: dict[str, int] = {}
    for place, field in enumerate(fields, 1):
        if field and field in seen:
            raise malformed(
                Defect.REPEATED_COLUMN,
                "column names are repeated",
                f"{name}, columns {seen[field]} and {place}",
                row=line,
                column=field,
                expected="unique names",
                remedy="rename one of them in the file",
            )
        seen[field] = place
