"""When a search ends, and when a trial is stopped."""

import math
from types import SimpleNamespace

import pytest

from assay.learning.tuning import study_run
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.study_run import StudyRun
from assay.learning.tuning.time_bound import TimeBound
from assay.learning.tuning.trials import Measurement


def test_the_final_fit_keeps_its_time():
    bound = TimeBound(60.0, began=100.0)
    assert bound.end(0.0) == 160.0
    assert bound.end(10.0) == 148.0
    assert bound.end(1000.0) == 100.0, "never before the search began"


def test_a_trial_may_take_a_quarter():
    assert TimeBound(60.0, began=100.0).end_of_trial(130.0) == 145.0


def test_a_resumed_search_has_the_time_that_is_left():
    assert TimeBound(60.0, began=100.0).after(20.0).end(0.0) == 140.0


def test_without_a_bound_nothing_ends():
    bound = TimeBound(None)
    assert bound.end(10.0) == bound.end_of_trial(0.0) == math.inf


class Scripted:
    """Trials that take the seconds of their family, by a clock of their own."""

    def __init__(self, seconds, *, room=1, value=0.8, refit=0.0):
        self.now, self.seconds, self.room, self.value, self.refit = 0.0, seconds, room, value, refit
        self.running, self.stopped = {}, []

    @property
    def is_free(self):
        return len(self.running) < self.room

    def start(self, number, family, parameters, report):
        self.running[number] = (self.now + self.seconds[family.name], family.name)

    def wait(self, until):
        end, number = min((end, number) for number, (end, _) in self.running.items())
        self.now = min(end, until)
        if end > until:
            return []
        del self.running[number]
        return [(number, Measurement("complete", value=self.value, refit_seconds=self.refit))]

    def stop(self, number):
        self.stopped.append((self.now, self.running.pop(number)[1]))


@pytest.fixture
def searched(make_spec, monkeypatch):
    def run(trials, candidates, timeout, *, n_trials=1000, ensemble=False):
        spec = make_spec(
            model={"candidates": candidates, "hyperparameters": {}},
            tuning={"timeout": timeout, "n_trials": n_trials, "search_space": "auto", "ensemble": ensemble},
        )
        monkeypatch.setattr(study_run, "time", SimpleNamespace(monotonic=lambda: trials.now))
        return StudyRun(Candidates.of(spec), trials, TimeBound(timeout, began=0.0), None).run()

    return run


FAMILIES = ["random_forest", "lightgbm", "logistic_regression"]


def test_a_slow_family_is_stopped_after_a_quarter_and_left(searched):
    trials = Scripted({"random_forest": 500.0, "lightgbm": 1.0, "logistic_regression": 1.0})
    records, end = searched(trials, FAMILIES, 60.0)
    assert trials.stopped == [(2.0 + 15.0, "random_forest")]
    assert [record.state for record in records if record.family == "random_forest"] == ["stopped"]
    assert records[2].reason == "longer than tuning.timeout allows"
    assert end == "timeout"
    assert trials.now == 60.0


def test_what_runs_at_the_end_is_stopped(searched):
    trials = Scripted({"random_forest": 7.0, "lightgbm": 7.0, "logistic_regression": 2.0}, room=2)
    records, end = searched(trials, FAMILIES, 30.0)
    assert (end, trials.now) == ("timeout", 30.0)
    assert {moment for moment, _ in trials.stopped} == {30.0}
    assert [record.number for record in records] == list(range(len(records)))


def test_the_final_fits_time_is_left_by_the_search(searched):
    trials = Scripted(dict.fromkeys(FAMILIES, 1.0), refit=20.0)
    _, end = searched(trials, FAMILIES, 60.0)
    assert (end, trials.now) == ("timeout", 60.0 - 1.2 * 20.0)


@pytest.mark.parametrize(("refit", "end"), [(5.0, 60.0 - 1.2 * 15.0), (20.0, 60.0 - 1.2 * 35.0)])
def test_the_fits_of_an_average_are_left_a_quarter_of_the_time_at_most(searched, refit, end):
    trials = Scripted(dict.fromkeys(FAMILIES, 1.0), refit=refit)
    searched(trials, FAMILIES, 60.0, ensemble=True)
    assert trials.now == pytest.approx(end)


def test_the_first_trial_is_never_stopped(searched):
    trials = Scripted(dict.fromkeys(FAMILIES, 500.0))
    records, end = searched(trials, FAMILIES, 60.0)
    assert [(record.family, record.state) for record in records] == [("logistic_regression", "complete")]
    assert (end, trials.now, trials.stopped) == ("timeout", 500.0, [])


def test_without_a_bound_every_trial_is_finished(searched):
    trials = Scripted(dict.fromkeys(FAMILIES, 500.0))
    records, end = searched(trials, FAMILIES, None, n_trials=5)
    assert (end, len(records), trials.stopped) == ("n_trials", 5, [])
