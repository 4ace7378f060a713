"""What can be wrong with a file's bytes: stable names of defects, the errors that carry them, and limits of size.

Programs decide by the names, and each has cases in the corpus of hostile files.
"""

import errno
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from assay.errors import AssayError, Location, MalformedDataError


class Defect(StrEnum):
    """What is wrong with a file."""

    UNREADABLE = "unreadable"
    """Not the declared format, truncated, or damaged."""
    CHECKSUM_MISMATCH = "checksum_mismatch"
    """Bytes were changed after they were written."""
    WRONG_ENCODING = "wrong_encoding"
    """Bytes that are not text in the encoding, or an unknown encoding."""
    NUL_BYTE = "nul_byte"
    """A NUL byte in text."""
    RAGGED_ROW = "ragged_row"
    """A row with more or fewer fields than the header."""
    STRAY_QUOTE = "stray_quote"
    """A quote in the middle of a field, or never closed."""
    WRONG_DELIMITER = "wrong_delimiter"
    """The whole header is one column, and holds another delimiter."""
    REPEATED_HEADER = "repeated_header"
    """The header again, as a row."""
    REPEATED_COLUMN = "repeated_column"
    """Two columns of one name."""
    UNNAMED_COLUMN = "unnamed_column"
    """A column with values and without a name."""
    TOO_MANY_COLUMNS = "too_many_columns"
    """More than 5,000 columns."""
    FIELD_TOO_LONG = "field_too_long"
    """A field of more than 1 MiB."""
    TOO_LARGE = "too_large"
    """More bytes, values, or times its packed size than is allowed."""
    ARCHIVE_AMBIGUOUS = "archive_ambiguous"
    """An archive with no file, with several files of which none is named, or without the named one."""
    ENCRYPTED = "encrypted"
    """Bytes that need a password."""
    INVALID_JSON = "invalid_json"
    """Not strict JSON: syntax, NaN, repeated keys."""
    NOT_RECORDS = "not_records"
    """JSON that is no table."""
    OTHER_ORIENT = "other_orient"
    """A table in JSON of another layout than the pipeline says."""
    NESTED_VALUES = "nested_values"
    """Lists or records inside a column."""
    MIXED_TYPES = "mixed_types"
    """Values of different types in one column."""
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    """A number or time that its type cannot represent."""
    UNCALCULATED_FORMULA = "uncalculated_formula"
    """A spreadsheet formula without a stored value, or with an error."""
    SHEET_AMBIGUOUS = "sheet_ambiguous"
    """A workbook with several sheets of which none is named, or without the named one."""
    PARSER_LIMIT = "parser_limit"
    """Reading took more memory or time than is allowed, or the parser died."""


SETTINGS = frozenset({Defect.ARCHIVE_AMBIGUOUS, Defect.OTHER_ORIENT, Defect.SHEET_AMBIGUOUS, Defect.WRONG_DELIMITER})
"""Defects that a setting of the pipeline answers: the bytes are as they should be."""


def defect_error(  # noqa: PLR0913 - the parts of the error
    defect: Defect,
    what: str,
    *,
    name: str = "",
    row: int | None = None,
    column: str = "",
    byte: int | None = None,
    found: str = "",
    expected: str = "",
    remedy: str = "",
) -> MalformedDataError:
    """Return the error for a defect at a `Location`. Readers leave out the file's name, which `named` adds."""
    location = Location(row=row, column=column, byte=byte)
    return MalformedDataError(
        what,
        defect=defect,
        location=location,
        where=", ".join(part for part in (name, str(location)) if part),
        found=found,
        expected=expected,
        remedy=remedy,
    )


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a file's name before what an error says of the location in it; `/part` is a file below a folder."""
    try:
        yield
    except AssayError as error:
        is_below = error.where.startswith("/")
        error.where = name.rstrip("/") + error.where if is_below else f"{name}, {error.where}".removesuffix(", ")
        raise


def encrypted(found: str) -> MalformedDataError:
    """Return the error for bytes that need a password."""
    return defect_error(
        Defect.ENCRYPTED,
        "the file is encrypted",
        found=found,
        expected="a file without a password",
        remedy="remove the password before the file reaches the source",
    )


