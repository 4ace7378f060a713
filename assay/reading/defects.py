"""What can be wrong with a file's bytes: stable names of defects, the errors that carry them, and limits of size.

Programs decide by the names, and each has cases in the corpus of hostile files.
"""

import errno
from dataclasses import dataclass
from enum import StrEnum

from assay.errors import Location, MalformedDataError


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
    """JSON that is not an array of flat objects."""
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


SETTINGS = frozenset({Defect.ARCHIVE_AMBIGUOUS, Defect.SHEET_AMBIGUOUS})
"""Defects that a setting of the pipeline answers: the bytes are as they should be."""


def defect_error(  # noqa: PLR0913 - the parts of the error
    defect: Defect,
    what: str,
    name: str,
    *,
    row: int | None = None,
    column: str = "",
    byte: int | None = None,
    found: str = "",
    expected: str = "",
    remedy: str = "",
) -> MalformedDataError:
    """Return the error for a file with a defect.

    Args:
        defect: what is wrong.
        what: the sentence for people.
        name: how the file is called in messages.
        row: 1-based line or row, the header counted.
        column: name of the column.
        byte: 0-based offset into the unpacked file.
        found: the offending value, shortened.
        expected: what would have been accepted.
        remedy: what to do.
    """
    location = Location(row=row, column=column, byte=byte)
    where = f"{name}, {location}" if str(location) else name
    return MalformedDataError(
        what, defect=defect, location=location, where=where, found=found, expected=expected, remedy=remedy
    )


def encrypted(name: str, found: str) -> MalformedDataError:
    """Return the error for bytes that need a password."""
    return defect_error(
        Defect.ENCRYPTED,
        "the file is encrypted",
        name,
        found=found,
        expected="a file without a password",
        remedy="remove the password before the file reaches the source",
    )


_CHECKSUM_WORDS = ("crc", "checksum", "incorrect length", "corruption detected")


def parser_error(error: Exception, what: str, name: str, *, format_name: str, remedy: str) -> MalformedDataError:
    """Return the error for a file that its parser failed on.

    Args:
        error: what the parser raised.
        what: the sentence for people.
        name: how the file is called in messages.
        format_name: what the file should have been.
        remedy: what to do.

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
        name,
        found=(str(error).splitlines() or [type(error).__name__])[0][:300],
        expected=f"an undamaged {format_name} file",
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
        name: the file, for messages.
        size: its bytes on disk; None where only values are counted.
        rows: counted so far.
        decoded: bytes in memory counted so far.
    """

    name: str
    size: int | None = None
    rows: int = 0
    decoded: int = 0

    def add(self, rows: int, columns: int, decoded: int = 0) -> None:
        """Count rows and their bytes in memory.

        Raises:
            MalformedDataError: more than 10^9 values, 5,000 columns, 16 GiB, or 2,000 times the file's size and
                256 MiB.
        """
        require_few_columns(columns, self.name)
        self.rows += rows
        self.decoded += decoded
        if self.rows * columns > MAX_VALUES:
            self._refuse(f"{self.rows:,} rows x {columns:,} columns", f"at most {MAX_VALUES:,} values")
        if self.size is not None and self.decoded > self.most_bytes:
            self._refuse(f"over {self.most_bytes:,} bytes", f"at most {MAX_DECODED_RATIO:,} times the file's size")

    @property
    def most_bytes(self) -> int:
        """The most bytes that the file's values may take in memory."""
        return min(MAX_DECODED_BYTES, MAX_DECODED_RATIO * (self.size or 0) + _LEAST_DECODED_BYTES)

    def _refuse(self, found: str, expected: str) -> None:
        raise defect_error(
            Defect.TOO_LARGE,
            "the file holds more than is allowed",
            self.name,
            found=found,
            expected=expected,
            remedy="use smaller partitions",
        )


def require_few_columns(columns: int, name: str) -> None:
    """Refuse more columns than a table for learning has.

    Raises:
        MalformedDataError: more than 5,000 columns.
    """
    if columns > MAX_COLUMNS:
        raise defect_error(
            Defect.TOO_MANY_COLUMNS,
            "there are too many columns",
            name,
            found=f"{columns:,}",
            expected=f"at most {MAX_COLUMNS:,}",
        )
