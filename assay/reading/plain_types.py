"""Columns of any file in the few dtypes that the rest of Assay knows, without loss."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import UnsupportedFormatError
from assay.reading.batches import BatchStream
from assay.reading.defects import Defect, malformed


def with_plain_types(stream: BatchStream, name: str) -> BatchStream:
    """Convert dtypes that Parquet cannot hold, or that only say the same in another layout.

    Times of seconds and milliseconds become microseconds, encoded values and all layouts of text plain ones, extension
    types what they store.

    Args:
        stream: rows as read.
        name: the file, for messages.

    Raises:
        UnsupportedFormatError: a column holds spans of months.
        MalformedDataError: a column holds lists or records, or a time is out of range.
    """
    schema = pa.schema([field.with_type(_plain(field, name)).with_nullable(True) for field in stream.schema])
    if schema.equals(stream.schema, check_metadata=True):
        return stream
    return replace(stream, schema=schema, batches=_cast(stream.batches, schema.remove_metadata(), name))


def _cast(batches: Iterator[pa.RecordBatch], schema: pa.Schema, name: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        columns = [_converted(batch.column(place), field, name) for place, field in enumerate(schema)]
        yield pa.record_batch(columns, schema=schema)


def _converted(values: pa.Array, field: pa.Field, name: str) -> pa.Array:
    try:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if pa.types.is_run_end_encoded(values.type):  # to which no cast is known
            values = pc.run_end_decode(values)
        return values.cast(field.type)
    except pa.ArrowInvalid as error:
        raise malformed(
            Defect.VALUE_OUT_OF_RANGE,
            "a value is out of range",
            name,
            column=field.name,
            expected=f"a value that {field.type} can hold",
        ) from error


def _plain(field: pa.Field, name: str) -> pa.DataType:
    dtype = field.type
    while isinstance(dtype, pa.BaseExtensionType):
        dtype = dtype.storage_type
    if pa.types.is_run_end_encoded(dtype) or pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    expected, remedy = "numbers, texts, booleans, dates or times", "flatten the column, or leave it out of the file"
    if pa.types.is_nested(dtype):
        raise malformed(
            Defect.NESTED_VALUES,
            "a column holds nested values",
            name,
            column=field.name,
            found=f"dtype {dtype}",
            expected=expected,
            remedy=remedy,
        )
    if pa.types.is_interval(dtype):
        raise UnsupportedFormatError(
            "a column holds spans of months",
            where=f"{name}, column '{field.name}'",
            found=f"dtype {dtype}",
            expected=expected,
            remedy=remedy,
        )
    if pa.types.is_timestamp(dtype) and dtype.unit in {"s", "ms"}:
        return pa.timestamp("us", dtype.tz)
    alike = {
        pa.time32("s"): pa.time32("ms"),
        pa.date64(): pa.date32(),
        pa.string_view(): pa.string(),
        pa.large_string(): pa.string(),
    }
    return alike.get(dtype, dtype)
