"""Trials in processes of their own: the same results, and an end for those that take too long or die."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.workers import TrialInputs, running_trials
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec

MODELS = """
import os, signal, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class Guess(ClassifierMixin, BaseEstimator):
    def __init__(self, level=0.5, seconds=0.0, ending=None):
        self.level, self.seconds, self.ending = level, seconds, ending
    def fit(self, rows, y):
        if rows.shape[0] > 45:  # not in the dry run before the search
            time.sleep(self.seconds)
        if rows.shape[0] > 45 and self.ending == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if rows.shape[0] > 45 and self.ending == "exit":
            os._exit(3)
        self.classes_ = np.unique(y)
        return self
    def predict_proba(self, rows):
        return np.tile([1 - self.level, self.level], (rows.shape[0], 1))
    def predict(self, rows):
        return self.classes_[np.argmax(self.predict_proba(rows), axis=1)]

class Slow(Guess):
    def __init__(self, level=0.5, seconds=60.0, ending=None):
        super().__init__(level, seconds, ending)
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "slow_models.py").write_text(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("slow_models", None)


def spec_of(**parts):
    dataset = {"source": "rows.csv", "target": "y"}
    document = {"name": "demo", "task": "binary_classification", "dataset": dataset, **parts}
    return PipelineSpec.model_validate_json(json.dumps(document))


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"a": draw.normal(size=150), "b": draw.normal(size=150)})
    return LabelledRows(frame, pd.Series(frame["a"] + draw.normal(size=150) > 0, name="y"))


@pytest.fixture
def features():
    columns = (ColumnSchema(name=name, dtype="any", role=ColumnRole.NUMERIC) for name in ("a", "b"))
    return TableSchema(version=1, columns=tuple(columns))


@pytest.fixture
def search(rows, features):
    def run(**parts):
        spec = spec_of(**parts)
        return find_best_hyperparameters(rows, spec, features=features, groups=None, classes=(False, True))

    return run


def outcome(best):
    return [(each.number, each.family, each.parameters, each.state, each.value, each.reason) for each in best.trials]


MIXED = {"model": {"candidates": ["logistic_regression", "lightgbm"]}}


def test_one_worker_finds_what_this_process_finds(search):
    tuning = {"n_trials": 6, "folds": 2}
    here = search(**MIXED, tuning=tuning)
    there = search(**MIXED, tuning=tuning | {"timeout": 600})
    assert outcome(there) == outcome(here)
    assert there.stopped_by == "n_trials"


@pytest.mark.full
def test_two_workers_try_the_points_of_a_finite_space_once_each(search):
    grid = {
        "C": {"type": "categorical", "choices": [0.1, 1.0, 10.0]},
        "fit_intercept": {"type": "categorical", "choices": [True, False]},
    }
    model = {"candidates": ["logistic_regression"]}
    best = search(
        model=model, tuning={"n_trials": 50, "folds": 2, "default_space": False, "search_space": grid, "workers": 2}
    )
    alone = search(model=model, tuning={"n_trials": 50, "folds": 2, "default_space": False, "search_space": grid})
    assert best.stopped_by == "exhausted"
    assert [record.number for record in best.trials] == list(range(6))
    assert {(str(r.parameters), r.value) for r in best.trials} == {(str(r.parameters), r.value) for r in alone.trials}


@pytest.mark.usefixtures("models")
def test_a_stopped_trial_ends_at_once_and_another_process_takes_its_place(rows, features):
    spec = spec_of(model={"candidates": ["slow_models:Slow", "logistic_regression"]}, tuning={"timeout": 600})
    inputs = TrialInputs(rows, features, make_folds(rows.target, spec, None), (False, True), spec)
    slow, quick = candidate_families(spec)
    with running_trials(inputs) as trials:
        trials.start(0, slow, {}, lambda fold, mean: False)
        assert not trials.is_free
        began, process = time.monotonic(), trials._running[0][0].process
        assert trials.wait(began + 0.2) == []
        assert process.poll() is None
        trials.stop(0)
        assert process.poll() == -signal.SIGKILL
        assert trials.is_free
        trials.start(1, quick, {}, lambda fold, mean: False)
        ended = []
        while not ended:
            ended = trials.wait(math.inf)
    assert [(number, measured.state) for number, measured in ended] == [(1, "complete")]
    assert ended[0][1].predicted.shape == (150, 2), "for an average of families"
    assert time.monotonic() - began < 50, "the slow model sleeps for two minutes"


@pytest.mark.full
@pytest.mark.usefixtures("models")
def test_the_first_trial_is_finished_whatever_it_takes(search):
    best = search(
        model={"candidates": ["slow_models:Slow"], "hyperparameters": {"seconds": 0.3}},
        tuning={
            "n_trials": 5,
            "folds": 2,
            "timeout": 0.1,
            "search_space": {"level": {"type": "float", "low": 0.1, "high": 0.9}},
        },
    )
    assert [record.state for record in best.trials] == ["complete"]
    assert best.stopped_by == "timeout"


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("killed", "the worker process was ended by SIGKILL; the machine may have run out of memory"),
        pytest.param("exit", "the worker process ended with exit code 3", marks=pytest.mark.full),
    ],
)
def test_a_worker_that_dies_fails_its_trial_only(search, ending, reason):
    endings = {"ending": {"type": "categorical", "choices": [ending, None]}}
    best = search(
        model={"candidates": ["slow_models:Guess"]},
        tuning={"n_trials": 2, "folds": 2, "timeout": 600, "search_space": endings},
    )
    assert sorted((record.state, record.reason) for record in best.trials) == [("complete", ""), ("failed", reason)]


SEARCH = """
import sys
sys.path[:] = {path!r}
import numpy as np, pandas as pd
from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.workers import TrialInputs, running_trials
from assay.learning.estimators.ensembles import candidate_families
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
frame = pd.DataFrame({{"a": np.arange(150.0)}})
rows = LabelledRows(frame, pd.Series(frame["a"] % 2 > 0, name="y"))
columns = (ColumnSchema(name="a", dtype="any", role=ColumnRole.NUMERIC),)
spec = PipelineSpec.model_validate_json({spec!r})
find_best_hyperparameters(
    rows, spec, features=TableSchema(version=1, columns=columns), groups=None, classes=(False, True)
)
"""
SIGNS = """
import os, time
from slow_models import Guess

class Signs(Guess):
    def fit(self, rows, y):
        if rows.shape[0] < 45:
            return super().fit(rows, y)
        open("fitting", "w").write(str(os.getpid()))
        time.sleep(1200)
"""


@pytest.mark.usefixtures("models")
def test_a_fit_does_not_outlive_a_search_that_is_killed(tmp_path):
    (tmp_path / "signs.py").write_text(SIGNS)
    space = {"level": {"type": "float", "low": 0.1, "high": 0.9}}
    spec = spec_of(
        model={"candidates": ["logistic_regression", "signs:Signs"]}, tuning={"timeout": 600, "search_space": space}
    )
    text = SEARCH.format(path=[str(tmp_path), *sys.path], spec=spec.model_dump_json())
    search = subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path)
    try:
        pid = int(waited(lambda: (tmp_path / "fitting").read_text() if (tmp_path / "fitting").exists() else ""))
    finally:
        search.kill()
        search.wait()
    waited(lambda: not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text())


def waited(condition, seconds=600):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition does not come true"
        time.sleep(0.05)
    return found
