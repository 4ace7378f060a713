"""Samplers and pruners by name: each searches, repeats by its seed, and says what it needs."""

from importlib.util import find_spec

import pytest
from memory_journal import Killed, KilledAfter, MemoryJournal

from assay.learning.tuning import samplers
from assay.learning.tuning.samplers import SAMPLERS, new_study, sampler_errors
from assay.learning.tuning.search import find_best_hyperparameters

NUMBERS = {
    "C": {"type": "float", "low": 0.01, "high": 10.0, "log": True},
    "l1_ratio": {"type": "float", "low": 0.0, "high": 0.5},
}
GRID = {
    "C": {"type": "categorical", "choices": [0.1, 1.0, 10.0]},
    "max_iter": {"type": "int", "low": 20, "high": 60, "step": 20},
}
LINEAR = {"candidates": ["logistic_regression"], "hyperparameters": {"solver": "saga", "max_iter": 60}}
ONE_EACH = [
    pytest.param(name, marks=pytest.mark.skipif(bool(kind.package) and find_spec(kind.package) is None, reason="extra"))
    for name, kind in SAMPLERS.items()
]


@pytest.fixture
def search(make_spec, rows, features):
    def run(journal=None, progress=None, **tuning):
        spec = make_spec(model=LINEAR, tuning={"folds": 3, "n_trials": 8, **tuning})
        known = {"features": features, "groups": None, "classes": (False, True)}
        return find_best_hyperparameters(rows, spec, progress=progress, journal=journal, **known)

    return run


def result(best):
    return best.model_dump(exclude={"trials": {"__all__": {"seconds"}}})


def complaints(make_spec, **parts):
    return [(location, str(error)) for location, error in sampler_errors(make_spec(**parts))]


@pytest.mark.parametrize("sampler", ONE_EACH)
def test_a_killed_search_ends_as_one_that_was_not_with_every_sampler(search, sampler):
    space = GRID if sampler == "grid" else NUMBERS
    journal, ran = KilledAfter(4), []
    with pytest.raises(Killed):
        search(journal, sampler=sampler, search_space=space)
    resumed = search(MemoryJournal(journal.kept), ran.append, sampler=sampler, search_space=space)
    assert result(resumed) == result(search(sampler=sampler, search_space=space))
    assert [record.number for record in ran] == [4, 5, 6, 7]


@pytest.mark.parametrize("sampler", ["random", "cma_es"])
def test_a_sampler_proposes_other_points_than_another(search, sampler):
    found, tpe = (search(sampler=each, search_space=NUMBERS, n_trials=12) for each in (sampler, "tpe"))
    assert [each.parameters for each in found.trials] != [each.parameters for each in tpe.trials]


def test_cma_es_proposes_every_number_of_a_familys_own_ranges_from_the_first_trial(make_spec, rows, features):
    model = {"candidates": ["lightgbm"], "hyperparameters": {"n_estimators": 5}}
    spec = make_spec(model=model, tuning={"sampler": "cma_es", "n_trials": 2, "folds": 2})
    known = {"features": features, "groups": None, "classes": (False, True)}
    best = find_best_hyperparameters(rows, spec, **known)
    assert [trial.parameters.keys() for trial in best.trials] == [best.trials[1].parameters.keys()] * 2
    assert "reg_lambda" in best.trials[0].parameters, "the library's own value, 0, is outside the range"


def test_a_grid_tries_each_point_once_and_ends(search):
    best = search(sampler="grid", search_space=GRID, n_trials=50)
    tried = [(each.parameters["C"], each.parameters["max_iter"]) for each in best.trials]
    assert sorted(tried) == [(c, n) for c in (0.1, 1.0, 10.0) for n in (20, 40, 60)]
    assert (best.stopped_by, best.grid_points, best.caution(["logistic_regression"])) == ("exhausted", 9, "")


def test_a_choice_written_as_a_whole_number_is_the_default_of_the_same_value(search):
    space = {"C": {"type": "categorical", "choices": [0.1, 1, 10]}}
    best = search(sampler="grid", search_space=space, n_trials=9)
    assert sorted(trial.parameters["C"] for trial in best.trials) == [0.1, 1, 10]


def test_a_grid_of_more_points_than_trials_is_said(search):
    best = search(sampler="grid", search_space=GRID, n_trials=4)
    caution = best.caution(["logistic_regression"])
    assert caution == "the grid has 9 points, of which 4 were tried; raise tuning.n_trials to try all"


@pytest.mark.parametrize(
    ("pruner", "some"), [("none", False), ("median", True), ("successive_halving", True), ("hyperband", True)]
)
def test_a_pruner_gives_trials_up_and_says_so(search, pruner, some):
    space = {"C": {"type": "float", "low": 1e-6, "high": 10.0, "log": True}}
    best = search(pruner=pruner, sampler="random", search_space=space, n_trials=14)
    given_up = [each for each in best.trials if each.state == "pruned"]
    assert bool(given_up) is some
    why = "below the median after fold" if pruner == "median" else f"given up by {pruner} after fold"
    assert all(each.reason.startswith(why) for each in given_up)


def test_hyperband_assigns_trials_to_its_brackets_by_the_pipelines_name_alone(make_spec):
    spec = make_spec(tuning={"pruner": "hyperband"})
    assert new_study(spec, parallel=False).study_name == new_study(spec, parallel=False).study_name == spec.name


@pytest.mark.parametrize(("sampler", "package"), [("cma_es", "cmaes"), ("gp", "torch")])
def test_a_sampler_whose_package_is_missing_is_refused(make_spec, monkeypatch, sampler, package):
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    parts = {"model": {"candidates": ["lightgbm"]}, "tuning": {"sampler": sampler}}
    ((location, text),) = complaints(make_spec, **parts)
    assert location == ("tuning", "sampler")
    assert f"needs the package {package}, which is not installed" in text
    assert "install" in text
    parts["tuning"]["enabled"] = False
    assert not complaints(make_spec, **parts), "nothing is searched"


@pytest.mark.parametrize("sampler", ["cma_es", "gp"])
def test_a_sampler_of_all_hyperparameters_together_is_refused_for_several_families(make_spec, monkeypatch, sampler):
    monkeypatch.setattr(samplers, "find_spec", lambda name: True)
    model = {"candidates": ["lightgbm", "xgboost"]}
    ((_, text),) = complaints(make_spec, model=model, tuning={"sampler": sampler})
    assert "those of several families differ" in text
    assert "lightgbm, xgboost" in text


def test_cma_es_without_two_ranges_of_numbers_is_refused(make_spec):
    one = {"sampler": "cma_es", "search_space": {"C": NUMBERS["C"]}}
    ((_, text),) = complaints(make_spec, model={"candidates": ["logistic_regression"]}, tuning=one)
    assert "at least 2 ranges of numbers" in text
    auto = {"model": {"candidates": ["ridge"]}, "task": "regression", "tuning": {"sampler": "cma_es"}}
    assert len(complaints(make_spec, **auto)) == 1, "its own space has one number"


def test_a_grid_over_a_range_without_step_is_refused(make_spec):
    ((_, text),) = complaints(make_spec, tuning={"sampler": "grid", "search_space": NUMBERS})
    assert "a grid needs countable values, and 'C' is a number from 0.01 to 10" in text
    ((_, text),) = complaints(make_spec, model={"candidates": ["random_forest"]}, tuning={"sampler": "grid"})
    assert "random_forest.max_features" in text
    assert not complaints(make_spec, tuning={"sampler": "grid", "search_space": GRID})