def unnamed_column(row: int, number: int, remedy: str) -> MalformedDataError:
    """Return the error for a value in a column, counted from 1, that has no name."""
    return defect_error(
        Defect.UNNAMED_COLUMN,
        "a column with values has no name",
        row=row,
        column=str(number),
        found=f"a value in column {number}",
        expected="a name for every column in the first row",
        remedy=remedy,
    )


_CHECKSUM_WORDS = ("crc", "checksum", "incorrect length", "corruption detected")


def parser_error(error: Exception, what: str, *, format_name: str, remedy: str) -> MalformedDataError:
    """Return the error for a file that its parser failed on.

    Raises:
        Exception: `error` itself where the machine failed and not the file: a disk, memory.
    """
    # a damaged file may name positions that do not exist, which the system reports as EINVAL
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}):
        raise error
    changed = any(word in str(error).lower() for word in _CHECKSUM_WORDS)
    return defect_error(
        Defect.CHECKSUM_MISMATCH if changed else Defect.UNREADABLE,
        what,
        found=(str(error).splitlines() or [type(error).__name__])[0][:300],
        expected=f"an undamaged {format_name} file",
        remedy=remedy,
    )


def require_unique(names: Sequence[str], *, name: str = "", row: int | None = None, remedy: str = "") -> None:
    """Refuse two columns of the same name.

    Raises:
        MalformedDataError: names the first of them.
    """
    repeated = [column for column, times in Counter(names).items() if times > 1]
    if repeated:
        raise defect_error(
            Defect.REPEATED_COLUMN,
            "column names are repeated",
            name=name,
            row=row,
            column=repeated[0],
            found=", ".join(repeated),
            expected="unique names",
            remedy=remedy,
        )


MAX_COLUMNS = 5_000
"""Wider tables come from a wrong delimiter or a transposed file."""
MAX_FIELD_BYTES = 1 << 20
"""Longer fields come from a quote that is never closed."""
MAX_VALUES = 1_000_000_000
"""Rows times columns; with run lengths, kilobytes can declare any number."""
MAX_DECODED_BYTES = 16 << 30
MAX_DECODED_RATIO = 2000
_LEAST_DECODED_BYTES = 256 << 20


@dataclass(slots=True)
class DecodedSize:
    """The decoded size of one file, counted while it is read and limited.

    Attributes:
        size: its bytes on disk; None where only values are counted.
        rows: counted so far.
        decoded: bytes in memory counted so far.
    """

    size: int | None = None
    rows: int = 0
    decoded: int = 0

    def add(self, rows: int, columns: int, decoded: int = 0) -> None:
        """Count rows and their bytes in memory.

        Raises:
            MalformedDataError: more than 10^9 values, 5,000 columns, 16 GiB, or 2,000 times the file's size and
                256 MiB.
        """
        require_few_columns(columns)
        self.rows += rows
        self.decoded += decoded
        if self.rows * columns > MAX_VALUES:
            raise _too_large(f"{self.rows:,} rows x {columns:,} columns", f"at most {MAX_VALUES:,} values")
        most = min(MAX_DECODED_BYTES, MAX_DECODED_RATIO * (self.size or 0) + _LEAST_DECODED_BYTES)
        if self.size is not None and self.decoded > most:
            raise _too_large(f"over {most:,} bytes", f"at most {MAX_DECODED_RATIO:,} times the file's size")


def _too_large(found: str, expected: str) -> MalformedDataError:
    what, remedy = "the file holds more than is allowed", "use smaller partitions"
    return defect_error(Defect.TOO_LARGE, what, found=found, expected=expected, remedy=remedy)


def require_few_columns(columns: int, *, row: int | None = None, remedy: str = "") -> None:
    """Refuse more columns than a table for learning has.

    Raises:
        MalformedDataError: more than 5,000 columns.
    """
    if columns > MAX_COLUMNS:
        found, expected = f"{columns:,}", f"at most {MAX_COLUMNS:,}"
        what = "there are too many columns"
        raise defect_error(Defect.TOO_MANY_COLUMNS, what, row=row, found=found, expected=expected, remedy=remedy)
