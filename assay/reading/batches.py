"""What every reader takes and gives: options in, a stream of record batches of plain dtypes out.

A stream keeps memory bounded whatever the file's size.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import UnsupportedFormatError
from assay.reading.defects import Defect, defect_error
from assay.specs.dataset import CsvDialect, DataFormat, JsonOrient

Layout: TypeAlias = Literal["arrow", "parquet"]
"""Of the file that the rows are written to."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read one file.

    Attributes:
        data_format: the format; `auto` takes the one that the file's name says.
        dialect: how delimited text is written.
        member: the file inside an archive, where it holds several.
        sheet: the sheet of a workbook, where it has several.
        orient: the layout of a JSON document; None is `records`.
        texts: columns that text formats read as text; dtypes of other columns are inferred.
    """

    data_format: DataFormat = DataFormat.AUTO
    dialect: CsvDialect = field(default_factory=CsvDialect)
    member: str | None = None
    sheet: str | None = None
    orient: JsonOrient | None = None
    texts: frozenset[str] = frozenset()


class TypesTooNarrowError(Exception):
    """Later rows do not fit the types of a stream; never leaves `assay.reading`."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        super().__init__(", ".join(self.columns))


@dataclass(frozen=True, slots=True)
class BatchStream:
    """Rows of one file, for one iteration.

    Attributes:
        schema: names and dtypes; every batch has them.
        batches: the rows, some ten thousands at a time. Defects of later rows are raised by the iteration, and
            `TypesTooNarrowError` where the types were inferred from the first rows.
        again: gives a stream over all rows with wider types, after a `TypesTooNarrowError`.
        unseen: texts for missing values that no field read so far has; all are known after the last batch.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    again: "Callable[[TypesTooNarrowError], BatchStream] | None" = None
    unseen: Collection[str] = ()


Reader: TypeAlias = Callable[[Path, ReadOptions], BatchStream]
"""Opens a local, unpacked file, of which it reads only what the schema needs."""


def with_plain_types(stream: BatchStream) -> BatchStream:
    """Convert dtypes to the few that the rest of Assay knows, without loss.

    Times in seconds and milliseconds become microseconds; encoded values and variants of text become plain ones;
    extension types become their storage.

    Raises:
        UnsupportedFormatError: a column holds spans of months.
        MalformedDataError: a column holds lists or records, or a time is out of range.
    """
    schema = pa.schema([found.with_type(_plain(found)).with_nullable(True) for found in stream.schema])
    if schema.equals(stream.schema, check_metadata=True):
        return stream
    return replace(stream, schema=schema, batches=_cast(stream.batches, schema.remove_metadata()))


def _cast(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        columns = [_converted(batch.column(number), wanted) for number, wanted in enumerate(schema)]
        yield pa.record_batch(columns, schema=schema)


def _converted(values: pa.Array, wanted: pa.Field) -> pa.Array:
    try:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if pa.types.is_run_end_encoded(values.type):  # which Arrow cannot cast
            values = pc.run_end_decode(values)
        return values.cast(wanted.type)
    except pa.ArrowInvalid as error:
        what, expected = "a value is out of range", f"a value that {wanted.type} can hold"
        raise defect_error(Defect.VALUE_OUT_OF_RANGE, what, column=wanted.name, expected=expected) from error


def _plain(found: pa.Field) -> pa.DataType:
    dtype = found.type
    while isinstance(dtype, pa.BaseExtensionType):
        dtype = dtype.storage_type
    if pa.types.is_run_end_encoded(dtype) or pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
    expected, remedy = "numbers, texts, booleans, dates or times", "flatten the column, or leave it out of the file"
    shown = f"dtype {dtype}"
    if pa.types.is_nested(dtype):
        what, column = "a column holds nested values", found.name
        raise defect_error(Defect.NESTED_VALUES, what, column=column, found=shown, expected=expected, remedy=remedy)
    if pa.types.is_interval(dtype):
        what, where = "a column holds spans of months", f"column '{found.name}'"
        raise UnsupportedFormatError(what, where=where, found=shown, expected=expected, remedy=remedy)
    if pa.types.is_timestamp(dtype) and dtype.unit in {"s", "ms"}:
        return pa.timestamp("us", dtype.tz)
    equivalent = {
        pa.time32("s"): pa.time32("ms"),
        pa.date64(): pa.date32(),
        pa.string_view(): pa.string(),
        pa.large_string(): pa.string(),
    }
    return equivalent.get(dtype, dtype)
