"""A search in a process of its own that is killed at any moment, again and again."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

SEARCH = """
import sys
sys.path[:] = {path!r}
import numpy as np, pandas as pd
from pathlib import Path
from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.search import find_best_hyperparameters
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from resources.artifacts.trial_journal import StoredTrialJournal
from resources.store.local import LocalStore
random = np.random.default_rng(0)
frame = pd.DataFrame({{"a": random.normal(size=4000), "b": random.normal(size=4000)}})
rows = LabelledRows(frame, pd.Series(frame["a"] + random.normal(size=4000) > 0, name="y"))
columns = tuple(ColumnSchema(name=name, dtype="any", role=ColumnRole.NUMERIC) for name in ("a", "b"))
spec = PipelineSpec.model_validate_json({spec!r})
features = TableSchema(version=1, columns=columns)
journal = StoredTrialJournal(LocalStore(Path({store!r})), ("demo", "best_hyperparameters"), None, "basis")
print("begins", len(journal.entries()), flush=True)
best = find_best_hyperparameters(
    rows, spec, features=features, groups=None, classes=(False, True), journal=journal,
    progress=lambda trial: print("ended", trial.number, flush=True),
)
Path({result!r}).write_text(best.model_dump_json(exclude={{"trials": {{"__all__": {{"seconds"}}}}}}))
"""
DOCUMENT = {
    "name": "demo",
    "task": "binary_classification",
    "dataset": {"source": "rows.csv", "target": "y"},
    "model": {"candidates": ["lightgbm", "logistic_regression"]},
    "tuning": {"n_trials": 14, "folds": 3},
}


def search(folder, name, **tuning):
    document = DOCUMENT | {"tuning": DOCUMENT["tuning"] | tuning}
    text = SEARCH.format(
        path=[*sys.path],
        spec=json.dumps(document),
        store=str(folder / f"{name}-store"),
        result=str(folder / f"{name}.json"),
    )
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


def killed_again_and_again(folder, seed, kills, **tuning):
    """Kill a search after each of some trials, at a random moment of the next one, until it ends; returns its trials."""
    moments, ended = random.Random(seed), []
    for _ in range(kills):
        process, wanted = search(folder, "killed", **tuning), moments.randint(1, 2)
        for line in process.stdout:
            if line.startswith("ended"):
                ended.append(int(line.split()[1]))
                wanted -= 1
            if wanted == 0:
                time.sleep(moments.random() * 0.2)
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert search(folder, "killed", **tuning).wait() == 0
    return ended


@pytest.mark.full
@pytest.mark.parametrize(
    ("kills", "tuning"),
    [
        pytest.param(2, {}, id="two-kills"),
        pytest.param(20, {"n_trials": 45}, id="twenty-kills"),
        pytest.param(4, {"workers": 2}, id="two-workers"),
    ],
)
def test_a_killed_search_ends_with_the_trials_of_one_that_was_not(tmp_path, kills, tuning):
    killed_again_and_again(tmp_path, 1, kills, **tuning)
    best = json.loads((tmp_path / "killed.json").read_text())
    count = tuning.get("n_trials", 14)
    assert [trial["number"] for trial in best["trials"]] == list(range(count))
    points = [json.dumps([trial["family"], trial["parameters"]], sort_keys=True) for trial in best["trials"]]
    assert len(set(points)) == count, "no point twice"
    if "workers" not in tuning:
        assert search(tmp_path, "whole", **tuning).wait() == 0
        assert (tmp_path / "killed.json").read_text() == (tmp_path / "whole.json").read_text()
