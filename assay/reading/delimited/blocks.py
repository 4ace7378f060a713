"""A text file as blocks of whole rows in UTF-8."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from assay.errors import MalformedDataError, Remedy
from assay.reading.defects import Defect, defect_error
from assay.specs.dataset import CsvDialect

BLOCK_BYTES = 4 << 20
MAX_ROW_BYTES = 64 << 20
UTF8_MARK = b"\xef\xbb\xbf"
_BLANKS, _LINE_ENDS = np.frombuffer(b" \t", np.uint8), np.frombuffer(b"\r\n", np.uint8)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Some complete rows.

    Attributes:
        data: the rows in UTF-8, line ends as in the file.
        line: 1-based line of the first row.
        offset: 0-based byte of the first row in the UTF-8 text; the file's own where it is UTF-8.
        last: whether the file ends with it.
        kept: distance from `offset` of each byte of `data`, shape (bytes,), where bytes were removed; else None.
    """

    data: bytes
    line: int
    offset: int
    last: bool
    kept: npt.NDArray[np.int64] | None = None

    def line_at(self, position: int) -> int:
        """Return the 1-based line of a byte of the block."""
        return self.line + _line_ends(self.data, position)

    def byte_at(self, position: int) -> int:
        """Return the 0-based byte, in the UTF-8 text, of a byte of the block."""
        if self.kept is None or position >= self.kept.size:
            return self.offset + position
        return self.offset + int(self.kept[position])

    def after(self, end: int) -> Self:
        """Return the rows that begin at a byte of the block."""
        rest = replace(self, data=self.data[end:], line=self.line_at(end))
        if self.kept is None:
            return replace(rest, offset=self.offset + end)
        return replace(rest, kept=self.kept[end:])

    def stripped(self, separator: str, quote: str) -> Self:
        """Return the rows without the blanks and tabs around fields; those between quotes stay."""
        codes = np.frombuffer(self.data, np.uint8)
        blank = np.isin(codes, _BLANKS) & (codes != ord(separator))
        if quote.encode() in self.data:
            blank &= ~np.logical_xor.accumulate(codes == ord(quote))
        bounds = np.diff(np.concatenate([[False], blank, [False]]).astype(np.int8))
        starts, ends = np.flatnonzero(bounds == 1), np.flatnonzero(bounds == -1)
        is_edge = np.isin(np.concatenate([_LINE_ENDS, codes, _LINE_ENDS]), [ord(separator), *_LINE_ENDS])
        outer = is_edge[starts + _LINE_ENDS.size - 1] | is_edge[ends + _LINE_ENDS.size]
        marks = np.zeros(codes.size + 1, np.int8)
        marks[starts[outer]], marks[ends[outer]] = 1, -1
        kept = np.flatnonzero(np.cumsum(marks[:-1]) == 0)
        return replace(self, data=codes[kept].tobytes(), kept=kept)


def blocks(path: Path, dialect: CsvDialect, separator: str) -> Iterator[TextBlock]:
    """Cut a file at ends of rows; line ends inside quoted fields are not such.

    Blanks around fields are removed where the dialect says so.

    Raises:
        MalformedDataError: bytes that are not in the encoding, or a row of more than 64 MiB.
    """
    rest, line, offset = b"", 1, len(UTF8_MARK) if _begins_with_mark(path, dialect) else 0
    newline, quote = b"", dialect.quote.encode()
    for data, last in _with_last(_utf8(path, dialect)):
        rest += data
        newline = newline or (b"\r" if b"\n" not in rest and b"\r" in rest else b"\n")
        end = len(rest) if last else _end_of_rows(rest, newline, quote)
        if end == 0 and len(rest) > MAX_ROW_BYTES:
            raise _endless_row(rest, quote, line)
        if end or last:
            block = TextBlock(rest[:end], line, offset, last)
            yield block.stripped(separator, dialect.quote) if dialect.strip else block
            line, offset, rest = line + _line_ends(rest, end), offset + end, rest[end:]


