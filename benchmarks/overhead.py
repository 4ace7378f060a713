"""What the platform costs: the same work as a plain script and as Dagster assets, interleaved, as a ratio.

    python benchmarks/overhead.py [--data bank-full.csv] [--rounds 3] [--trials 20] [--rows 45211] [--json out.json]

Each side runs in a fresh process with fresh stores and one thread. The ratio is taken within one invocation, since
machines differ and are shared; CPU time is the steadier of the two figures.
Does not belong here: the work itself (`plain_script`, `as_assets`).
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bank_like import ROWS, write_bank_like

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = """\
name: bank_benchmark
task: binary_classification
dataset:
  source: {source}
  format: csv
  dialect: {{delimiter: ";"}}
  target: y
  columns: {{duration: {{role: ignored}}}}
validation: {{min_rows: 100, max_missing: 0.02, ranges: {{age: {{min: 17, max: 120}}}}, allowed: {{y: ["no", "yes"]}}}}
split: {{by: stratified}}
model: {{candidates: [logistic_regression, hist_gradient_boosting]}}
tuning: {{n_trials: {trials}}}
"""
SIDES = ("plain", "assets")


@dataclass(frozen=True)
class Measurement:
    """One process: seconds of the clock, seconds of CPU, largest resident memory in MiB, and what it computed."""

    side: str
    wall: float
    cpu: float
    peak_mib: float
    metrics: dict[str, float]


def main() -> int:
    """Measure and print; returns 1 when the two sides did not compute the same."""
    options = parsed_options()
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        source = options.data.resolve() if options.data else Path(folder) / "bank.csv"
        if options.data is None:
            write_bank_like(source, options.rows)
        measurements = [
            measured(side, Path(folder) / f"{side}{number}", source, options.trials)
            for number in range(options.rounds)
            for side in SIDES
        ]
    report(measurements)
    if options.json:
        options.json.write_text(json.dumps([asdict(found) for found in measurements], indent=2), encoding="utf-8")
    results = [found.metrics for found in measurements]
    if any(result != results[0] for result in results):
        print("the sides computed different metrics", results)
        return 1
    return 0


def parsed_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="bank-full.csv; a generated table of the same shape unless given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20, help="trials for each of the two model families")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the generated table")
    parser.add_argument("--json", type=Path, help="where to write all measurements")
    return parser.parse_args()


def measured(side: str, home: Path, source: Path, trials: int) -> Measurement:
    """Run one side in a fresh process with fresh stores."""
    (home / "pipelines").mkdir(parents=True)
    pipeline = home / "pipelines" / "bank_benchmark.yaml"
    pipeline.write_text(PIPELINE.format(source=source, trials=2 * trials), encoding="utf-8")
    shutil.copy(ROOT / "dagster.yaml", home)
    script = ROOT / "benchmarks" / ("plain_script.py" if side == "plain" else "as_assets.py")
    arguments = [str(pipeline), str(source)] if side == "plain" else ["bank_benchmark"]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {
        **os.environ, **threads,
        "ASSAY_HOME": str(home), "ASSAY_PIPELINES_DIR": str(home / "pipelines"),
        "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"the side '{side}' failed with status {status}")
    metrics = json.loads(output.splitlines()[-1])
    return Measurement(side, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, metrics)


def report(measurements: list[Measurement]) -> None:
    """Print medians of both sides and their ratio."""
    print(f"{'':10}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    medians = {}
    for side in SIDES:
        own = [found for found in measurements if found.side == side]
        medians[side] = [
            statistics.median(getattr(found, name) for found in own) for name in ("wall", "cpu", "peak_mib")
        ]
        print(f"{side:10}" + "".join(f"{value:>10.2f}" for value in medians[side]))
    ratios = [assets / plain for plain, assets in zip(medians["plain"], medians["assets"], strict=True)]
    print(f"{'ratio':10}" + "".join(f"{value:>10.3f}" for value in ratios))


if __name__ == "__main__":
    sys.exit(main())
