"""Columns of any file in the few dtypes that the rest of Assay knows, without loss.

Does not belong here: roles of columns (`assay.tables.roles`).
"""

import pyarrow as pa

from assay.errors import MalformedDataError, UnsupportedFormatError


def with_plain_types(table: pa.Table, name: str) -> pa.Table:
    """Convert dtypes that Parquet cannot hold, or that only say the same in another layout.

    Times of seconds and milliseconds become microseconds, encoded values plain ones (dictionaries of text stay),
    extension types what they store.

    Args:
        table: a table as read.
        name: the file, for messages.

    Raises:
        UnsupportedFormatError: a column holds lists, records or intervals.
        MalformedDataError: a time is out of range.
    """
    for place, field in enumerate(table.schema):
        target = _plain(field, name)
        if target != field.type:
            try:
                table = table.set_column(place, field.name, table.column(place).cast(target))
            except pa.ArrowInvalid as error:
                raise MalformedDataError(
                    "a value is out of range", where=f"{name}, column '{field.name}'", found=str(error)
                ) from error
    return table.replace_schema_metadata(None)


def _plain(field: pa.Field, name: str) -> pa.DataType:
    dtype = field.type
    while isinstance(dtype, pa.BaseExtensionType):
        dtype = dtype.storage_type
    if pa.types.is_run_end_encoded(dtype) or (pa.types.is_dictionary(dtype) and not _holds_text(dtype)):
        dtype = dtype.value_type
    if pa.types.is_nested(dtype) or pa.types.is_interval(dtype):
        raise UnsupportedFormatError(
            "a column does not hold single values",
            where=f"{name}, column '{field.name}'",
            found=f"dtype {dtype}",
            expected="numbers, texts, booleans, dates or times",
            remedy="flatten the column, or leave it out of the file",
        )
    if pa.types.is_timestamp(dtype) and dtype.unit in {"s", "ms"}:
        return pa.timestamp("us", dtype.tz)
    alike = {pa.time32("s"): pa.time32("ms"), pa.date64(): pa.date32(), pa.string_view(): pa.string()}
    return alike.get(dtype, dtype)


def _holds_text(dtype: pa.DictionaryType) -> bool:
    return bool(pa.types.is_string(dtype.value_type) or pa.types.is_large_string(dtype.value_type))
