"""The identity of a row: which columns hold it, and one stable 64-bit number for their values.

The number depends on the values alone: not on the row's position, on other rows, on chunking, or on the machine.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.feature_selection import revealing_columns
from assay.data.fingerprint import plain_array
from assay.data.schema import TableSchema, require_column
from assay.specs.dataset import DatasetSpec
from assay.specs.pipeline import PipelineSpec

Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

_BLOCK_ROWS = 1 << 16
_LONGEST_TEXT = 256
"""Longer texts, in bytes, are hashed one by one."""
_EXACT = 2**53
"""Whole numbers up to this are floats without loss."""
_MISSING, _ODD = np.uint64(0x5851F42D4C957F2D), np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_MICROSECONDS = {"day": 86_400_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}


def identity_columns(schema: TableSchema, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the columns whose values identify a row, sorted by name.

    The group of a split by group; else `split.key`; else the first key of `validation.unique`; else the row's content,
    as frozen with the schema version, or in schemas of earlier versions by `content_columns`.

    Raises:
        MissingColumnError: the table lacks a column of `split.key`.
    """
    names, target = set(schema.names), spec.dataset.target
    if spec.split.group is not None:
        return (spec.split.group,)
    if spec.split.key:
        return tuple(sorted(spec.split.key))
    declared = next((key for key in spec.validation.unique if names.issuperset(key) and target not in key), None)
    if declared is not None:
        return tuple(sorted(declared))
    frozen = schema.row_identity if names.issuperset(schema.row_identity) else ()
    return tuple(sorted(frozen or content_columns(schema.names, spec.dataset)))


def content_columns(names: Sequence[str], dataset: DatasetSpec) -> tuple[str, ...]:
    """Return the columns that are a row's content.

    The target, what reveals it, and derived columns are none, so that neither a corrected label nor another derivation
    makes another row.
    """
    none = {dataset.target, *dataset.derive, *revealing_columns(dataset)}
    content = tuple(name for name in names if name not in none)
    return content or tuple(name for name in names if name != dataset.target)


def row_hashes(table: pa.Table, columns: Sequence[str], salt: str) -> Hashes:
    """Compute one number for each row, uniform over 64 bits.

    Equal values give equal numbers: 1 and 1.0, 0.0 and -0.0, a date and its midnight, a text and its dictionary code,
    NaN and a missing value. The order of columns does not matter.

    Source of the mixing function: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators",
    with the constants of Stafford's variant 13.

    Args:
        table: any table.
        columns: names of columns of the table; they count with their names.
        salt: makes the numbers of one pipeline independent of another's.

    Returns:
        Shape (rows,), uint64.

    Raises:
        MissingColumnError: the table lacks a column.
    """
    for name in columns:
        require_column(table, name, where="split.key", remedy="bring the column back, or name other columns")
    salted = [(table.column(name), _number_of(f"column {name}")) for name in columns]
    start_value = _number_of(f"salt {salt}")

    def block(start: int) -> Hashes:
        length = min(_BLOCK_ROWS, table.num_rows - start)
        total = np.full(length, start_value)
        for column, number in salted:
            total += _mixed(_bits(plain_array(column.slice(start, length))) + number)
        return _mixed(total)

    # numpy releases the interpreter lock: blocks are hashed on all cores
    with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
        found = list(pool.map(block, range(0, table.num_rows, _BLOCK_ROWS)))
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def below_share(hashes: Hashes, share: float) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Return which numbers lie in the lowest share of all 64-bit numbers; a larger share contains a smaller one."""
    return hashes < np.uint64(int(share * 2.0**64))


def _number_of(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mixed(values: Hashes) -> Hashes:
    """Mix in place, so that every bit of a value changes half of the result's bits."""
    for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, None), strict=True):
        values ^= values >> shift
        if multiplier is not None:
            values *= multiplier
    return values


def _bits(block: pa.Array) -> Hashes:
    """Return 64 bits for each value, without mixing; a new array."""
    if pa.types.is_null(block.type):
        return np.full(len(block), _MISSING)
    bits, missing = _bits_of_kind(block)
    if block.null_count:
        missing = missing | np.asarray(pc.is_null(block))
    bits[missing] = _MISSING
    return bits


def _bits_of_kind(block: pa.Array) -> tuple[Hashes, Any]:
    dtype = block.type
    if pa.types.is_large_string(dtype) or pa.types.is_large_binary(dtype):
        return _text_bits(block.fill_null("" if pa.types.is_large_string(dtype) else b"")), False
    if pa.types.is_timestamp(dtype) or pa.types.is_date(dtype):
        return _moment_bits(block), False
    if pa.types.is_boolean(dtype) or pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        return _number_bits(block.fill_null(False if pa.types.is_boolean(dtype) else 0).to_numpy(zero_copy_only=False))
    texts = [None if value is None else str(value) for value in block.to_pylist()]
    return _text_bits(pa.array(texts, pa.large_string()).fill_null("")), False


def _number_bits(numbers: "np.ndarray[Any, Any]") -> tuple[Hashes, Any]:
    floats = numbers.astype(np.float64)
    bits = (floats + 0.0).view(np.uint64)  # makes -0.0 and 0.0 one value
    if not np.issubdtype(numbers.dtype, np.integer):
        return bits, np.isnan(floats)
    large = (numbers > _EXACT) | (numbers < -_EXACT)
    if large.any():
        bits[large] = numbers[large].astype(np.uint64) * _ODD
    return bits, False


def _moment_bits(block: pa.Array) -> Hashes:
    """Return microseconds since 1970; what a finer unit adds counts as well."""
    unit = {pa.date32(): "day", pa.date64(): "ms"}.get(block.type) or block.type.unit
    counts = block.view(pa.int32() if unit == "day" else pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    units: np.ndarray[Any, np.dtype[np.int64]] = counts.astype(np.int64)
    if unit == "ns":
        whole, rest = np.divmod(units, 1_000)
        return whole.view(np.uint64) + rest.view(np.uint64) * _ODD
    return (units * _MICROSECONDS[unit]).view(np.uint64)


def _text_bits(block: pa.Array) -> Hashes:
    """Hash texts without missing ones, eight bytes of all of them at a time."""
    offsets = np.frombuffer(block.buffers()[1], np.int64)[block.offset : block.offset + len(block) + 1]
    lengths, starts, data = np.diff(offsets), offsets[:-1] - offsets[0], block.buffers()[2]
    found = _mixed(lengths.astype(np.uint64) * _ODD)
    if data is None:
        return found
    written = np.append(np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], np.zeros(8, np.uint8))
    words = np.ndarray(len(written) - 7, "<u8", written, strides=(1,))
    rows = np.flatnonzero((lengths > 0) & (lengths <= _LONGEST_TEXT))
    at, left = starts[rows], lengths[rows]
    while rows.size:
        unused = np.maximum(8 - left, 0).astype(np.uint64) * np.uint64(8)
        found[rows] = _mixed(found[rows] ^ (words[at].astype(np.uint64) << unused)) + _ODD
        more = left > 8  # noqa: PLR2004 - bytes of a word
        rows, at, left = rows[more], at[more] + 8, left[more] - 8
    for row in np.flatnonzero(lengths > _LONGEST_TEXT):
        text = written[starts[row] : starts[row] + lengths[row]].tobytes()
        found[row] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return found