def require_known_encoding(dialect: CsvDialect) -> None:
    """Refuse an unknown encoding.

    Raises:
        MalformedDataError: with the name of the setting.
    """
    try:
        " ".encode(dialect.encoding)  # unlike `codecs.lookup`, this refuses codecs that do not encode text, such as hex
    except (LookupError, UnicodeError) as error:
        raise defect_error(
            Defect.WRONG_ENCODING,
            "the encoding is unknown",
            found=dialect.encoding,
            expected="a Python codec name, such as utf-8, cp1252 or latin-1",
            remedy=Remedy("correct {}", "dataset.dialect.encoding"),
        ) from error


def _utf8(path: Path, dialect: CsvDialect) -> Iterator[bytes]:
    with path.open("rb") as file:
        first = file.read(BLOCK_BYTES)
        if not is_utf8(dialect):
            yield from _transcoded(first, lambda: file.read(BLOCK_BYTES), dialect)
            return
        if first.startswith(_UTF16_MARKS):
            raise wrong_encoding(dialect, row=1, byte=0)
        yield first.removeprefix(UTF8_MARK)
        while data := file.read(BLOCK_BYTES):
            yield data


def _transcoded(first: bytes, more: Callable[[], bytes], dialect: CsvDialect) -> Iterator[bytes]:
    decoder, data, byte = codecs.getincrementaldecoder(dialect.encoding)("strict"), first, 0
    mark = "\ufeff"
    while True:
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise wrong_encoding(dialect, byte=byte - pending + error.start) from error
        except UnicodeError as error:  # UTF-16 without a mark
            raise wrong_encoding(dialect, row=1, byte=0) from error
        yield text.removeprefix(mark).encode("utf-8", "surrogatepass")
        if not data:
            return
        byte, mark, data = byte + len(data), "", more()


def _with_last(items: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    previous: bytes | None = None
    for item in items:
        if previous is not None:
            yield previous, False
        previous = item
    yield previous or b"", True


def _end_of_rows(data: bytes, newline: bytes, quote: bytes) -> int:
    """Return the end of the last complete row; 0 without one."""
    end = data.rfind(newline) + 1
    if quote not in data:
        return end
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == quote[0])
    while end:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            return end
        end = data.rfind(newline, 0, int(quotes[before - 1])) + 1
    return 0


def _line_ends(data: bytes, end: int) -> int:
    feeds, returns = data.count(b"\n", 0, end), data.count(b"\r", 0, end)
    return feeds + returns - (data.count(b"\r\n", 0, end) if feeds and returns else 0)


def _endless_row(data: bytes, quote: bytes, line: int) -> MalformedDataError:
    if data.count(quote) % 2:
        row = line + _line_ends(data, data.rfind(quote))
        return stray_quote("a quote is never closed", quote.decode(), row)
    what, found, expected = "a row is too long", f"over {MAX_ROW_BYTES:,} bytes", "rows of text"
    remedy = Remedy("check {}", "dataset.format")
    return defect_error(Defect.FIELD_TOO_LONG, what, row=line, found=found, expected=expected, remedy=remedy)


def stray_quote(what: str, quote: str, row: int, byte: int | None = None) -> MalformedDataError:
    """Return the error for a quote that stands where none may."""
    return defect_error(
        Defect.STRAY_QUOTE,
        what,
        row=row,
        byte=byte,
        found=quote,
        expected="quotes around whole fields, and doubled inside them",
        remedy=Remedy(
            "correct the row; if the file uses no quotes, set {} to a character it lacks", "dataset.dialect.quote"
        ),
    )


def wrong_encoding(
    dialect: CsvDialect, *, row: int | None = None, column: str = "", byte: int | None = None
) -> MalformedDataError:
    """Return the error for bytes that are not text in the encoding."""
    return defect_error(
        Defect.WRONG_ENCODING,
        "a text is not in the file's encoding",
        row=row,
        column=column,
        byte=byte,
        expected=f"text in {dialect.encoding}",
        remedy=Remedy("set {} to what wrote the file, e.g. cp1252 or utf-16", "dataset.dialect.encoding"),
    )


def is_utf8(dialect: CsvDialect) -> bool:
    """Whether the blocks have the file's own bytes."""
    return codecs.lookup(dialect.encoding).name in {"utf-8", "utf-8-sig", "ascii"}


def _begins_with_mark(path: Path, dialect: CsvDialect) -> bool:
    if not is_utf8(dialect):
        return False
    with path.open("rb") as file:
        return file.read(len(UTF8_MARK)) == UTF8_MARK
