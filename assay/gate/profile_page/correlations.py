"""How strongly numeric columns and the target move together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.schema import ColumnSchema
from assay.gate.judged_table import JudgedTable
from assay.gate.profile_page.drawing import readable
from assay.gate.report import shown
from assay.specs.dataset import ColumnRole

MAX_COLUMNS = 30
_FEWEST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson's coefficient of every pair.

    Attributes:
        names: the columns, the target first if it can be compared.
        rows: coefficients between -1 and 1, as many rows as names; None where undefined.
        left_out: numeric columns that were left out to keep the matrix readable.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    left_out: int


def correlations(table: JudgedTable, columns: Sequence[ColumnSchema], *, show_values: bool) -> Correlations | None:
    """Return the correlations of numeric columns, over the rows in which both are finite.

    Columns marked pii and constant ones are left out. A target with two values counts as 0 and 1. Of more
    than 30 columns those that correlate most with the target are kept; without such a target, the first.
    """
    usable = [column for column in columns if not column.pii and column.name in table]
    target = next((column.name for column in usable if column.reason == "target"), None)
    frame = pd.DataFrame(
        {
            column.name: numbers
            for column in usable
            if column.reason != "target"
            and column.role is ColumnRole.NUMERIC
            and (numbers := _numbers(table, column.name)) is not None
        }
    )
    compared = _target(table, target, show_values=show_values) if target else None
    kept = _kept(frame, compared[1] if compared else None)
    shown_frame = frame[kept]
    if compared:
        shown_frame = shown_frame.set_axis([f"c{place}" for place in range(len(kept))], axis=1)
        shown_frame.insert(0, "target", compared[1])
    names = ([compared[0]] if compared else []) + [readable(name, 40) for name in kept]
    if len(names) < 2:  # noqa: PLR2004 - a pair
        return None
    matrix = shown_frame.corr(min_periods=_FEWEST_ROWS).to_numpy()
    rows = tuple(tuple(_coefficient(value) for value in row) for row in matrix)
    return Correlations(tuple(names), rows, frame.shape[1] - len(kept))


def _kept(frame: pd.DataFrame, target: "pd.Series[float] | None") -> list[str]:
    names = list(frame.columns)
    if len(names) < MAX_COLUMNS or target is None:
        return names[:MAX_COLUMNS]
    with np.errstate(divide="ignore", invalid="ignore"):  # constant where the target is known
        strength = frame.corrwith(target).abs().fillna(-1.0).to_numpy()
    best = sorted(np.argsort(-strength, kind="stable")[: MAX_COLUMNS - 1])
    return [names[place] for place in best]


def _numbers(table: JudgedTable, name: str) -> "pd.Series[float] | None":
    if table.kind(name) not in {"integer", "float", "boolean"}:
        return None
    values = table.plain(name).cast(pa.float64(), safe=False).to_numpy()
    finite = np.where(np.isfinite(values), values, np.nan)
    there = finite[np.isfinite(finite)]
    if not there.size or there.min() == there.max():
        return None
    # the coefficient is the same, and the squares of huge numbers do not overflow
    return pd.Series(finite / np.abs(there).max())


def _target(table: JudgedTable, name: str, *, show_values: bool) -> "tuple[str, pd.Series[float]] | None":
    label = f"{readable(name, 40)} (target"
    values = table.plain(name)
    if table.kind(name) not in {"string", "boolean", "integer"} or pc.count_distinct(values).as_py() != 2:  # noqa: PLR2004 - classes
        numbers = _numbers(table, name)
        return None if numbers is None else (f"{label})", numbers)
    second = sorted(pc.unique(values.drop_null()).to_pylist())[1]
    told = f", 1 is {readable(shown(second, pii=False), 20)}" if show_values else ""
    series = pc.equal(values, pa.scalar(second, values.type)).cast(pa.float64()).to_numpy()
    return f"{label}{told})", pd.Series(series)


def _coefficient(value: float) -> float | None:
    return min(1.0, max(-1.0, float(value))) if math.isfinite(value) else None
