"""What a search costs beside its fits, and whether it keeps its time.

    python benchmarks/search.py [--trials 60] [--timeout 30] [--rows 45211]

Costs are of trials whose fit takes next to nothing (`sklearn.dummy:DummyClassifier`), so that what is left is the
search's own: in the process itself, in worker processes, and with a journal. They take turns. The time bound is tried
with families of which one fit of the slowest takes most of it; the final fit counts.
Does not belong here: how good the models are.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import pandas as pd
from bank_like import ROWS, write_bank_like

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.estimators.assembly import build_pipeline
from assay.learning.estimators.ensembles import family_of, model_with
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.journal import TrialJournal
from assay.learning.tuning.search import find_best_hyperparameters
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec
from assay.specs.dataset import ColumnRole
from resources.artifacts.trial_journal import StoredTrialJournal
from resources.store.local import LocalStore

CHEAP = "sklearn.dummy:DummyClassifier"
CLASSES = ("no", "yes")


def table(rows: int) -> tuple[LabelledRows, TableSchema]:
    """Return rows like the bank's, and their features."""
    with tempfile.TemporaryDirectory() as folder:
        write_bank_like(Path(folder, "bank.csv"), rows)
        frame = pd.read_csv(Path(folder, "bank.csv"), sep=";")
    target = frame.pop("y")
    numbers = frame.select_dtypes("number").columns
    frame = frame.astype({name: "float64" if name in numbers else "object" for name in frame})
    roles = {name: ColumnRole.NUMERIC if name in numbers else ColumnRole.CATEGORICAL for name in frame}
    columns = tuple(ColumnSchema(name=name, dtype="any", role=role) for name, role in roles.items())
    return LabelledRows(frame, target.astype(object)), TableSchema(version=1, columns=columns)


def pipeline(candidates: list[str], **tuning: object) -> PipelineSpec:
    """Return a pipeline with these candidates."""
    document = {
        "name": "bank",
        "task": "binary_classification",
        "dataset": {"source": "bank.csv", "target": "y"},
        "model": {"candidates": candidates},
        "tuning": tuning,
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


def searched(
    spec: PipelineSpec, rows: LabelledRows, features: TableSchema, journal: TrialJournal | None = None
) -> tuple[BestHyperparameters, float]:
    """Return the result of a search, and its seconds."""
    began = time.perf_counter()
    best = find_best_hyperparameters(rows, spec, features=features, groups=None, classes=CLASSES, journal=journal)
    return best, time.perf_counter() - began


def costs(trials: int, repeats: int) -> None:
    """Print milliseconds of each trial beyond the first, by where trials run."""
    rows, features = table(1000)
    space = {"random_state": {"type": "int", "low": 0, "high": 10**6}}
    ways = {"in the process": {}, "one worker": {"timeout": 3600}, "two workers": {"workers": 2}, "with a journal": {}}
    found: dict[str, list[float]] = {name: [] for name in ways}
    searched(
        pipeline([CHEAP], n_trials=2, search_space=space, default_space=False), rows, features
    )  # libraries are loaded
    for _ in range(repeats):
        for name, tuning in ways.items():
            seconds = []
            for count in (2, trials):
                spec = pipeline([CHEAP], n_trials=count, search_space=space, default_space=False, **tuning)
                with tempfile.TemporaryDirectory() as folder:
                    kept = StoredTrialJournal(LocalStore(Path(folder)), ("bank",), None, "b")
                    seconds.append(searched(spec, rows, features, kept if "journal" in name else None)[1])
            found[name].append(1000 * (seconds[1] - seconds[0]) / (trials - 2))
    for name, milliseconds in found.items():
        print(f"{name:16} {statistics.median(milliseconds):6.1f} ms for each trial")


def bound(rows: int, timeout: float) -> None:
    """Print how much of its time a search takes, with the final fit."""
    labelled, features = table(rows)
    candidates = ["random_forest", "lightgbm", "hist_gradient_boosting", "logistic_regression"]
    spec = pipeline(candidates, n_trials=10_000, timeout=timeout)
    best, seconds = searched(spec, labelled, features)
    used = spec.model_copy(update={"model": model_with(spec.model, best.family, best.parameters)})
    began = time.perf_counter()
    chosen = family_of(best.family, used.task, used.model)
    build_pipeline(chosen, best.parameters, features, used).fit(labelled.features, labelled.target)
    fit = time.perf_counter() - began
    stopped = sum(trial.state == "stopped" for trial in best.trials)
    print(
        f"{rows:,} rows, timeout {timeout:g} s: search {seconds:.1f} s, final fit of {best.family} {fit:.1f} s, "
        f"together {(seconds + fit) / timeout:.2f} of the time; {len(best.trials)} trials, {stopped} stopped"
    )
    print(best.caution(candidates) or "every candidate was measured")


def main() -> None:
    """Run both parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--timeout", type=float, default=30.0)
    given = parser.parse_args()
    costs(given.trials, given.repeats)
    bound(given.rows, given.timeout)


if __name__ == "__main__":
    main()
