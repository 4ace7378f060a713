"""One block of rows as typed columns, by Arrow; a conversion that loses something is reported and not done."""

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from assay.errors import MalformedDataError, Remedy
from assay.reading.batches import TypesTooNarrowError
from assay.reading.defects import MAX_FIELD_BYTES, Defect, defect_error
from assay.reading.delimited.blocks import UTF8_MARK, TextBlock, wrong_encoding
from assay.reading.delimited.fields import Rows, columns_with_leading_zeros, require_sound_text

EXACT_UP_TO = 2**53
"""All whole numbers up to this are exact as floats."""
_LEADING_ZERO = r"^[ \t]*[+-]?0[0-9xX]"
_MANY_DIGITS = r"^[ \t]*[+-]?[0-9]{16,}([.,]0*)?[ \t]*$"
_VANISHED = r"^[^eE]*[1-9][^eE]*[eE]-"
_TINY = (b"e-", b"E-")
_DIGIT = r"[0-9]"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_TOO_NARROW = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error")


def converted(block: TextBlock, rows: Rows, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Convert a block; columns without a type get the one that all of the block's values fit.

    Raises:
        TypesTooNarrowError: a column does not fit its type.
        MalformedDataError: the rows cannot be read.
    """
    require_sound_text(block, rows.dialect, rows.separator, rows.header if len(rows.names) > 1 else b"")
    _require_short_fields(block, rows)
    try:
        table = _parsed(block, rows, types)
    except (pa.ArrowInvalid, UnicodeError) as error:
        narrow = _TOO_NARROW.search(str(error))
        if narrow and "UTF8" not in str(error):
            raise TypesTooNarrowError([rows.names[int(narrow[1])]]) from error
        raise _parse_error(block, rows, str(error)) from error
    _require_short_values(table, block, rows)
    return table


def columns_that_lose(table: pa.Table, block: TextBlock, rows: Rows) -> tuple[str, ...]:
    """Return the number columns of a converted block that lose something of their texts.

    A leading zero (`00123`, `0x1F`), digits beyond 64 bits, or a size beyond a float's, huge or tiny.
    """
    numbers = [field.name for field in table.schema if is_number(field.type)]
    tiny = any(exponent in block.data for exponent in _TINY)
    suspects = [name for name in numbers if _is_suspect(table[name]) or (tiny and _has_zeros(table[name]))]
    if rows.dialect.quote.encode() in block.data:
        zeros = numbers  # a separator inside quotes would shift the column numbers
    else:
        found = columns_with_leading_zeros(block.data, rows.separator)
        zeros = [name for name in (rows.names[number] for number in found) if name in numbers]
        if not suspects:
            return tuple(zeros)
    checked = tuple(dict.fromkeys([*zeros, *suspects]))
    if not checked:
        return ()
    texts = _parsed(block, rows, dict.fromkeys(checked, pa.string()), only=checked)
    return tuple(name for name in checked if _loses_something(table[name], texts[name]))


def is_number(dtype: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))


def _is_suspect(numbers: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(numbers.type):
        return False
    finite = pc.min_max(numbers).as_py()  # NaN is skipped
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


def _parsed(block: TextBlock, rows: Rows, types: Mapping[str, pa.DataType], only: tuple[str, ...] = ()) -> pa.Table:
    values, words = rows.dialect.null_values, rows.dialect.null_words
    table = _parsed_with(block, rows, types, only, (*values, *words))
    texts = tuple(field.name for field in table.schema if pa.types.is_string(field.type)) if words else ()
    texts = tuple(name for name in texts if table[name].null_count)
    if texts:  # Arrow applies null values to all columns
        exact = _parsed_with(block, rows, dict.fromkeys(texts, pa.string()), texts, values)
        for name in texts:
            table = table.set_column(table.schema.get_field_index(name), name, exact[name])
    return table


def _parsed_with(
    block: TextBlock, rows: Rows, types: Mapping[str, pa.DataType], only: tuple[str, ...], missing: tuple[str, ...]
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
    # Arrow removes a mark from every block, but only the file's first is not text
    data = UTF8_MARK + block.data if block.data.startswith(UTF8_MARK) else block.data
    table = csv.read_csv(pa.BufferReader(data), reading, parsing, convert)
    undecodable = next((field.name for field in table.schema if pa.types.is_binary(field.type)), None)
    if undecodable is not None:
        raise pa.ArrowInvalid("invalid UTF8 data")
    return table


def _parse_error(block: TextBlock, rows: Rows, message: str) -> MalformedDataError:
    if "UTF8" in message:
        return _undecodable(block, rows)
    if "Expected" in message and "columns" in message:
        return _ragged(block, rows)
    return defect_error(
        Defect.UNREADABLE,
        "the file is not readable as delimited text",
        row=block.line,
        found=re.sub(r"'.*'", "a value", message.splitlines()[0])[:200],
        expected=f"fields separated by {rows.separator!r}",
        remedy=Remedy("check {} and {}", "dataset.format", "dataset.dialect"),
    )


def _ragged(block: TextBlock, rows: Rows) -> MalformedDataError:
    start, found = rows.fields_in(block.data).first_row_without(len(rows.names))
    return defect_error(
        Defect.RAGGED_ROW,
        "a row has another number of fields than the header",
        row=block.line_at(max(start, 0)),
        found=f"{found} fields",
        expected=f"{len(rows.names)} fields separated by {rows.separator!r}",
        remedy=Remedy("correct the row, or {}", "dataset.dialect"),
    )


def _undecodable(block: TextBlock, rows: Rows) -> MalformedDataError:
    try:
        block.data.decode()
    except UnicodeDecodeError as error:
        column = rows.name_of(int(rows.fields_in(block.data[: error.start + 1]).columns[-1]))
        row, byte = block.line_at(error.start), block.byte_at(error.start)
        return wrong_encoding(rows.dialect, row=row, column=column, byte=byte)
    return wrong_encoding(rows.dialect, row=block.line)


def _require_short_fields(block: TextBlock, rows: Rows) -> None:
    """Refuse long fields before parsing, which takes seconds with them; fields of many lines are refused later."""
    windows = range(0, len(block.data), MAX_FIELD_BYTES // 2)
    if all(block.data.find(b"\n", start, start + MAX_FIELD_BYTES // 2) >= 0 for start in windows[:-1]):
        return
    found = rows.fields_in(block.data).first_longer_than(MAX_FIELD_BYTES + len(rows.dialect.quote) * 2)
    if found:
        raise _too_long(block, rows, *found)


def _require_short_values(table: pa.Table, block: TextBlock, rows: Rows) -> None:
    if len(block.data) <= MAX_FIELD_BYTES:
        return
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    if any((pc.max(pc.binary_length(table[name])).as_py() or 0) > MAX_FIELD_BYTES for name in texts):
        found = rows.fields_in(block.data).first_longer_than(MAX_FIELD_BYTES)
        raise _too_long(block, rows, *(found or (0, 0)))


def _too_long(block: TextBlock, rows: Rows, start: int, column: int) -> MalformedDataError:
    return defect_error(
        Defect.FIELD_TOO_LONG,
        "a field is too long",
        row=block.line_at(start),
        column=rows.name_of(column),
        byte=block.byte_at(start),
        expected=f"at most {MAX_FIELD_BYTES:,} bytes",
        remedy="check for a quote that is never closed",
    )
