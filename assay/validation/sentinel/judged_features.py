"""What the sentinel looks at: the features that are not trusted, and a bounded sample of the rows.

Does not belong here: any rule.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from assay.feature_selection import unused_columns
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import UNCONFIGURED, Outcome

Judge: TypeAlias = Callable[[JudgedTable, PipelineSpec], Outcome]
Array: TypeAlias = np.ndarray[Any, Any]

MIN_ROWS = 50
"""Fewer rows are no proof of anything: whatever is found in them may be chance."""
SAMPLED_ROWS = 50_000
"""Rows on which statistics are computed; an AUC is then known to about 0.002."""
ADVICE = "else give it `role: ignored`, or, having looked, list it in validation.sentinel.trusted"
_SEED = 20_130_701


def sentinel_rule(expected: str) -> Callable[[Judge], Judge]:
    """Make a rule that is on unless `validation.sentinel.enabled` is false, and has a target to judge by.

    Args:
        expected: the proposition, told where nothing can be judged.
    """

    def wrapped(judge: Judge) -> Judge:
        @wraps(judge)
        def judged(table: JudgedTable, spec: PipelineSpec) -> Outcome:
            if not spec.validation.sentinel.enabled:
                return UNCONFIGURED
            if spec.dataset.target not in table:
                return Outcome(f"not judged: there is no column {spec.dataset.target}", expected)
            return judge(table, spec)

        return judged

    return wrapped


def too_few(rows: int, expected: str) -> Outcome:
    """Say that there are too few rows for a judgement."""
    return Outcome(f"not judged: {rows:,} rows prove nothing, {MIN_ROWS} might", expected)


def judged_features(table: JudgedTable, spec: PipelineSpec) -> tuple[str, ...]:
    """Return the features that are not trusted, in the table's order."""
    unused = unused_columns(table.schema, spec)
    passed_over = {*unused, *spec.validation.sentinel.trusted, spec.dataset.target}
    return tuple(name for name in table.names if name not in passed_over)


def role_of(table: JudgedTable, name: str) -> ColumnRole:
    """Return a column's role."""
    return table.schema[name].role


def sampled_rows(table: JudgedTable) -> Array | None:
    """Return the sorted positions of the sample; None where it is all rows. The same table gives the same sample."""
    if table.rows <= SAMPLED_ROWS:
        return None
    drawn = np.random.default_rng(_SEED).choice(table.rows, SAMPLED_ROWS, replace=False, shuffle=False)
    return np.sort(drawn)


def values_of(table: JudgedTable, name: str, rows: Array | None) -> pa.ChunkedArray:
    """Return a column's values in these rows, or in all."""
    column = table.plain(name)
    return column if rows is None else column.take(pa.array(rows))
