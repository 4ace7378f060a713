"""A generated table of 21 columns as a CSV file of any length.

Does not belong here: measuring.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

_CHUNK = 500_000
_POSITIVE = 0.1
_JOBS = np.array(["admin.", "blue-collar", "technician", "services", "management", "retired"])


def write_wide_table(path: Path, rows: int, seed: int = 7) -> None:
    """Write 8 columns of fractions, 7 of whole numbers, 5 of texts and 1 of times."""
    draw = np.random.default_rng(seed)
    with path.open("wb") as file:
        for start in range(0, rows, _CHUNK):
            table = _chunk(draw, min(_CHUNK, rows - start))
            csv.write_csv(table, file, csv.WriteOptions(include_header=start == 0, quoting_style="none"))


def _chunk(draw: np.random.Generator, rows: int) -> pa.Table:
    columns = {f"fraction_{n}": np.round(draw.normal(size=rows) * 100, 4) for n in range(8)}
    columns |= {f"whole_{n}": draw.integers(0, 10 ** (n % 5 + 1), rows) for n in range(7)}
    columns |= {f"text_{n}": _JOBS[draw.integers(0, _JOBS.size, rows)] for n in range(4)}
    seconds = draw.integers(0, 10**8, rows).astype("timedelta64[s]")
    columns["time"] = np.datetime64("2020-01-01T00:00:00") + seconds
    columns["y"] = np.where(draw.random(rows) < _POSITIVE, "yes", "no")
    return pa.table(columns)
