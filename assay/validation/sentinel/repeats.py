"""Rows and entities that would stand on both sides of a random split.

Does not belong here: the split itself (`assay.splitting`), keys (`rows_unique_by_key`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.feature_selection import unused_columns
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import Outcome, failing_column, outcome
from assay.validation.sentinel.judged_features import MIN_ROWS, Array, sentinel_rule, too_few
from assay.validation.sentinel.row_hashes import column_hash, mixed, repeats

_ROWS_EXPECTED = "rows differ; else drop the copies from the source, or split by group or time"
_GROUPS_EXPECTED = "no entity on both sides of the split; else split by group"
MIN_AGREEMENT = 0.9
"""Agreement beyond chance (Cohen 1960) of the targets of rows with equal features, from which they are copies."""
MAX_SHARED_ROWS = 0.1
"""Share of rows whose entity has other rows from which it matters."""
MIN_GROUPS = 10
"""Fewer entities cannot be split by."""

_COLUMNS_AT_ONCE = 5
_FINEST_FIRST = {"float": 0, "integer": 1, "datetime": 2, "boolean": 3}


@sentinel_rule(_ROWS_EXPECTED)
def rows_not_repeated(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that few rows are copies of others.

    Coarse features repeat by chance; then their targets differ now and then, which those of copies never do. So the
    pairs of rows with equal features must also agree in the target far beyond chance.
    """
    if not _at_random(spec):
        return Outcome(f"not judged: split by {spec.split.by}", _ROWS_EXPECTED)
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _ROWS_EXPECTED)
    limit = spec.validation.sentinel.max_duplicate_share
    expected = f"at most {limit:.1%} of the rows repeat another; {_ROWS_EXPECTED}"
    target = column_hash(table.plain(spec.dataset.target), len(table.names))
    features, share, pairs = _features_while_repeated(table, spec, target)
    told = f"{share:.2%} of the rows repeat an earlier one in every feature and the target"
    if share <= limit or _by_chance(pairs, repeats(features)[1], repeats(target)[1], table.rows):
        return Outcome(f"at most {told}" if share <= limit else f"{told}, as coarse features do", expected)
    found = f"{told}: a random split puts copies on both sides, and the holdout is no holdout"
    return outcome([failing_column("", expected=expected, found=found)], observed=told, expected=expected)


@sentinel_rule(_GROUPS_EXPECTED)
def groups_not_split(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that rows of one entity do not stand on both sides of a random split."""
    if not _at_random(spec):
        return Outcome(f"not judged: split by {spec.split.by}", _GROUPS_EXPECTED)
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _GROUPS_EXPECTED)
    names = [
        name
        for name in table.schema.with_role(ColumnRole.IDENTIFIER)
        if name in table and name not in spec.validation.sentinel.trusted
    ]
    reasons = {name: _shared(table.plain(name), name, spec) for name in names}
    findings = [failing_column(name, expected=_GROUPS_EXPECTED, found=text) for name, text in reasons.items() if text]
    seen = f"identifiers hardly repeat: {', '.join(names)}" if names else "no column has the role identifier"
    return outcome(findings, observed=seen, expected=_GROUPS_EXPECTED)


def _at_random(spec: PipelineSpec) -> bool:
    return spec.split.by in {"random", "stratified"}


def _features_while_repeated(table: JudgedTable, spec: PipelineSpec, target: Array) -> tuple[Array, float, int]:
    """Hash feature after feature, texts last, until rows hardly repeat; more features could only tell more apart."""
    unused = unused_columns(table.schema, spec)
    names = [name for name in table.names if name not in unused and name != spec.dataset.target]
    names.sort(key=lambda name: _FINEST_FIRST.get(table.kind(name), len(_FINEST_FIRST)))
    features, (share, pairs) = np.zeros(table.rows, dtype=np.uint64), repeats(target)
    for start in range(0, len(names), _COLUMNS_AT_ONCE):
        features += mixed(table, names[start : start + _COLUMNS_AT_ONCE])
        share, pairs = repeats(features + target)
        if share <= spec.validation.sentinel.max_duplicate_share:
            break
    return features, share, pairs


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
        f"{shared:,} of {len(present):,} rows share their {name} with others, {sizes.size:,} in all, and "
        f"split by {spec.split.by} puts them on both sides: use `split: {{by: group, group: {name}}}`"
    )
