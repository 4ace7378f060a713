"""Features that name rows: a model learns them by heart and knows nothing of the next row.

How many of a column's values are different, from a sample where there are many rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import IDENTIFIER_MIN_DISTINCT_SHARE
from assay.gate.judged_table import JudgedTable
from assay.gate.outcome import Outcome, failing_column, outcome
from assay.gate.sentinel.copies import correlated
from assay.gate.sentinel.features import (
    MIN_ROWS,
    Array,
    as_floats,
    judged_features,
    role_of,
    sampled_rows,
    sentinel_rule,
    too_few,
    values_of,
)
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec


def distinct_share(table: JudgedTable, name: str, rows: Array | None) -> float:
    """Return the number of different values per present value.

    A sample repeats less than the whole. The pairs of equal values in it tell how often each value stands in the whole,
    as if all stood there equally often; what repeats rarely is judged right, and the rest as far below as it is.

    Args:
        table: the rows.
        name: a column of texts or whole numbers.
        rows: the sample; None for all rows.

    Returns:
        The share; 0 where fewer than 50 values are there.
    """
    present = values_of(table, name, rows).drop_null()
    seen = len(present)
    if seen < MIN_ROWS:
        return 0.0
    sizes: Array = np.asarray(pc.value_counts(present).field("counts"), dtype=np.float64)
    if rows is None:
        return sizes.size / seen
    pairs = float((sizes * (sizes - 1)).sum()) / (seen * (seen - 1))
    return 1 / (1 + pairs * (table.rows - table.missing(name)))


_EXPECTED = (
    "no feature names single rows; else give it `role: identifier`, or, having looked, list it in "
    "validation.sentinel.trusted"
)
MIN_DIFFERENT = 0.99
"""Share of different numbers from which they name rows; a row that stands there twice does not change that."""
MIN_DENSITY = 0.5
"""Different whole numbers per number between the smallest and the largest, from which they were counted up."""
MIN_STEADINESS = 0.99
"""Correlation of rising numbers with the row number from which they were counted up; sorted measurements bend."""
MIN_CODE_SHARE = 0.1
"""Different values per row from which codes such as UUIDs name rows rather than categories."""
_CODE = r"^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$"
_MIN_CODES = 0.99
_LARGEST_WHOLE = 2.0**53


@sentinel_rule(_EXPECTED)
def no_identifier_features(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that no feature counts or names the rows."""
    if table.rows < MIN_ROWS:
        return too_few(table.rows, _EXPECTED)
    rows = sampled_rows(table)
    reasons = {name: naming(table, name, rows) for name in judged_features(table, spec)}
    findings = [failing_column(name, expected=_EXPECTED, found=text) for name, text in reasons.items() if text]
    return outcome(findings, observed="no feature names rows", expected=_EXPECTED)


def naming(table: JudgedTable, name: str, rows: Array | None) -> str:
    """Say in which way a feature names rows; empty where it does not.

    Args:
        table: the rows.
        name: the feature.
        rows: the sample in which texts are looked at first; None for all rows.
    """
    kind = table.kind(name)
    if kind == "string":
        return _naming_texts(table, name, rows)
    return _counting(table, name) if kind in {"integer", "float"} and not table.missing(name) else ""


def _counting(table: JudgedTable, name: str) -> str:
    values = as_floats(table.plain(name))
    # a look at the first thousand spares most columns the rest
    head = values[:1000]
    if not _all_whole(head) or not _all_different(head) or not _all_whole(values):
        return ""
    span = float(values.max() - values.min()) + 1
    if values.size / span >= MIN_DENSITY:
        places = (values - values.min()).astype(np.int64)
        if np.count_nonzero(np.bincount(places)) >= MIN_DIFFERENT * values.size:
            return f"numbers the rows: {values.size:,} whole numbers that count up to {span:,.0f}"
    steps = np.diff(values)
    rising = bool(((steps >= 0).all() or (steps <= 0).all()) and np.count_nonzero(steps) >= MIN_DIFFERENT * steps.size)
    if rising and abs(correlated(values, np.arange(values.size, dtype=np.float64))) >= MIN_STEADINESS:
        return "numbers the rows: different whole numbers, steadily rising or falling from row to row"
    return ""


def _all_different(values: Array) -> bool:
    return bool(np.unique(values).size >= MIN_DIFFERENT * values.size)


def _all_whole(values: Array) -> bool:
    return bool((np.abs(values) <= _LARGEST_WHOLE).all() and (values == np.floor(values)).all())


def _naming_texts(table: JudgedTable, name: str, rows: Array | None) -> str:
    share = distinct_share(table, name, rows)
    if role_of(table, name) is ColumnRole.CATEGORICAL and share >= IDENTIFIER_MIN_DISTINCT_SHARE:
        return f"names the rows: {share:.1%} of its texts are different"
    if share >= MIN_CODE_SHARE and _are_codes(table.plain(name).slice(0, 1000)):
        return f"holds codes that name something: {share:.1%} of them are different"
    return ""


def _are_codes(texts: pa.ChunkedArray) -> bool:
    share = pc.mean(pc.match_substring_regex(texts, _CODE)).as_py()
    return share is not None and share >= _MIN_CODES
