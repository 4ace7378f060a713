"""The stage `features` against the same SQL typed into DuckDB, as a ratio: `python benchmarks/features.py`.

    python benchmarks/features.py [--rows 1000000] [--rounds 3] [--json out.json]

Rows of 21 columns: a filter, three derived columns, a join with 100,000 rows and an aggregate of the 30 days before
each row. Sides, each in a fresh process over the same Arrow files mapped into memory, interleaved: the SQL as one would
type it, its result written as an Arrow file; the stage; and the check that no row sees later ones. CPU time, which a
shared machine disturbs least, is that of the process and of those that it starts. Memory is the largest sum of what
these hold beside mapped files, of `/proc`, above what the imports hold.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
OTHER_ROWS = 100_000
BATCH = 1 << 17
SIDES = ("typed", "stage", "check")
STEPS = [
    {"filter": {"no amount": "amount > 5", "no trip": "seconds between 60 and 7200"}},
    {
        "derive": {
            "minutes": "seconds / 60.0",
            "per_minute": "amount / (seconds / 60.0)",
            "hour": "hour(moment)",
        }
    },
    {"join": {"table": "places", "source": "places.parquet", "on": ["place"], "columns": ["zone", "density"]}},
    {
        "aggregate": {
            "by": ["customer"],
            "time": "moment",
            "over": "30 days",
            "columns": {"trips": "count(*)", "spent": "sum(amount)"},
        }
    },
]
TYPED = """
    SELECT *, count(*) OVER past AS trips, sum(amount) OVER past AS spent FROM (
        SELECT r.*, p.zone, p.density FROM (
            SELECT *, seconds / 60.0 AS minutes, amount / (seconds / 60.0) AS per_minute, hour(moment) AS hour
            FROM rows WHERE amount > 5 AND seconds BETWEEN 60 AND 7200
        ) r LEFT JOIN places p ON r.place = p.place
    )
    WINDOW past AS (
        PARTITION BY customer ORDER BY moment
        RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING
    )
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write all measurements")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return run_side(options.side, options.folder)
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as name:
        folder = Path(name)
        write(folder, options.rows)
        found = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side in SIDES:
                found[side].append(measured(side, folder))
    report(found, options.rows)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0


def report(found: dict[str, list[dict[str, float]]], rows: int) -> None:
    """Print the medians, and the ratios to the typed SQL."""
    medians = {s: {name: statistics.median(one[name] for one in many) for name in many[0]} for s, many in found.items()}
    print(f"{rows:,} rows x 21 columns\n")
    print(f"{'':8}{'wall s':>10}{'CPU s':>10}{'MiB':>8}{'CPU ratio':>12}{'wall ratio':>12}")
    for side, row in medians.items():
        ratios = [row[name] / medians["typed"][name] for name in ("cpu", "wall")]
        print(f"{side:8}{row['wall']:>10.2f}{row['cpu']:>10.2f}{row['mib']:>8.0f}{ratios[0]:>12.2f}{ratios[1]:>12.2f}")


def write(folder: Path, rows: int) -> None:
    """Write the rows in batches, and the other source."""
    random = np.random.default_rng(0)
    place = np.arange(OTHER_ROWS)
    zones = np.array(["north", "east", "south", "west"])
    density = random.random(OTHER_ROWS)
    other = pa.table({"place": place, "zone": zones[place % 4], "density": density, "population": place * 3})
    with pa.ipc.new_file(folder / "places", other.schema) as out:
        out.write_table(other)
    out, start = None, 0
    while start < rows:
        size = min(BATCH, rows - start)
        batch = batch_of(random, size, start, rows)
        out = out or pa.ipc.new_file(folder / "rows", batch.schema)
        out.write_batch(batch)
        start += size
    if out is not None:
        out.close()


def batch_of(random: np.random.Generator, size: int, start: int, rows: int) -> pa.RecordBatch:
    """Return rows of 21 columns: of a year, nearly in the order of time, a customer for each hundred."""
    seconds = (start + np.arange(size)) * (365 * 86400 / rows) + random.integers(0, 86400, size)
    moments = np.datetime64("2023-01-01", "us") + (seconds * 1e6).astype("timedelta64[us]")
    columns = {
        "trip": start + np.arange(size),
        "moment": moments,
        "customer": random.integers(0, max(1, rows // 100), size),
        "place": random.integers(0, OTHER_ROWS, size),
        "amount": random.gamma(2, 10, size).round(2),
        "seconds": random.gamma(2, 600, size).astype(np.int64),
        "payment": np.array(["card", "cash", "other"])[random.integers(0, 3, size)],
        **{f"number{n}": random.integers(0, 1000, size) for n in range(7)},
        **{f"fraction{n}": random.random(size) for n in range(7)},
    }
    return pa.RecordBatch.from_pydict(columns)


def measured(side: str, folder: Path) -> dict[str, float]:
    """Run one side in a fresh process."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_side(side: str, folder: Path) -> int:
    """Do one side's work in this process, and print what it took."""
    import features_work

    print(json.dumps(features_work.measured(side, folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
