"""Rows looked at as bytes, for what a parser would get wrong without a word.

Belongs here: NUL bytes, quotes that open or close in the middle of a field, the header among the rows, leading zeros.
Does not belong here: parsing (`conversion`).
"""

import numpy as np
import numpy.typing as npt

from assay.ingestion.defects import Defect, malformed
from assay.ingestion.delimited.blocks import Block
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
