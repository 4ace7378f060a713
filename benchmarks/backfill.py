"""What a backfill costs: months of flights as one range run, and as a plain loop over the same functions, interleaved.

    python benchmarks/backfill.py [--rounds 1] [--trials 4] [--json out.json]
    python benchmarks/backfill.py --synthetic-months 120 --rows 2000
    python benchmarks/backfill.py --against-single-runs 6

Each side runs in a fresh process with fresh stores and one thread; Dagster's import is taken off the loop's share as
in `overhead`. The second form runs ranges of 12, of half and of all months, and prints the peak memory of each,
which must not grow. The third compares the range run of so many months with a run for each of them.
Does not belong here: the work itself (`backfill_work`), runs of the command line (`single_runs`).
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from overhead import ROOT, Measurement, import_of_dagster, measured_script, medians_and_ratio, print_table
from single_runs import print_single_runs

FLIGHTS = """\
name: flights
task: regression
dataset:
  source: demo://flights
  dialect: {{null_values: ["", "NA"]}}
  partitions: {{by: month, column: time_hour, start: "2013-01", end: "2014-01"}}
  target: air_time
  columns:
    carrier: {{role: categorical}}
    origin: {{role: categorical}}
    dest: {{role: categorical}}
    dep_time: {{role: ignored}}
    dep_delay: {{role: ignored}}
    arr_time: {{role: ignored}}
    arr_delay: {{role: ignored}}
    flight: {{role: identifier}}
    tailnum: {{role: identifier}}
    time_hour: {{role: ignored}}
    day: {{role: ignored}}
    year: {{role: ignored}}
    month: {{role: ignored}}
    minute: {{role: ignored}}
validation:
  min_rows: 1000
  max_missing: 0.05
  drop_null_rows: [air_time]
  ranges: {{distance: {{min: 0, strict: true}}}}
split: {{by: time, train_partitions: 2}}
model: {{candidates: [ridge, hist_gradient_boosting]}}
tuning: {{n_trials: {trials}}}
evaluation: {{primary_metric: mae, slices: [carrier]}}
"""
SYNTHETIC = """\
name: flights
task: regression
dataset:
  source: {source}
  partitions: {{by: month, column: t, start: "2010-01", end: "2030-01"}}
  target: y
  columns: {{t: {{role: ignored}}}}
validation: {{min_rows: 10}}
split: {{by: time, train_partitions: 3}}
model: {{candidates: [ridge]}}
tuning: {{enabled: false}}
"""
MONTHS = [f"2013-{month:02d}" for month in range(1, 13)]


def main() -> int:
    """Measure and print; returns 1 when the two sides did not compute the same."""
    options = parsed_options()
    with tempfile.TemporaryDirectory(prefix="assay-backfill-") as folder:
        if options.synthetic_months:
            return print_memory(Path(folder), options.synthetic_months, options.rows)
        pipeline = FLIGHTS.format(trials=options.trials)
        if options.against_single_runs:
            return print_single_runs(Path(folder), pipeline, MONTHS[: options.against_single_runs], history=2)
        found = [
            measured(side, Path(folder) / f"{side}{number}", pipeline, MONTHS)
            for number in range(options.rounds)
            for side in ("plain", "assets")
        ]
        summary = medians_and_ratio(found, [import_of_dagster(Path(folder)) for _ in range(options.rounds)])
    print_table(summary)
    if options.json:
        summarised = {**summary, "measurements": [asdict(each) for each in found]}
        options.json.write_text(json.dumps(summarised, indent=2), encoding="utf-8")
    if any(each.metrics != found[0].metrics for each in found):
        print("the sides computed different metrics", [each.metrics for each in found])
        return 1
    return 0


def parsed_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--trials", type=int, default=4, help="trials of each month's search")
    parser.add_argument("--synthetic-months", type=int, help="look at memory instead, over so many made months")
    parser.add_argument("--rows", type=int, default=2000, help="rows of a made month")
    parser.add_argument("--against-single-runs", type=int, help="compare so many months with a run for each instead")
    parser.add_argument("--json", type=Path, help="where to write all measurements")
    return parser.parse_args()


def print_memory(folder: Path, months: int, rows: int) -> int:
    """Print the peak memory of ranges of growing length over one file."""
    keys = [f"{2010 + number // 12}-{number % 12 + 1:02d}" for number in range(months)]
    source = folder / "months.csv"
    write_months(source, keys, rows)
    pipeline = SYNTHETIC.format(source=source)
    print(f"{'months':>8}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for length in sorted({min(12, months), months // 2, months}):
        found = measured("assets", folder / f"months{length}", pipeline, keys[:length])
        print(f"{length:>8}{found.wall:>10.1f}{found.cpu:>10.1f}{found.peak_mib:>10.0f}", flush=True)
    return 0


def write_months(path: Path, keys: list[str], rows: int) -> None:
    """Write a CSV of so many rows for each month."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("t,a,b,c,y\n")
        for key in keys:
            for number in range(rows):
                a, b, c = draw.random(), draw.random(), draw.choice("xyz")
                file.write(f"{key}-{1 + number % 28:02d}T12:00:00,{a},{b},{c},{3 * a - b + draw.random()}\n")


def measured(side: str, home: Path, pipeline: str, months: list[str]) -> Measurement:
    """Run one side in a fresh process with fresh stores."""
    (home / "pipelines").mkdir(parents=True)
    (home / "pipelines" / "flights.yaml").write_text(pipeline, encoding="utf-8")
    shutil.copy(ROOT / "dagster.yaml", home)
    return measured_script(side, home, [str(ROOT / "benchmarks" / "backfill_work.py"), side, *months])


if __name__ == "__main__":
    sys.exit(main())
