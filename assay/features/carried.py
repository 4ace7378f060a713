"""Columns that no step computes: they never enter the engine, and are put beside its results row by row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assay.data.schema import dtype_name
from assay.features.compiling import ROW
from assay.features.plan import Plan
from assay.reading.files import mapped_table
from assay.scratch import scratch_folder


def handed_over(table: pa.Table, plan: Plan) -> pa.Table:
    """Return the columns of a table that the steps compute with."""
    return table.select([name for name in table.column_names if name not in plan.absent])


def wanted(plan: Plan) -> list[str] | None:
    """Return the columns that the engine writes; None for all of them."""
    return [*plan.computed, ROW] if plan.carries else None


def completed(made: pa.Table, source: pa.Table, plan: Plan) -> pa.Table:
    """Return the engine's results with the columns that the source has unchanged, in the order of the plan.

    Args:
        made: the computed columns and the rows' numbers, ascending; all columns where the plan carries none.
        source: the rows before the steps, with their numbers, ascending.
        plan: of the steps.
    """
    if not plan.carries:
        return _in_source_types(made, source, plan)
    origins = {name: origin for name, origin in plan.columns.items() if origin is not None}
    carried = _rows_of(source.select(list(dict.fromkeys(origins.values()))), source.column(ROW), made.column(ROW))
    names = [*plan.columns, ROW]
    columns = [carried.column(origins[name]) if name in origins else made.column(name) for name in names]
    return pa.table(columns, names=names)


def _rows_of(carried: pa.Table, numbers: pa.ChunkedArray, kept: pa.ChunkedArray) -> pa.Table:
    """Return the rows of some numbers, filtered in batches to a file, so that memory does not grow with them."""
    if len(kept) == len(numbers) or not carried.num_columns:
        return carried
    there = _among(numbers.to_numpy(), kept.to_numpy())
    with scratch_folder("carried") as name:
        path, start = Path(name, "rows"), 0
        with pa.ipc.new_file(path, carried.schema) as out:
            for batch in carried.to_batches():
                mask = pa.array(there[start : start + batch.num_rows])
                out.write_batch(batch.filter(mask))
                start += batch.num_rows
        return mapped_table(path)


def _among(numbers: "np.ndarray[Any, Any]", kept: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    there = np.zeros(len(numbers), np.bool_)
    without_gaps = len(numbers) and numbers[-1] - numbers[0] + 1 == len(numbers)
    there[kept - numbers[0] if without_gaps else np.searchsorted(numbers, kept)] = True
    return there


def _in_source_types(made: pa.Table, source: pa.Table, plan: Plan) -> pa.Table:
    """Return unchanged columns in the source's own types: DuckDB has fewer units of time, and one zone."""
    for name, origin in plan.columns.items():
        position, found = made.column_names.index(name), made.column(name)
        wanted = source.schema.field(origin).type if origin is not None else found.type
        if dtype_name(wanted) != dtype_name(found.type):
            made = made.set_column(position, name, found.cast(wanted))
    return made
