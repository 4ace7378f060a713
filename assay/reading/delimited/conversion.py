"""One block of rows as typed columns, by Arrow; what loses something is told, not done.

Where fields and rows of a block begin and end, for saying the place of a defect.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from assay.errors import MalformedDataError
from assay.reading.batches import UnfitTypesError
from assay.reading.defects import Defect, malformed
from assay.reading.delimited.blocks import UTF8_MARK, Block, wrong_encoding
from assay.reading.delimited.header import MAX_FIELD_BYTES, columns_with_leading_zeros, refuse_broken_text
from assay.specs.dataset import CsvDialect

_NEWLINE, _RETURN = b"\n\r"


@dataclass(frozen=True, slots=True)
class Fields:
    """All fields of some rows whose quotes are in order; blank lines are no rows.

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
        """Return byte and number of fields of the first row that has not `width` of them; -1 where all have."""
        begins = np.flatnonzero(self.columns == 0)
        widths = np.diff(np.append(begins, self.columns.size))
        others = np.flatnonzero(widths != width)
        return (int(self.starts[begins[others[0]]]), int(widths[others[0]])) if others.size else (-1, width)

    def first_longer_than(self, size: int) -> tuple[int, int] | None:
        """Return byte and column of the first field of more bytes than `size`; None where none is."""
        longer = np.flatnonzero(self.lengths > size)
        return (int(self.starts[longer[0]]), int(self.columns[longer[0]])) if longer.size else None


def fields_of(data: bytes, separator: str, quote: str) -> Fields:
    """Find the fields of whole rows.

    Args:
        data: the rows; the last may be cut off.
        separator: between fields.
        quote: around fields; what is between two is one field's.
    """
    codes = np.frombuffer(data, np.uint8)
    ends = (codes == _NEWLINE) | (codes == _RETURN) | (codes == ord(separator))
    if quote.encode() in data:
        ends &= ~np.logical_xor.accumulate(codes == ord(quote))
    places = np.flatnonzero(ends)
    closes_row = np.isin(codes[places], (_NEWLINE, _RETURN))
    if not closes_row.size or not closes_row[-1] or places[-1] < len(data) - 1:
        places, closes_row = np.append(places, len(data)), np.append(closes_row, True)
    starts = np.append(0, places[:-1] + 1)
    begins_row = np.append(True, closes_row[:-1])
    first = np.maximum.accumulate(np.where(begins_row, np.arange(starts.size), 0))
    lengths = places - starts
    is_field = ~(begins_row & closes_row & (lengths == 0))
    return Fields(starts[is_field], lengths[is_field], (np.arange(starts.size) - first)[is_field])


EXACT_UP_TO = 2**53
"""Whole numbers up to this have floats of their own."""
_LEADING_ZERO = r"^[ \t]*[+-]?0[0-9xX]"
_MANY_DIGITS = r"^[ \t]*[+-]?[0-9]{16,}([.,]0*)?[ \t]*$"
_VANISHED = r"^[^eE]*[1-9][^eE]*[eE]-"
_TINY = (b"e-", b"E-")
_DIGIT = r"[0-9]"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_UNFIT = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error")


@dataclass(frozen=True, slots=True)
class Rows:
    """How the rows of one file are written.

    Attributes:
        names: the columns, unnamed ones under place holders.
        header: the header row's bytes, empty without one.
        dialect: as in the spec.
        separator: between fields.
        name: the file, for messages.
    """

    names: tuple[str, ...]
    header: bytes
    dialect: CsvDialect
    separator: str
    name: str

    def fields_in(self, data: bytes) -> Fields:
        """Find the fields of some rows."""
        return fields_of(data, self.separator, self.dialect.quote)


