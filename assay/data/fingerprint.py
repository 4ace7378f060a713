"""Identity of a table: all rows, all names, all dtypes, whatever the chunking."""

import hashlib
import json
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import dtype_name
from assay.errors import DigestMismatchError
from assay.specs.base import Spec, digest_of

_BLOCK_ROWS = 1 << 16
_FEW_VALUES = 10_000
"""Starting threads takes longer than to hash so many values."""
_KNOWN: "dict[int, tuple[weakref.ref[pa.Table], TableFingerprint]]" = {}


class TableFingerprint(Spec):
    """Digest of a table, column by column, so that a projection can be verified too."""

    rows: int
    columns: dict[str, str]
    """SHA-256 by column name, over dtype name, validity and values of every row."""

    @property
    def digest(self) -> str:
        """Digest of the whole table; depends on the order of columns and of rows."""
        return digest_of(self.rows, list(self.columns.items()))


def fingerprint(table: pa.Table) -> TableFingerprint:
    """Compute the fingerprint of a table.

    Equal values give equal fingerprints however they are chunked or buffered; string, large string and dictionary
    of strings are one logical type. Every NaN counts as the same NaN; 0.0 and -0.0 differ, null and NaN differ.

    Args:
        table: any table. Columns of nested and extension types are read value by value, which is slow.

    Returns:
        The fingerprint, computed in blocks of 65,536 rows, and once for one table object, which cannot change.
    """
    own = id(table)
    known = _KNOWN.get(own)
    if known is not None and known[0]() is table:
        return known[1]
    found = TableFingerprint(rows=table.num_rows, columns=dict(zip(table.column_names, _digests(table), strict=True)))
    _KNOWN[own] = (weakref.ref(table, lambda _: _KNOWN.pop(own, None)), found)
    return found


def _digests(table: pa.Table) -> list[str]:
    if table.num_rows * table.num_columns <= _FEW_VALUES:
        return [_column_digest(column) for column in table.columns]
    # hashing releases the interpreter lock: the columns of a wide table are hashed on all cores
    with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
        return list(pool.map(_column_digest, table.columns))


def verify_columns(table: pa.Table, expected: TableFingerprint, *, where: str) -> TableFingerprint:
    """Check the columns of a projection against the fingerprint of the whole table.

    Returns:
        The fingerprint of these columns, computed again.

    Raises:
        DigestMismatchError: rows or values are not those that were published.
    """
    if table.num_rows != expected.rows:
        raise _mismatch(where, f"{table.num_rows} rows", f"{expected.rows} rows")
    fresh = fingerprint(table)
    for name, found in fresh.columns.items():
        published = expected.columns.get(name, "no such column")
        if found != published:
            raise _mismatch(f"{where}, column {name}", f"digest {found[:16]}", f"digest {published[:16]}")
    return fresh


def _mismatch(where: str, found: str, expected: str) -> DigestMismatchError:
    return DigestMismatchError(
        "the stored rows are not those that were published",
        where=where,
        found=found,
        expected=expected,
        remedy="the stored object was changed: materialise the asset again, or restore an earlier version",
    )


def _column_digest(column: pa.ChunkedArray) -> str:
    digest = hashlib.sha256(dtype_name(column.type).encode())
    for start in range(0, len(column), _BLOCK_ROWS):
        block = plain_array(column.slice(start, _BLOCK_ROWS))
        digest.update(_validity(block))
        for part in _value_bytes(block):
            digest.update(part)
    return digest.hexdigest()


def _validity(block: pa.Array) -> bytes:
    valid = np.asarray(pc.is_valid(block)) if block.null_count else np.ones(len(block), np.bool_)
    return np.packbits(valid).tobytes()


def plain_array(block: pa.ChunkedArray) -> pa.Array:
    """Return a column, or a part of one, as one array without dictionary encoding or string variants."""
    if pa.types.is_dictionary(block.type):
        block = block.cast(block.type.value_type)
    dtype = block.type
    if pa.types.is_string(dtype) or pa.types.is_string_view(dtype) or pa.types.is_decimal(dtype):
        block = block.cast(pa.large_string())
    if pa.types.is_binary(dtype) or pa.types.is_binary_view(dtype) or pa.types.is_fixed_size_binary(dtype):
        block = block.cast(pa.large_binary())
    return pa.concat_arrays(block.chunks) if block.num_chunks else pa.array([], block.type)


def _value_bytes(block: pa.Array) -> list[Any]:
    dtype = block.type
    if pa.types.is_null(dtype):
        return []
    if pa.types.is_large_string(dtype) or pa.types.is_large_binary(dtype):
        return _text_bytes(block)
    if pa.types.is_boolean(dtype):
        return [np.packbits(np.asarray(block.fill_null(False))).tobytes()]
    if pa.types.is_temporal(dtype) and dtype.bit_width in {32, 64}:
        block = block.view(pa.int64() if dtype.bit_width == 64 else pa.int32())  # noqa: PLR2004 - bits
    elif not (pa.types.is_integer(dtype) or pa.types.is_floating(dtype)):
        return [json.dumps(block.to_pylist(), default=str, ensure_ascii=False).encode()]
    filled = block.fill_null(0) if block.null_count else block
    values = np.ascontiguousarray(filled.to_numpy(zero_copy_only=False))
    if np.issubdtype(values.dtype, np.floating) and (unknown := np.isnan(values)).any():
        values = np.where(unknown, np.array(np.nan, values.dtype), values)
    return [values]


def _text_bytes(block: pa.Array) -> list[Any]:
    block = block.fill_null("" if pa.types.is_large_string(block.type) else b"")
    offsets = np.frombuffer(block.buffers()[1], np.int64)[block.offset : block.offset + len(block) + 1]
    lengths = np.diff(offsets).tobytes()
    data = block.buffers()[2]
    return [lengths] if data is None else [lengths, data.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))]
