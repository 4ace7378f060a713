"""Delimited text looked at as bytes, for what a lenient parser would get silently wrong.

Belongs here: NUL bytes, quotes that open or close in the middle of a field, a header in another delimiter.
Does not belong here: parsing (`delimited`).
"""

from pathlib import Path

import numpy as np

from assay.errors import MalformedDataError
from assay.specs.dataset import CsvDialect

_BLOCK_BYTES = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = (";", "\t", "|", ",")
_NEWLINE = ord("\n")


def refuse_broken_text(path: Path, dialect: CsvDialect, name: str, separator: str) -> None:
    """Refuse NUL bytes and stray quotes, as RFC 4180 does, in one pass of bounded memory.

    A quote may stand at the edges of a field or doubled inside a quoted one. A stray quote makes a parser swallow the
    rows up to the next quote without a word. Encodings of more than one byte per ASCII character are not looked at.

    Raises:
        MalformedDataError: says the line.
    """
    if _is_wide(dialect.encoding):
        return
    quote = ord(dialect.quote)
    edges = np.frombuffer(f"{separator}\r\n{dialect.quote}".encode(), np.uint8)
    quotes, line, last_quote_line, before = 0, 1, 1, b"\n"
    with path.open("rb") as file:
        block = file.read(_BLOCK_BYTES).removeprefix(_BYTE_ORDER_MARK)
        while block:
            following = file.read(_BLOCK_BYTES)
            _refuse_nul(block, name, line)
            codes = np.frombuffer(before + block + (following[:1] or b"\n"), np.uint8)
            places = np.flatnonzero(codes[1:-1] == quote) + 1
            opens = (np.arange(places.size) + quotes) % 2 == 0
            stray = places[~np.isin(np.where(opens, codes[places - 1], codes[places + 1]), edges)]
            if stray.size:
                raise _stray_quote(name, line + int(np.count_nonzero(codes[1 : stray[0]] == _NEWLINE)), dialect)
            if places.size:
                last_quote_line = line + int(np.count_nonzero(codes[1 : places[-1]] == _NEWLINE))
            quotes, line, before, block = quotes + places.size, line + block.count(b"\n"), block[-1:], following
    if quotes % 2:
        raise _stray_quote(name, last_quote_line, dialect)


def refuse_foreign_delimiter(path: Path, dialect: CsvDialect, name: str, separator: str) -> None:
    """Refuse a header that lacks the delimiter and holds another: the whole table would be one column.

    Raises:
        MalformedDataError: names the dialect setting to change.
    """
    encoding = "utf-8-sig" if dialect.encoding.lower() in {"utf-8", "utf8"} else dialect.encoding
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        header = file.readline(1 << 20).rstrip("\r\n")
    foreign = [other for other in _DELIMITERS if other in header]
    if separator not in header and foreign:
        raise MalformedDataError(
            "the whole header is one column",
            where=f"{name}, line 1",
            found=f"{header[:80]!r} with delimiter {separator!r}",
            remedy=f"set dataset.dialect.delimiter to {foreign[0]!r}",
        )


def _is_wide(encoding: str) -> bool:
    return encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))


def _refuse_nul(block: bytes, name: str, line: int) -> None:
    position = block.find(b"\0")
    if position >= 0:
        raise MalformedDataError(
            "the file holds a NUL byte",
            where=f"{name}, line {line + block.count(10, 0, position)}",
            expected="text",
            remedy="check dataset.format and dataset.dialect.encoding",
        )


def _stray_quote(name: str, line: int, dialect: CsvDialect) -> MalformedDataError:
    return MalformedDataError(
        "a quote stands in the middle of a field, or is never closed",
        where=f"{name}, line {line}",
        found=dialect.quote,
        expected="quotes around whole fields, and doubled inside them",
        remedy="mend the row; if the file does not quote at all, set dataset.dialect.quote to a character it lacks",
    )
