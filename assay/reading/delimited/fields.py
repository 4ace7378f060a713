"""The header and the fields of delimited text, as bytes, and what a parser would silently read wrong."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from assay.errors import EmptyDataError, Remedy
from assay.reading.defects import MAX_FIELD_BYTES, Defect, defect_error, require_few_columns
from assay.reading.delimited.blocks import TextBlock, stray_quote, wrong_encoding
from assay.specs.dataset import CsvDialect

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_FOREIGN = (";", "\t", "|", ",")
_UNNAMED = "\0"
csv.field_size_limit(MAX_FIELD_BYTES)  # Python's default is an eighth of it
# pieces of this size stay in the processor's cache
_PIECE = 1 << 18
_NEWLINE, _RETURN, _ZERO = b"\n\r0"
_BEFORE_A_NUMBER = np.frombuffer(b" \t+-", np.uint8)
_AFTER_A_ZERO = np.frombuffer(b"0123456789xX", np.uint8)


def require_sound_text(block: TextBlock, dialect: CsvDialect, separator: str, header: bytes) -> None:
    """Refuse NUL bytes, stray quotes and a repeated header.

    A quote may stand at the edges of a field or doubled inside a quoted one, as in RFC 4180. With a stray quote, a
    parser silently reads the rows up to the next quote as one field. `header` is empty where the file has none, or
    only one column.

    Raises:
        MalformedDataError: with line and byte.
    """
    found = block.data.find(b"\0")
    if found >= 0:
        what = "the file holds a NUL byte"
        remedy = Remedy("check {} and {}", "dataset.format", "dataset.dialect.encoding")
        row, byte = block.line_at(found), block.byte_at(found)
        raise defect_error(Defect.NUL_BYTE, what, row=row, byte=byte, expected="text", remedy=remedy)
    found = _stray_quote(block.data, dialect.quote.encode(), separator.encode())
    if found >= 0:
        what = "a quote stands in the middle of a field, or is never closed"
        raise stray_quote(what, dialect.quote, block.line_at(found), block.byte_at(found))
    found = _row_like(block.data, header) if header else -1
    if found >= 0:
        what, expected = "the header stands among the rows", "one header, in the first row"
        row, byte = block.line_at(found), block.byte_at(found)
        removed = "the file is a concatenation: remove the repeated headers"
        raise defect_error(Defect.REPEATED_HEADER, what, row=row, byte=byte, expected=expected, remedy=removed)


def columns_with_leading_zeros(data: bytes, separator: str) -> npt.NDArray[np.int64]:
    """Return the 0-based columns of rows without quotes in which a field begins as `00123` or `-07`."""
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
    """Return the positions in one piece of zeros at the start of a field, after signs and blanks, before a digit."""
    piece = codes[start : start + _PIECE]
    begins = np.empty(piece.size, bool)
    begins[0] = start == 0 or int(codes[start - 1]) in {separator, _NEWLINE, _RETURN}
    np.logical_or(piece[:-1] == separator, piece[:-1] == _NEWLINE, out=begins[1:])
    begins[1:] |= piece[:-1] == _RETURN
    positions = np.flatnonzero(begins & (piece <= _ZERO)) + start
    moved = positions[np.isin(codes[positions], _BEFORE_A_NUMBER)]
    positions = positions[codes[positions] == _ZERO]
    while moved.size:
        moved = moved[moved + 1 < codes.size] + 1
        positions = np.concatenate([positions, moved[codes[moved] == _ZERO]])
        moved = moved[np.isin(codes[moved], _BEFORE_A_NUMBER)]
    positions = positions[positions + 1 < codes.size]
    return positions[np.isin(codes[positions + 1], _AFTER_A_ZERO)]


def _stray_quote(data: bytes, quote: bytes, separator: bytes) -> int:
    """Return the position of the first stray quote, or -1."""
    if quote not in data:
        return -1
    codes = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    positions = np.flatnonzero(codes == quote[0])
    edges = np.frombuffer(separator + b"\r\n" + quote, np.uint8)
    opens = np.arange(positions.size) % 2 == 0
    stray = positions[~np.isin(np.where(opens, codes[positions - 1], codes[positions + 1]), edges)]
    if stray.size:
        return int(stray[0]) - 1
    return int(positions[-1]) - 1 if positions.size % 2 else -1


def _row_like(data: bytes, header: bytes) -> int:
    """Return the position of a row that equals the header, or -1."""
    if data.startswith(header) and data[len(header) : len(header) + 1] in {b"", b"\r", b"\n"}:
        return 0
    for before in (b"\n", b"\r"):
        for after in (b"\n", b"\r"):
            position = data.find(before + header + after)
            if position >= 0:
                return position + 1
    return len(data) - len(header) if data.endswith((b"\n" + header, b"\r" + header)) else -1


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of some rows with matching quotes; blank lines are not rows.

    Attributes:
        starts: 0-based byte at which each begins, quotes included, shape (fields,).
        lengths: bytes of each, quotes included, shape (fields,).
        columns: 0-based column of each, shape (fields,).
    """

    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    def start_of_row(self, number: int) -> int:
        """Return the byte at which a 0-based row begins."""
        return int(self.starts[self.columns == 0][number])

    def first_row_without(self, width: int) -> tuple[int, int]:
        """Return byte and number of fields of the first row without `width` fields; byte -1 if all rows have them."""
        begins = np.flatnonzero(self.columns == 0)
        widths = np.diff(np.append(begins, self.columns.size))
        others = np.flatnonzero(widths != width)
        return (int(self.starts[begins[others[0]]]), int(widths[others[0]])) if others.size else (-1, width)

    def first_longer_than(self, size: int) -> tuple[int, int] | None:
        """Return byte and column of the first field of more bytes than `size`, or None."""
        longer = np.flatnonzero(self.lengths > size)
        return (int(self.starts[longer[0]]), int(self.columns[longer[0]])) if longer.size else None


