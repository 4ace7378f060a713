"""CSV to Parquet: Assay's strict reader against the streaming readers of polars, pyarrow and DuckDB, as a ratio.

    python benchmarks/ingestion.py [--rows 1000000] [--rounds 3] [--json out.json]

Each reading runs in a fresh process that has imported its library before the clock starts, and writes the same
generated table of 21 columns (8 fractions, 7 whole numbers, 5 texts, 1 time) as Parquet with zstd. Sides are
interleaved; the ratio is to the fastest library of the same invocation. Memory is the largest resident set beyond that
after the imports. Assay is measured twice: in the process itself, and in the confined child that runs of pipelines use.
Does not belong here: what is read (`wide_table`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from wide_table import write_wide_table

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
import json, resource, sys, time
from pathlib import Path
source, target = Path(sys.argv[1]), Path(sys.argv[2])
def peak():
    # ru_maxrss begins with the parent's; this one begins with the process
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
"""
TAIL = """
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
before, began, used = peak(), time.perf_counter(), cpu()
work()
wall, spent = time.perf_counter() - began, cpu() - used
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"wall": wall, "cpu": spent, "extra_mib": max(peak() - before, children)}))
"""
SIDES = {
    "assay": """
from assay.reading.batches import ReadOptions
from assay.reading.files import transcribe
def work(): transcribe(source, ReadOptions(), target, name=str(source), layout="parquet")
""",
    "assay, confined": """
from assay.reading.batches import ReadOptions
from assay.reading.sandbox import transcribe_in_child
from assay.specs.dataset import ReadLimits
def work(): transcribe_in_child(
    source, ReadOptions(), target, name=str(source), layout="parquet", limits=ReadLimits(seconds=600)
)
""",
    "polars": """
import polars
def work(): polars.scan_csv(source, try_parse_dates=True).sink_parquet(target, compression="zstd", compression_level=1)
""",
    "pyarrow": """
import pyarrow.csv, pyarrow.parquet
def work():
    reader = pyarrow.csv.open_csv(source)
    with pyarrow.parquet.ParquetWriter(target, reader.schema, compression="zstd", compression_level=1) as writer:
        for batch in reader:
            writer.write_batch(batch)
""",
    "duckdb": """
import duckdb
def work(): duckdb.sql(f"copy (from read_csv('{source}')) to '{target}' (format parquet, compression zstd)")
""",
}
LIBRARIES = ("polars", "pyarrow", "duckdb")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write all measurements")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        source = Path(folder, "rows.csv")
        write_wide_table(source, options.rows)
        found = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side in SIDES:
                found[side].append(measured(side, source, Path(folder, "rows.parquet")))
        size = source.stat().st_size
    medians = {
        side: {name: statistics.median(one[name] for one in many) for name in many[0]} for side, many in found.items()
    }
    fastest = min(LIBRARIES, key=lambda side: medians[side]["wall"])
    print(f"{options.rows:,} rows x 21 columns, {size / 1e6:,.0f} MB; fastest library: {fastest}\n")
    print(f"{'':18}{'wall s':>10}{'CPU s':>10}{'extra MiB':>12}{'ratio':>8}")
    for side, row in medians.items():
        row["ratio"] = row["wall"] / medians[fastest]["wall"]
        print(f"{side:18}{row['wall']:>10.2f}{row['cpu']:>10.2f}{row['extra_mib']:>12.0f}{row['ratio']:>8.2f}")
    if options.json:
        options.json.write_text(json.dumps({"medians": medians, "fastest": fastest}, indent=2), encoding="utf-8")
    return 0


def measured(side: str, source: Path, target: Path) -> dict[str, float]:
    """Run one side in a fresh process and check that it wrote something."""
    command = [sys.executable, "-c", HEAD + SIDES[side] + TAIL, str(source), str(target)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    target.unlink()
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
