"""Batches of Arrow's own formats, validated and measured before anything decodes them.

With a dictionary, run lengths or views few bytes stand for many, so that lengths are measured on the encoded values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import Remedy
from assay.reading.defects import MAX_FIELD_BYTES, DecodedSize, Defect, defect_error, parser_error

BATCH_ROWS = 1 << 16
BATCH_BYTES = 64 << 20


@contextmanager
def arrow_errors(format_name: str) -> Iterator[None]:
    """Turn what Arrow's readers raise into the error for the file.

    Raises:
        MalformedDataError: in place of an error of Arrow's; errors of memory and disk pass through.
    """
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = f"the file is not readable as {format_name}"
        remedy = Remedy("fetch it again, or correct {}", "dataset.format")
        raise parser_error(error, what, format_name=format_name, remedy=remedy) from error


def checked(batch: pa.RecordBatch, count: DecodedSize, *, row: int) -> Iterator[pa.RecordBatch]:
    """Validate a batch from its first row on, count its decoded size, and cut it into pieces of a bounded decoded size.

    Raises:
        MalformedDataError: texts that are not UTF-8, fields over 1 MiB, or more than a file may hold.
        pyarrow.ArrowInvalid: the batch does not hold what it declares.
    """
    batch.validate()
    for start in range(0, batch.num_rows, BATCH_ROWS):
        part = batch.slice(start, BATCH_ROWS)
        sizes = np.full(part.num_rows, sum(fixed_bytes(dtype) for dtype in part.schema.types), dtype=np.int64)
        for field, values in zip(part.schema, part.columns, strict=True):
            _validate(values, field.name)
            lengths = value_lengths(values)
            if lengths is not None:
                _require_short(lengths, row + start, field.name)
                sizes += lengths
        count.add(part.num_rows, part.num_columns, int(sizes.sum()))
        yield from _pieces(part, sizes)


def value_lengths(values: pa.Array) -> npt.NDArray[np.int64] | None:
    """Return the bytes of every text or binary value, 0 where missing; None for values of fixed width."""
    while isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        return _taken(value_lengths(values.dictionary), values.indices)
    if pa.types.is_run_end_encoded(values.type):
        runs = pa.array(np.arange(len(values.values), dtype=np.int64))
        positions = pa.RunEndEncodedArray.from_arrays(values.run_ends, runs).slice(values.offset, len(values))
        return _taken(value_lengths(values.values), pc.run_end_decode(positions))
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):
        views = np.frombuffer(values.buffers()[1] or b"", dtype="<i4").reshape(-1, 4)
        lengths = views[values.offset : values.offset + len(values), 0].astype(np.int64)
        return np.where(values.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
    if is_text(values.type):
        return np.asarray(pc.fill_null(pc.binary_length(values), 0)).astype(np.int64)
    return None


def _taken(lengths: npt.NDArray[np.int64] | None, positions: pa.Array) -> npt.NDArray[np.int64] | None:
    if lengths is None:
        return None
    found = np.append(lengths, 0)  # one more, for missing values
    return np.take(found, np.asarray(pc.fill_null(positions.cast(pa.int64()), len(lengths))))


def is_text(dtype: pa.DataType) -> bool:
    """Whether values are texts or bytes with offsets."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(dtype) for is_kind in kinds)


def fixed_bytes(dtype: pa.DataType) -> int:
    """Return the bytes of one value, beside its text."""
    try:
        return -(-int(dtype.bit_width) // 8)
    except ValueError:  # no fixed width
        return 8


def _validate(values: pa.Array, column: str) -> None:
    # a file may call any bytes a text, and Arrow believes it
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        raise defect_error(
            Defect.WRONG_ENCODING,
            "a text is not UTF-8",
            column=column,
            expected="texts in UTF-8",
            remedy="decode the texts where the file is written, or write them as bytes and leave the column out",
        ) from error


def _require_short(lengths: npt.NDArray[np.int64], first: int, column: str) -> None:
    longest = int(lengths.argmax()) if len(lengths) else 0
    if len(lengths) and lengths[longest] > MAX_FIELD_BYTES:
        found, expected = f"{lengths[longest]:,} bytes", f"at most {MAX_FIELD_BYTES:,} bytes"
        row, what = first + longest, "a field is too long"
        raise defect_error(Defect.FIELD_TOO_LONG, what, row=row, column=column, found=found, expected=expected)


def _pieces(batch: pa.RecordBatch, sizes: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    ends = np.cumsum(sizes) // BATCH_BYTES
    cuts = [0, *(int(row) + 1 for row in np.flatnonzero(np.diff(ends))), batch.num_rows]
    for start, end in pairwise(cuts):
        yield batch.slice(start, end - start)