def fields_of(data: bytes, separator: str, quote: str) -> Fields:
    """Find the fields of whole rows, of which the last may be cut off.

    Separators and line ends between two quotes belong to the field.
    """
    codes = np.frombuffer(data, np.uint8)
    ends = (codes == _NEWLINE) | (codes == _RETURN) | (codes == ord(separator))
    if quote.encode() in data:
        ends &= ~np.logical_xor.accumulate(codes == ord(quote))
    positions = np.flatnonzero(ends)
    closes_row = np.isin(codes[positions], (_NEWLINE, _RETURN))
    if not closes_row.size or not closes_row[-1] or positions[-1] < len(data) - 1:
        positions, closes_row = np.append(positions, len(data)), np.append(closes_row, True)
    starts = np.append(0, positions[:-1] + 1)
    begins_row = np.append(True, closes_row[:-1])
    first = np.maximum.accumulate(np.where(begins_row, np.arange(starts.size), 0))
    lengths = positions - starts
    is_field = ~(begins_row & closes_row & (lengths == 0))
    return Fields(starts[is_field], lengths[is_field], (np.arange(starts.size) - first)[is_field])


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

    def has_field(self, data: bytes, text: str) -> bool:
        """Return whether a field of some rows is this text, without quotes around it."""
        word, edges = re.escape(text.encode()), rb"[^\r\n" + re.escape(self.separator.encode()) + rb"]"
        # the word comes first in the pattern, since a search for a literal start is much faster
        return re.search(word + rb"(?!" + edges + rb")(?<!" + edges + word + rb")", data) is not None

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
        return Rows(_names_without_header(len(fields), dialect, block.line), b"", dialect, separator), block
    written = replace(block, data=block.data[:end])
    require_sound_text(written, dialect, separator, b"")
    _refuse_foreign_delimiter(fields, separator, block.line)
    require_few_columns(len(fields), row=block.line, remedy=Remedy("check {}", "dataset.dialect.delimiter"))
    _refuse_repeated(fields, block.line)
    names = tuple(field or f"{_UNNAMED}{number}" for number, field in enumerate(fields, 1))
    rest = block.after(end)
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
        raise wrong_encoding(dialect, row=block.line_at(number), byte=block.byte_at(number)) from error
    except csv.Error as error:
        defect = Defect.FIELD_TOO_LONG if "limit" in str(error) else Defect.STRAY_QUOTE
        what, expected = "the header is not readable", "names of columns"
        raise defect_error(defect, what, row=block.line, found=str(error), expected=expected) from error
    raise EmptyDataError("the file is empty", found="no row", expected="a header and rows")


def _names_without_header(fields: int, dialect: CsvDialect, line: int) -> tuple[str, ...]:
    if dialect.names and len(dialect.names) != fields:
        raise defect_error(
            Defect.RAGGED_ROW,
            "the first row has another number of fields than there are names",
            row=line,
            found=f"{fields} fields",
            expected=f"{len(dialect.names)} fields: {', '.join(dialect.names)}",
            remedy=Remedy("correct {}, or the delimiter", "dataset.dialect.names"),
        )
    return dialect.names or tuple(f"column_{number}" for number in range(1, fields + 1))


def _refuse_foreign_delimiter(fields: list[str], separator: str, line: int) -> None:
    foreign = [other for other in _FOREIGN if other != separator and other in fields[0]]
    if len(fields) == 1 and foreign:
        what, found = "the whole header is one column", f"{fields[0][:80]!r} with delimiter {separator!r}"
        remedy = Remedy(f"set {{}} to {foreign[0]!r}", "dataset.dialect.delimiter")
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
