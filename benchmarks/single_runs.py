"""The same months by the command line: as one range run, and as a run for each partition.

Does not belong here: the pipeline, the plain loop (`backfill`).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from overhead import ROOT, Measurement, environment_of

DATA = 'key:"flights/raw_dataset" or key:"flights/validated_dataset"'
ALL = 'key:"flights/*" and not key:"flights/backtest_report"'


def print_single_runs(folder: Path, pipeline: str, months: list[str], history: int) -> int:
    """Measure and print both; returns 1 when they did not compute the same.

    Args:
        folder: for the stores of both.
        pipeline: the text of its file.
        months: partitions, oldest first.
        history: how many of them are too early for a model of their own.
    """
    whole = [[ALL, "--partition-range", f"{months[0]}...{months[-1]}"]]
    single = [[DATA if number < history else ALL, "--partition", month] for number, month in enumerate(months)]
    found = [measured("one range run", folder / "range", pipeline, whole)]
    found.append(measured(f"{len(months)} runs", folder / "single", pipeline, single))
    print(f"{'':18}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for each in found:
        print(f"{each.side:18}{each.wall:>10.1f}{each.cpu:>10.1f}{each.peak_mib:>10.0f}")
    one, many = found
    print(f"{'ratio':18}{one.wall / many.wall:>10.3f}{one.cpu / many.cpu:>10.3f}")
    if one.metrics != many.metrics or len(one.metrics) != len(months) - history:
        print("the sides computed different metrics", one.metrics, many.metrics)
        return 1
    return 0


def measured(side: str, home: Path, pipeline: str, runs: list[list[str]]) -> Measurement:
    """Run each command in a fresh process, over stores that they share and nobody else has."""
    (home / "pipelines").mkdir(parents=True)
    (home / "pipelines" / "flights.yaml").write_text(pipeline, encoding="utf-8")
    shutil.copy(ROOT / "dagster.yaml", home)
    cpu, peak, began = 0.0, 0.0, time.perf_counter()
    for selection, *partitions in runs:
        spent, most = run(home, [selection, *partitions])
        cpu, peak = cpu + spent, max(peak, most)
    return Measurement(side, time.perf_counter() - began, cpu, peak, metrics_of(home / "store"))


def run(home: Path, arguments: list[str]) -> tuple[float, float]:
    """Materialise a selection; return the process's CPU seconds and its largest resident memory in MiB."""
    dagster = str(Path(sys.executable).with_name("dagster"))
    command = [dagster, "asset", "materialize", "-f", str(ROOT / "definitions.py"), "--select", *arguments]
    with (home / "log.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=home, env=environment_of(home), stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed:\n{(home / 'log.txt').read_text(encoding='utf-8')[-3000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def metrics_of(store: Path) -> dict[str, float]:
    """Return the primary metric of each month that was judged."""
    reports = store.glob("flights/evaluation_report/@partition/*/data/*/*-value.json")
    by_month = {path.parents[2].name: json.loads(path.read_text(encoding="utf-8")) for path in reports}
    return {month: report["metrics"][report["primary_metric"]] for month, report in sorted(by_month.items())}