def converted(block: Block, rows: Rows, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Convert a block; columns without a type get the one that all of the block's values fit.

    Args:
        block: whole rows.
        rows: how they are written.
        types: dtypes by column.

    Raises:
        UnfitTypesError: a column with a type does not fit it.
        MalformedDataError: the rows cannot be read.
    """
    refuse_broken_text(block, rows.dialect, rows.separator, rows.header if len(rows.names) > 1 else b"", rows.name)
    _refuse_long_fields(block, rows)
    try:
        table = _parsed(block, rows, types)
    except (pa.ArrowInvalid, UnicodeError) as error:
        unfit = _UNFIT.search(str(error))
        if unfit and "UTF8" not in str(error):
            raise UnfitTypesError([rows.names[int(unfit[1])]]) from error
        raise _refusal(block, rows, str(error)) from error
    _refuse_long_values(table, block, rows)
    return table


def columns_that_lose(table: pa.Table, block: Block, rows: Rows) -> tuple[str, ...]:
    """Return the number columns of a converted block that say less than their texts.

    A leading zero (`00123`, `0x1F`), digits beyond 64 bits, or a size beyond a float's, huge or tiny.

    Args:
        table: the block as converted.
        block: the rows.
        rows: how they are written.
    """
    numbers = [field.name for field in table.schema if is_number(field.type)]
    tiny = any(exponent in block.data for exponent in _TINY)
    suspects = [name for name in numbers if _is_suspect(table[name]) or (tiny and _has_zeros(table[name]))]
    if rows.dialect.quote.encode() in block.data:
        zeros = numbers  # a separator inside quotes would shift the count of columns
    else:
        found = columns_with_leading_zeros(block.data, rows.separator)
        zeros = [name for name in (rows.names[place] for place in found) if name in numbers]
        if not suspects:
            return tuple(zeros)
    looked_at = tuple(dict.fromkeys([*zeros, *suspects]))
    if not looked_at:
        return ()
    texts = _parsed(block, rows, dict.fromkeys(looked_at, pa.string()), only=looked_at)
    return tuple(name for name in looked_at if _loses_something(table[name], texts[name]))


def is_number(dtype: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))


def _is_suspect(numbers: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(numbers.type):
        return False
    finite = pc.min_max(numbers).as_py()  # NaN is passed over
    return any(value is not None and abs(value) >= EXACT_UP_TO for value in finite.values())


def _has_zeros(numbers: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_floating(numbers.type) and pc.any(pc.equal(numbers, 0.0)).as_py())


def _loses_something(numbers: pa.ChunkedArray, texts: pa.ChunkedArray) -> bool:
    if pc.any(pc.match_substring_regex(texts, _LEADING_ZERO)).as_py():
        return True
    if _has_zeros(numbers):
        vanished = pc.and_(pc.equal(numbers, 0.0), pc.match_substring_regex(texts, _VANISHED))
        if pc.any(vanished).as_py():
            return True
    if not _is_suspect(numbers):
        return False
    overflown = pc.and_(pc.is_inf(numbers), pc.match_substring_regex(texts, _DIGIT))
    long = pc.match_substring_regex(texts, _MANY_DIGITS)
    return bool(pc.any(pc.or_(overflown, long)).as_py())


def _parsed(block: Block, rows: Rows, types: Mapping[str, pa.DataType], only: tuple[str, ...] = ()) -> pa.Table:
    values, words = rows.dialect.null_values, rows.dialect.null_words
    table = _parsed_with(block, rows, types, only, (*values, *words))
    texts = tuple(field.name for field in table.schema if pa.types.is_string(field.type)) if words else ()
    texts = tuple(name for name in texts if table[name].null_count)
    if texts:  # Arrow knows words for all columns only
        exact = _parsed_with(block, rows, dict.fromkeys(texts, pa.string()), texts, values)
        for name in texts:
            table = table.set_column(table.schema.get_field_index(name), name, exact[name])
    return table


def _parsed_with(
    block: Block, rows: Rows, types: Mapping[str, pa.DataType], only: tuple[str, ...], missing: tuple[str, ...]
) -> pa.Table:
    dialect = rows.dialect
    reading = csv.ReadOptions(
        column_names=list(rows.names), use_threads=False, block_size=len(block.data) + len(UTF8_MARK) + 1
    )
    parsing = csv.ParseOptions(
        delimiter=rows.separator, quote_char=dialect.quote, double_quote=True, newlines_in_values=True
    )
    convert = csv.ConvertOptions(
        null_values=list(missing),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=_TRUE,
        false_values=_FALSE,
        decimal_point=dialect.decimal,
        column_types={name: dtype for name, dtype in types.items() if name in rows.names},
        include_columns=list(only),
    )
    if not block.data.strip(b"\r\n"):
        return pa.table({name: pa.nulls(0, types.get(name, pa.null())) for name in only or rows.names})
    # Arrow takes a mark off every block, and only the file's first is none of the text
    data = UTF8_MARK + block.data if block.data.startswith(UTF8_MARK) else block.data
    table = csv.read_csv(pa.BufferReader(data), reading, parsing, convert)
    undecodable = next((field.name for field in table.schema if pa.types.is_binary(field.type)), None)
    if undecodable is not None:
        raise pa.ArrowInvalid("invalid UTF8 data")
    return table


def _refusal(block: Block, rows: Rows, told: str) -> MalformedDataError:
    if "UTF8" in told:
        return _undecodable(block, rows)
    if "Expected" in told and "columns" in told:
        return _ragged(block, rows)
    return malformed(
        Defect.UNREADABLE,
        "the file is not readable as delimited text",
        rows.name,
        row=block.line,
        found=re.sub(r"'.*'", "a value", told.splitlines()[0])[:200],
        expected=f"fields separated by {rows.separator!r}",
        remedy="check dataset.format and dataset.dialect",
    )


def _ragged(block: Block, rows: Rows) -> MalformedDataError:
    start, found = rows.fields_in(block.data).first_row_without(len(rows.names))
    return malformed(
        Defect.RAGGED_ROW,
        "a row has another number of fields than the header",
        rows.name,
        row=block.line_at(max(start, 0)),
        found=f"{found} fields",
        expected=f"{len(rows.names)} fields separated by {rows.separator!r}",
        remedy="mend the row, or dataset.dialect",
    )


def _undecodable(block: Block, rows: Rows) -> MalformedDataError:
    try:
        block.data.decode()
    except UnicodeDecodeError as error:
        place = int(rows.fields_in(block.data[: error.start + 1]).columns[-1])
        return wrong_encoding(
            rows.dialect,
            rows.name,
            row=block.line_at(error.start),
            column=rows.names[place] if place < len(rows.names) else "",
            byte=block.offset + error.start,
        )
    return wrong_encoding(rows.dialect, rows.name, row=block.line)


def _refuse_long_fields(block: Block, rows: Rows) -> None:
    """Refuse before parsing what takes Arrow's inference seconds; long values of many lines are met afterwards."""
    windows = range(0, len(block.data), MAX_FIELD_BYTES // 2)
    if all(block.data.find(b"\n", start, start + MAX_FIELD_BYTES // 2) >= 0 for start in windows[:-1]):
        return
    found = rows.fields_in(block.data).first_longer_than(MAX_FIELD_BYTES + len(rows.dialect.quote) * 2)
    if found:
        raise _too_long(block, rows, *found)


def _refuse_long_values(table: pa.Table, block: Block, rows: Rows) -> None:
    if len(block.data) <= MAX_FIELD_BYTES:
        return
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    if any((pc.max(pc.binary_length(table[name])).as_py() or 0) > MAX_FIELD_BYTES for name in texts):
        found = rows.fields_in(block.data).first_longer_than(MAX_FIELD_BYTES)
        raise _too_long(block, rows, *(found or (0, 0)))


def _too_long(block: Block, rows: Rows, start: int, place: int) -> MalformedDataError:
    return malformed(
        Defect.FIELD_TOO_LONG,
        "a field is too long",
        rows.name,
        row=block.line_at(start),
        column=rows.names[place] if place < len(rows.names) else "",
        byte=block.offset + start,
        expected=f"at most {MAX_FIELD_BYTES:,} bytes",
        remedy="check for a quote that is never closed",
    )
