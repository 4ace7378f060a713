"""Rows and entities that would stand on both sides of a random split.

Rows are compared by one hash per row.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.counting import counted
from assay.data.feature_selection import unused_columns
from assay.data.row_identity import identity_columns
from assay.data.schema import is_moment
from assay.gate.checked_table import CheckedTable
from assay.gate.outcome import Outcome
from assay.gate.sentinel.entities import Entity, entities
from assay.gate.sentinel.features import Array, as_floats, reported, sentinel_check
from assay.gate.sentinel.near_copies import share_of_near_copies
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def mixed(table: CheckedTable, names: Sequence[str]) -> Array:
    """Return the sum of the columns' hashes, uint64; in any order of the names."""
    total: Array = np.zeros(table.rows, dtype=np.uint64)
    for name in names:
        total += column_hash(table.plain(name), table.names.index(name))
    return total


def column_hash(column: pa.ChunkedArray, salt: int) -> Array:
    """Return uint64 by value; missing values are equal. The same value in another column (salt) hashes otherwise.

    Args:
        column: any column; nested values are compared by their text, which is slow.
        salt: the column's number, at least 0.
    """
    found: Array = _bits(column)
    with np.errstate(over="ignore"):
        found = (found + np.uint64(2 * salt + 1) * _ODD) * _ODD
        found ^= found >> _SHIFT
        found *= _ODD
        found ^= found >> _SHIFT
    return found


def repeats(hashes: Array) -> tuple[float, int]:
    """Return the share of rows that equal an earlier row, and the number of pairs of equal rows."""
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if ordered.size else np.empty(0, np.int64)
    sizes = np.diff(np.append(starts, ordered.size)).astype(np.float64)
    return 1 - starts.size / max(ordered.size, 1), int((sizes * (sizes - 1) / 2).sum())


def _bits(column: pa.ChunkedArray) -> Array:
    dtype = column.type
    if pa.types.is_null(dtype):
        return np.zeros(len(column), dtype=np.uint64)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        return _text_bits(column)
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_boolean(dtype) or is_moment(dtype):
        # adding zero makes -0.0 and 0.0 one value
        return np.ascontiguousarray(as_floats(column) + 0.0).view(np.uint64)
    return _text_bits(pa.chunked_array([[None if value is None else str(value) for value in column.to_pylist()]]))


def _text_bits(column: pa.ChunkedArray) -> Array:
    import pandas as pd

    if not len(column):
        return np.empty(0, dtype=np.uint64)
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    words = pd.util.hash_array(np.asarray(encoded.dictionary.to_pandas(), dtype=object), categorize=False)
    indices = np.asarray(pc.fill_null(encoded.indices, len(words)), dtype=np.int64)
    return np.append(words, np.uint64(0))[indices]


_ROWS_EXPECTED = "rows differ; else drop the copies from the source, or split by group or time"
_GROUPS_EXPECTED = "no entity on both sides of the split; else split by group"
MIN_AGREEMENT = 0.9
"""Agreement beyond chance (Cohen 1960) of the targets of rows with equal features, from which they are copies."""
MAX_SHARED_ROWS = 0.1
"""Share of rows whose entity has other rows, from which the rule fails."""
MIN_GROUPS = 10
"""Fewer entities cannot be split by."""

_COLUMNS_AT_ONCE = 5
_FINEST_FIRST = {"float": 0, "integer": 1, "datetime": 2, "boolean": 3}


