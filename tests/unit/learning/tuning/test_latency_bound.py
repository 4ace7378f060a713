"""No model is chosen whose predictions take longer than the pipeline allows; times are injected."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from assay.errors import LearningError
from assay.learning.latency import latency_ms
from assay.learning.splitting import LabelledRows
from assay.learning.tuning import folds, study_run, trials
from assay.learning.tuning.blending import Blend, Finished, averaged, fast_enough
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.folds import Fold
from assay.learning.tuning.journal import JournalEntry, decoded, encoded
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.study_run import StudyRun
from assay.learning.tuning.time_bound import TimeBound
from assay.learning.tuning.trials import Measurement
from assay.learning.tuning.workers import TrialInputs
from assay.results.search_result import BestHyperparameters, TrialRecord

PREPARATION = 1.0
TIMES = {"LogisticRegression": 2.0, "LGBMClassifier": 50.0}
BOTH = {"candidates": ["lightgbm", "logistic_regression"], "hyperparameters": {"n_estimators": 3}}


@pytest.mark.parametrize("rows", [pd.DataFrame({"a": range(7)}), np.arange(3_000).reshape(1_500, 2)])
def test_the_least_of_five_timed_predictions_of_1000_rows_counts(rows):
    seen, ticks = [], iter([0, 3, 10, 12, 20, 21, 30, 39, 40, 45])  # 3, 2, 1, 9 and 5 s
    assert latency_ms(seen.append, rows, clock=lambda: next(ticks)) == 1_000
    assert [len(batch) for batch in seen] == [1_000] * 6, "the first one is not timed"


@pytest.fixture
def search(make_spec, rows, features, monkeypatch):
    """Return a function that searches, where predictions take the times of their model."""
    monkeypatch.setattr(folds, "latency_ms", lambda *_: PREPARATION)
    monkeypatch.setattr(trials, "latency_ms", lambda predict, _: TIMES[type(predict.__self__).__name__])

    def run(bound, model=BOTH, **tuning):
        spec = make_spec(model=model, tuning={"n_trials": 3, "folds": 2, "max_latency_ms": bound, **tuning})
        return find_best_hyperparameters(rows, spec, features=features, groups=None, classes=(False, True))

    return run


def test_a_slow_model_is_not_chosen_and_named_with_its_time(search):
    best = search(10)
    assert (best.family, best.latency_ms) == ("logistic_regression", PREPARATION + 2.0)
    slow = [trial for trial in best.trials if trial.family == "lightgbm"]
    assert {(trial.state, trial.value, trial.latency_ms) for trial in slow} == {("too_slow", None, 51.0)}
    assert slow[0].reason == "51 ms for 1,000 rows, the least of 5 times; 10 ms are allowed"
    [named] = best.too_slow()
    assert (named["family"], named["ms for 1,000 rows"]) == ("lightgbm", 51.0)
    faster = TrialRecord(number=9, state="too_slow", family="lightgbm", parameters={}, latency_ms=20.0)
    assert best.model_copy(update={"trials": (faster, *slow)}).too_slow()[0]["ms for 1,000 rows"] == 20.0


def test_preparation_counts(search):
    assert search(3).family == "logistic_regression"
    with pytest.raises(LearningError, match="predicts as fast"):
        search(2.5)


@pytest.mark.parametrize("tuning", [{}, {"search_space": {}}])
def test_where_no_model_is_fast_enough_the_fastest_is_named(search, tuning):
    with pytest.raises(LearningError) as refused:
        search(1.5, **tuning)
    assert refused.value.found.endswith(
        "logistic_regression: 3 ms for 1,000 rows, the least of 5 times; 1.5 ms are allowed"
    )
    assert refused.value.where == "pipeline demo, tuning.max_latency_ms"


def test_one_candidate_without_a_space_is_measured_all_the_same(search):
    model = {"candidates": ["logistic_regression"]}
    assert search(10, model, search_space={}).latency_ms == 3.0
    with pytest.raises(LearningError, match="predicts as fast"):
        search(1, model, search_space={})


def test_nothing_is_timed_without_a_bound(search, monkeypatch):
    monkeypatch.setattr(folds, "latency_ms", None)
    monkeypatch.setattr(trials, "latency_ms", None)
    best = search(None)
    assert best.latency_ms is None
    assert "latency_ms" not in best.model_dump_json()


def test_the_time_is_no_part_of_the_results_identity(search):
    best = search(10)
    assert "latency" not in str(best.identity())


def test_an_average_loses_its_slowest_member_until_it_is_fast_enough():
    asked = []

    def blend_of(names):
        asked.append(list(names))
        return Blend(dict.fromkeys(names, 1 / len(names)), 0.9, 0.1) if len(names) > 1 else None

    latencies = {"best": 30.0, "quick": 5.0, "slow": 20.0}
    assert [*fast_enough(blend_of, latencies, 40.0).weights] == ["best", "quick"]
    assert asked == [["best", "quick", "slow"], ["best", "quick"]]
    assert fast_enough(blend_of, latencies, 31.0) is None, "the best alone is not slower than the bound"


@pytest.mark.parametrize(("bound", "family", "latency"), [(12.0, "vote", 11.0), (10.0, "ridge", None)])
def test_an_average_takes_its_members_times_together(make_spec, features, bound, family, latency):
    draw, count = np.random.default_rng(0), 3_000
    truth = draw.normal(size=count)
    rows = LabelledRows(pd.DataFrame({"a": truth, "b": truth}), pd.Series(truth, name="y"))
    cut = [Fold(np.array([0]), part) for part in np.array_split(np.arange(count), 3)]
    spec = make_spec("regression", tuning={"max_latency_ms": bound})
    predicted = [truth + 0.5 * draw.normal(size=count) for _ in range(2)]
    finished = [
        Finished(-0.5, number, name, {}, Measurement("complete", 0.5, predicted=predicted[number], latency_ms=ms))
        for number, (name, ms) in enumerate({"ridge": 4.0, "lightgbm": 7.0}.items())
    ]
    best = BestHyperparameters(
        family="ridge", parameters={}, metric="rmse", direction="minimize", searched=True, stopped_by="n_trials", seed=1
    )
    found = averaged(best, finished, TrialInputs(rows, features, cut, (), spec))
    assert (found.family, found.latency_ms) == (family, latency)


def test_a_journal_keeps_the_time():
    record = TrialRecord(number=0, state="too_slow", family="lightgbm", parameters={}, latency_ms=51.0)
    entry = decoded(encoded(JournalEntry(record, Measurement("too_slow", latency_ms=51.0), ())))
    assert entry.record.latency_ms == entry.measured.latency_ms == 51.0


class TooSlow:
    """Trials of 10 s each that all end as too slow, by a clock of their own."""

    def __init__(self):
        self.now, self.running = 0.0, []

    @property
    def is_free(self):
        return not self.running

    def start(self, number, family, parameters, report):
        self.running = [(number, Measurement("too_slow", latency_ms=9.0))]

    def wait(self, until):
        self.now = min(self.now + 10.0, until)
        ended, self.running = self.running, []
        return ended

    def stop(self, number):
        raise AssertionError


def test_the_time_bound_holds_where_every_model_is_too_slow(make_spec, monkeypatch):
    slow = TooSlow()
    model = {"candidates": ["lightgbm", "logistic_regression"]}
    spec = make_spec(model=model, tuning={"timeout": 60.0, "n_trials": 1_000, "max_latency_ms": 1})
    monkeypatch.setattr(study_run, "time", SimpleNamespace(monotonic=lambda: slow.now))
    records, end = StudyRun(Candidates.of(spec), slow, TimeBound(60.0, began=0.0), None).run()
    assert (end, slow.now, len(records)) == ("timeout", 60.0, 6)
