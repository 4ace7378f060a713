"""What the gate costs beside a check of the same rules that is written by hand.

    python benchmarks/gate.py [--rows 1000000] [--repeats 5]

Both judge the same Arrow table in memory: missing values, ranges, allowed values, a key of two columns, finite
numbers. They take turns, so that a busy machine slows both. The whole gate also computes the fingerprint that the
receipt vouches for, and the profile of every column; what these cost is shown apart. The rules that look for leakage
without being asked are off: nobody writes them by hand.
Does not belong here: reading and storing (`overhead.py`).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.gate.checked_table import CheckedTable
from assay.gate.gate import CHECKS, profile, run_gate
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole
from assay.specs.rules import RULES

CITIES = [f"city {number}" for number in range(40)]
FLOATS = [f"amount_{number}" for number in range(8)]
WHOLES = [f"count_{number}" for number in range(4)]
TEXTS = [f"city_{number}" for number in range(5)]
KEY = ("customer", "visit")
HIGHEST = 1e6


def rows(count: int) -> pa.Table:
    """Return a table of 20 columns that keeps every rule; 1 % of the amounts are missing."""
    random = np.random.default_rng(7)
    columns: dict[str, pa.Array] = {
        "customer": pa.array(np.arange(count) // 10),
        "visit": pa.array(np.arange(count) % 10),
    }
    for name in FLOATS:
        columns[name] = pa.array(random.gamma(2.0, 50.0, count), mask=random.random(count) < 0.01)  # noqa: PLR2004
    for name in WHOLES:
        columns[name] = pa.array(random.integers(0, 1000, count))
    for name in TEXTS:
        columns[name] = pa.array(random.choice(np.array(CITIES, dtype=object), count))
    columns["y"] = pa.array(random.integers(0, 2, count))
    return pa.table(columns)


def pipeline() -> PipelineSpec:
    """Return a pipeline with the rules that `checked_by_hand` checks."""
    names = [*KEY, *FLOATS, *WHOLES, *TEXTS, "y"]
    return PipelineSpec.model_validate_json(
        json.dumps(
            {
                "name": "visits",
                "task": "binary_classification",
                "dataset": {"source": "visits.csv", "target": "y"},
                "validation": {
                    "max_missing": dict.fromkeys(names, 0.05),
                    "not_null": [*KEY, *WHOLES, *TEXTS],
                    "unique": [KEY],
                    "ranges": {name: {"min": 0, "max": HIGHEST} for name in [*FLOATS, *WHOLES]},
                    "allowed": dict.fromkeys(TEXTS, CITIES),
                    "finite": True,
                    "sentinel": {"enabled": False},
                },
            }
        )
    )


def checked_by_the_gate(table: pa.Table, spec: PipelineSpec) -> bool:
    """Check every configured rule of the gate on a table that it has not seen before."""
    checked = CheckedTable(table, schema_of(table))
    return not any(CHECKS[name](checked, spec).failures for name, rule in RULES.items() if rule.configured(spec))


def checked_by_hand(table: pa.Table) -> bool:
    """Check the same rules as somebody would who writes them for this table alone."""
    frame = table.to_pandas(strings_to_categorical=True)
    missing = frame.isna().mean()
    held = bool((missing <= 0.05).all() and (missing[[*KEY, *WHOLES, *TEXTS, "y"]] == 0).all())  # noqa: PLR2004
    held &= not frame.duplicated(list(KEY), keep=False).any()
    for name in [*FLOATS, *WHOLES]:
        values = frame[name].dropna()
        held &= bool(values.between(0, HIGHEST).all() and np.isfinite(values).all())
    for name in FLOATS:
        held &= not bool(pc.any(pc.is_nan(table[name])).as_py())
    for name in TEXTS:
        held &= bool(frame[name].isin(CITIES).all())
    return held and frame["y"].value_counts().min() > 1


def schema_of(table: pa.Table) -> TableSchema:
    """Return the schema with every column in its plainest role."""
    columns = tuple(
        ColumnSchema(name=field.name, dtype=dtype_name(field.type), role=ColumnRole.NUMERIC) for field in table.schema
    )
    return TableSchema(version=1, columns=columns)


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    if work() is False:
        raise SystemExit("a check failed on rows that keep every rule")
    return time.perf_counter() - start


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    table, spec = rows(given.rows), pipeline()
    dataset = Dataset(table, schema_of(table), fingerprint(table))
    work: dict[str, Callable[[], object]] = {
        "by hand (pandas, numpy)": lambda: checked_by_hand(table),
        "the gate's rules": lambda: checked_by_the_gate(table, spec),
        "the whole gate": lambda: run_gate(dataset, spec, where="benchmark").accepted is not None,
        "fingerprint": lambda: fingerprint(table),
        "profile": lambda: profile(CheckedTable(table, schema_of(table))),
    }
    for one in work.values():
        one()  # imports and caches
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(given.repeats):
        for name, one in work.items():
            taken[name].append(seconds(one))
    unit = statistics.median(taken["by hand (pandas, numpy)"])
    print(f"{given.rows:,} rows x {table.num_columns} columns, median of {given.repeats} turns")
    print("\n| check | seconds | times by hand |\n| --- | ---: | ---: |")
    for name, times in taken.items():
        print(f"| {name} | {statistics.median(times):.3f} | {statistics.median(times) / unit:.2f} |")


if __name__ == "__main__":
    main()