@sentinel_check("rows_not_repeated", _ROWS_EXPECTED)
def rows_not_repeated(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that few rows are copies of others.

    Coarse features repeat by chance, but then their targets differ now and then; those of copies never do. So pairs
    of rows with equal features must also agree in the target far beyond chance.
    """
    limit = spec.validation.sentinel.max_duplicate_share
    expected = f"at most {100 * limit:g}% of the rows repeat an earlier one; {_ROWS_EXPECTED}"
    target = column_hash(table.plain(spec.dataset.target), len(table.names))
    features, share, pairs = _features_while_repeated(table, spec, target)
    repeated = _repeated(round(share * table.rows), table.rows)
    if share <= limit or _by_chance(pairs, repeats(features)[1], repeats(target)[1], table.rows):
        if near := _near_copies(table, spec):
            return reported({"": near}, observed=near, expected=expected, holds=True)
        return Outcome(f"at most {repeated}" if share <= limit else f"{repeated}, as coarse features do", expected)
    if set(identity_columns(table.schema, spec)) <= set(_features(table, spec)):
        found = f"{repeated}: the split keeps copies on one side, but they count as often as they occur"
        return reported({"": found}, observed=repeated, expected=expected)
    found = f"{repeated}: a random split puts copies on both sides, so the holdout is not independent"
    return reported({"": found}, observed=repeated, expected=expected, holds=True)


def _repeated(number: int, rows: int) -> str:
    repeat = "repeats" if number == 1 else "repeat"
    return f"{number:,} of {counted(rows, 'row')} {repeat} an earlier one in every feature and the target"


def _near_copies(table: CheckedTable, spec: PipelineSpec) -> str:
    share = share_of_near_copies(table, spec)
    if share == 0:
        return ""
    return (
        f"about {share:.1%} of the rows have a near copy with the same target: a random split puts copies on both "
        "sides, so the holdout is not independent"
    )


@sentinel_check("groups_not_split", _GROUPS_EXPECTED)
def groups_not_split(table: CheckedTable, spec: PipelineSpec) -> Outcome:
    """Check that rows of one entity do not stand on both sides of a random split."""
    names = [
        name
        for name in table.schema.with_role(ColumnRole.IDENTIFIER)
        if name in table and name not in spec.validation.sentinel.trusted
    ]
    named = {name: _shared(table.plain(name), name, spec) for name in names}
    found = {name: _of_entity(name, entity) for name, entity in entities(table, spec)}
    return reported(
        {name: text for name, text in named.items() if name not in found} | found,
        observed=f"{_identifiers(table, names)}; no other column names entities",
        expected=_GROUPS_EXPECTED,
        holding=found,
    )


def _identifiers(table: CheckedTable, names: Sequence[str]) -> str:
    few = [name for name in names if pc.count_distinct(table.plain(name)).as_py() < MIN_GROUPS]
    rare = [name for name in names if name not in few]
    said = [f"identifiers hardly repeat: {', '.join(rare)}"] if rare else []
    said += [f"identifiers have fewer than {MIN_GROUPS} values: {', '.join(few)}"] if few else []
    return "; ".join(said) or "no identifier is compared"


def _of_entity(name: str, entity: Entity) -> str:
    return (
        f"names entities on which the target depends: R2 {entity.fixed:.3f} by other rows of the same {name}, "
        f"{entity.across:.3f} by rows of others, so a random split flatters: use "
        f"`split: {{by: group, group: {name}}}`"
    )


def _features_while_repeated(table: CheckedTable, spec: PipelineSpec, target: Array) -> tuple[Array, float, int]:
    """Hash feature after feature, texts last, until rows hardly repeat; more features cannot add repeats."""
    names = _features(table, spec)
    names.sort(key=lambda name: _FINEST_FIRST.get(table.kind(name), len(_FINEST_FIRST)))
    features, (share, pairs) = np.zeros(table.rows, dtype=np.uint64), repeats(target)
    for start in range(0, len(names), _COLUMNS_AT_ONCE):
        features += mixed(table, names[start : start + _COLUMNS_AT_ONCE])
        share, pairs = repeats(features + target)
        if share <= spec.validation.sentinel.max_duplicate_share:
            break
    return features, share, pairs


def _features(table: CheckedTable, spec: PipelineSpec) -> list[str]:
    unused = unused_columns(table.schema, spec)
    return [name for name in table.names if name not in unused and name != spec.dataset.target]


def _by_chance(pairs: int, equal_features: int, equal_targets: int, rows: int) -> bool:
    chance = equal_targets / (rows * (rows - 1) / 2)
    return chance >= 1 or (pairs / equal_features - chance) / (1 - chance) < MIN_AGREEMENT


def _shared(column: pa.ChunkedArray, name: str, spec: PipelineSpec) -> str:
    present = column.drop_null()
    if not len(present):
        return ""
    sizes: Array = np.asarray(pc.value_counts(present).field("counts"))
    shared = int(sizes[sizes > 1].sum())
    if sizes.size < MIN_GROUPS or shared <= MAX_SHARED_ROWS * len(present):
        return ""
    return (
        f"{shared:,} of {len(present):,} rows share their {name} with others ({sizes.size:,} different values), and a "
        f"{spec.split.by} split puts them on both sides: use `split: {{by: group, group: {name}}}`"
    )
