"""What the platform costs: the same work as a plain script and as Dagster assets, interleaved, as a ratio.

    python benchmarks/overhead.py [--data bank-full.csv] [--rounds 3] [--trials 20] [--rows 45211] [--json out.json]

Each side runs in a fresh process with fresh stores and one thread, out of reach of the deployment's own settings. The
ratio is taken within one invocation, since machines differ and are shared; CPU time is the steadier of the two
figures. The tracker that both sides log through is a Dagster resource, so the plain script imports Dagster too; what
that costs it is measured apart and taken off before the ratio is formed.
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
OF_A_DEPLOYMENT = ("ASSAY_", "DAGSTER_", "MLFLOW_", "AWS_")
IMPORT_OF_DAGSTER = """\
import time
import matplotlib.figure, mlflow, optuna, pandera.pandas, pyarrow, pydantic_settings, scipy.stats, skops.io, sqlalchemy
wall, cpu = time.perf_counter(), time.process_time()
import dagster
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


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
        imports = [import_of_dagster(Path(folder)) for _ in range(options.rounds)]
    summary = medians_and_ratio(measurements, imports)
    print_table(summary)
    if options.json:
        found = {**summary, "measurements": [asdict(measurement) for measurement in measurements]}
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
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
    return measured_script(side, home, [str(script), *arguments])


def measured_script(side: str, home: Path, arguments: list[str]) -> Measurement:
    """Run a script in a fresh process; the last line that it prints are the metrics as JSON.

    Args:
        side: its name, for the table and for messages.
        home: the working directory, below which its stores are.
        arguments: of the interpreter.
    """
    began = time.perf_counter()
    with (home / "errors.txt").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=home, env=environment_of(home), stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"the side '{side}' failed:\n{(home / 'errors.txt').read_text(encoding='utf-8')[-3000:]}")
    metrics = json.loads(output.splitlines()[-1])
    return Measurement(side, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, metrics)


def environment_of(home: Path) -> dict[str, str]:
    """Return an environment with stores below `home` and one thread; a real deployment's stores are out of reach."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_A_DEPLOYMENT)}
    return {
        **kept,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "ASSAY_HOME": str(home),
        "ASSAY_PIPELINES_DIR": str(home / "pipelines"),
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }


def import_of_dagster(home: Path) -> tuple[float, float]:
    """Return wall and CPU seconds that Dagster's import adds in a process that has the other libraries already."""
    command = [sys.executable, "-c", IMPORT_OF_DAGSTER]
    done = subprocess.run(
        command, cwd=home, env=environment_of(home), stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)


def medians_and_ratio(
    measurements: list[Measurement], imports: list[tuple[float, float]]
) -> dict[str, dict[str, float]]:
    """Return the medians of both sides and of Dagster's import, and assets / (plain - import).

    Memory has no share of the import taken off.
    """
    names = ("wall", "cpu", "peak_mib")
    medians = {
        side: {
            name: statistics.median(getattr(one, name) for one in measurements if one.side == side) for name in names
        }
        for side in SIDES
    }
    wall, cpu = (statistics.median(values) for values in zip(*imports, strict=True))
    dagster = {"wall": wall, "cpu": cpu, "peak_mib": 0.0}
    ratio = {name: medians["assets"][name] / (medians["plain"][name] - dagster[name]) for name in names}
    return {**medians, "import_of_dagster": dagster, "ratio": ratio}


def print_table(summary: dict[str, dict[str, float]]) -> None:
    """Print the medians and, last, the ratio."""
    print(f"{'':18}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for name, row in summary.items():
        digits = 3 if name == "ratio" else 2
        print(f"{name:18}" + "".join(f"{value:>10.{digits}f}" for value in row.values()))


if __name__ == "__main__":
    sys.exit(main())
