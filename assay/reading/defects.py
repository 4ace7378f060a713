"""The stable names of what can be wrong with a file's bytes, and the refusal that carries one.

Programs go by these names, and every one has cases in the corpus of hostile files.

What an error that a parser raised says of the file.
"""

import errno
from enum import StrEnum

from assay.errors import Location, MalformedDataError


class Defect(StrEnum):
    """What is wrong with a file."""

    UNREADABLE = "unreadable"
    """Not the format that it is said to be, truncated, or damaged."""
    CHECKSUM_MISMATCH = "checksum_mismatch"
    """Bytes were changed after they were written."""
    WRONG_ENCODING = "wrong_encoding"
    """Bytes that are no text in the encoding, or an encoding that does not exist."""
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
    """An archive that holds none, or several files, and none is named; or no file of the name."""
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
    """A number or time that its type cannot hold."""
    UNCALCULATED_FORMULA = "uncalculated_formula"
    """A spreadsheet formula without a stored value, or with an error."""
    SHEET_AMBIGUOUS = "sheet_ambiguous"
    """Several sheets and none is named, or no sheet of the name."""
    PARSER_LIMIT = "parser_limit"
    """Reading took more memory or time than is allowed, or the parser died."""


def malformed(  # noqa: PLR0913 - the parts of a refusal
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
    """Return the refusal of a file.

    Args:
        defect: what is wrong.
        what: the sentence for people.
        name: how the file is called in messages.
        row: 1-based line or row, the header counted.
        column: name of the column.
        byte: 0-based offset into the unpacked file.
        found: the offending value, short.
        expected: what would have been accepted.
        remedy: the next thing to do.
    """
    location = Location(row=row, column=column, byte=byte)
    where = f"{name}, {location}" if str(location) else name
    return MalformedDataError(
        what, defect=defect, location=location, where=where, found=found, expected=expected, remedy=remedy
    )


_CHECKSUM_WORDS = ("crc", "checksum", "incorrect length", "corruption detected")


def damaged(error: Exception, what: str, name: str, *, format_name: str, remedy: str) -> MalformedDataError:
    """Return the refusal of a file that its parser gave up on.

    Args:
        error: what the parser raised.
        what: the sentence for people.
        name: how the file is called in messages.
        format_name: what the file should have been.
        remedy: the next thing to do.

    Raises:
        Exception: `error` itself where it tells of the machine and not of the file: a disk that fails, memory.
    """
    # places that a damaged file names are no places, to the system too
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}):
        raise error
    changed = any(word in str(error).lower() for word in _CHECKSUM_WORDS)
    return malformed(
        Defect.CHECKSUM_MISMATCH if changed else Defect.UNREADABLE,
        what,
        name,
        found=(str(error).splitlines() or [type(error).__name__])[0][:300],
        expected=f"an undamaged {format_name} file",
        remedy=remedy,
    )
