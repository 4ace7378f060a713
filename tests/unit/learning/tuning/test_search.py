import json
import logging

import numpy as np
import optuna
import pandas as pd
import pytest

from assay.errors import LearningError, UnknownHyperparameterError, UnknownModelError
from assay.learning.estimators.assembly import build_pipeline
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.points import Points
from assay.learning.tuning.search import find_best_hyperparameters, unsearched_hyperparameters
from assay.learning.tuning.trials import TrialRunner
from assay.results.search_result import BestHyperparameters, TrialRecord

C_RANGE = {"type": "float", "low": 0.01, "high": 10.0, "log": True}
LEVELS = {"type": "categorical", "choices": [0.13, 0.3, 0.5]}
LINEAR_AND_BOOSTER = ["logistic_regression", "hist_gradient_boosting"]


@pytest.fixture
def search(make_spec, rows, features):
    def run(train=rows, progress=None, groups=None, **parts):
        parts.setdefault("model", {"candidates": ["logistic_regression"]})
        return find_best_hyperparameters(
            train, make_spec(**parts), features=features, groups=groups, classes=(False, True), progress=progress
        )

    return run


def without_seconds(best):
    return best.model_dump(exclude={"trials": {"__all__": {"seconds"}}})


def test_the_same_seed_gives_the_same_result(search):
    model = {"candidates": ["logistic_regression", "lightgbm"], "hyperparameters": {"n_estimators": 50}}
    tuning = {"n_trials": 8, "folds": 2}
    first, again = (search(model=model, tuning=tuning, training={"seed": 3}) for _ in range(2))
    assert without_seconds(first) == without_seconds(again)
    other = search(model=model, tuning=tuning, training={"seed": 4})
    assert without_seconds(other) != without_seconds(first)


def test_the_best_trial_is_the_result(search):
    best = search(tuning={"n_trials": 6, "search_space": {"C": C_RANGE}})
    complete = [record for record in best.trials if record.state == "complete"]
    assert best.value == max(record.value for record in complete)
    assert best.parameters == next(record.parameters for record in complete if record.value == best.value)
    assert (best.metric, best.direction, best.stopped_by, best.searched) == ("roc_auc", "maximize", "n_trials", True)
    assert [record.number for record in best.trials] == list(range(6))


def test_an_error_to_be_made_small_is_minimised(search):
    best = search(tuning={"n_trials": 6, "search_space": {"C": C_RANGE}}, evaluation={"primary_metric": "log_loss"})
    assert best.direction == "minimize"
    assert best.value == min(record.value for record in best.trials if record.state == "complete")


def test_each_candidate_starts_from_its_base_hyperparameters(search):
    model = {"candidates": LINEAR_AND_BOOSTER, "hyperparameters": {"C": 0.5, "learning_rate": 0.2, "max_iter": 30}}
    best = search(model=model, tuning={"n_trials": 2, "folds": 2})
    assert [record.family for record in best.trials] == LINEAR_AND_BOOSTER
    assert best.trials[0].parameters == {"C": 0.5, "max_iter": 30}
    assert best.trials[1].parameters["learning_rate"] == 0.2


def test_every_trial_is_inside_a_written_range_that_the_familys_default_is_outside_of(search):
    small = {"type": "float", "low": 1e-6, "high": 1e-4, "log": True}
    best = search(tuning={"n_trials": 3, "folds": 2, "search_space": {"C": small}})
    assert [1e-6 <= record.parameters["C"] <= 1e-4 for record in best.trials] == [True] * 3


def test_a_declared_range_binds_the_first_trial_and_a_familys_own_does_not(search):
    model = {"candidates": ["hist_gradient_boosting"], "hyperparameters": {"max_iter": 3}}
    narrow = {"type": "float", "low": 0.2, "high": 0.3}
    best = search(model=model, tuning={"n_trials": 4, "folds": 2, "search_space": {"learning_rate": narrow}})
    assert [0.2 <= record.parameters["learning_rate"] <= 0.3 for record in best.trials] == [True] * 4
    assert "l2_regularization" not in best.trials[0].parameters, "0, which no range by logarithm holds"
    assert all("l2_regularization" in record.parameters for record in best.trials[1:])


def test_every_trial_is_on_the_steps_of_a_written_range(search):
    steps = {
        "C": {"type": "float", "low": 0.5, "high": 2.0, "step": 0.5},
        "max_iter": {"type": "int", "low": 20, "high": 60, "step": 20},
    }
    best = search(tuning={"n_trials": 7, "folds": 2, "search_space": steps})
    assert {record.parameters["C"] for record in best.trials} <= {0.5, 1.0, 1.5, 2.0}
    assert {record.parameters["max_iter"] for record in best.trials} <= {20, 40, 60}


GRID = {
    "C": {"type": "categorical", "choices": [0.1, 1.0, 10.0]},
    "max_iter": {"type": "int", "low": 20, "high": 60, "step": 20},
}
STEPS = {
    "C": {"type": "float", "low": 0.1, "high": 0.7, "step": 0.1},
    "fit_intercept": {"type": "categorical", "choices": [True, False]},
}


def points_of(best):
    return [(record.family, *sorted(record.parameters.items())) for record in best.trials]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.full) for n in range(1, 4))])
@pytest.mark.parametrize(("space", "points"), [(GRID, 9), (STEPS, 14)])
def test_a_finite_space_is_tried_whole_and_no_point_twice(search, space, points, seed):
    tuning = {"n_trials": points, "folds": 2, "search_space": space}
    best = search(tuning=tuning, training={"seed": seed})
    assert len(set(points_of(best))) == points
    assert (best.stopped_by, best.early_end) == ("n_trials", "")


def test_a_search_ends_where_every_point_was_tried_and_says_so(search):
    candidates = ["logistic_regression", "own_parts:Guess"]
    best = search(model={"candidates": candidates}, tuning={"n_trials": 50, "folds": 2, "search_space": GRID})
    assert len(best.trials) == len(set(points_of(best))) == 10, "9 of the grid, and the model that takes none of it"
    assert [record.number for record in best.trials] == list(range(10))
    assert best.stopped_by == "exhausted"
    assert best.early_end == "the search ended after 10 trials: every point of the search space was tried"
    assert best.caution(candidates) == ""


def test_a_wide_space_is_not_tried_twice_at_a_point(search):
    space = {"max_iter": {"type": "int", "low": 20, "high": 20_000_000, "log": True}, "C": C_RANGE}
    best = search(tuning={"n_trials": 30, "folds": 2, "search_space": space})
    assert len(set(points_of(best))) == 30


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_where_a_study_proposes_one_point_alone_others_are_drawn(make_spec):
    space = {
        "C": {"type": "float", "low": 0.5, "high": 2.0},
        "max_iter": {"type": "int", "low": 1, "high": 10, "log": True},
    }
    spec = make_spec(model={"candidates": ["logistic_regression"]}, tuning={"search_space": space})
    stubborn = {"logistic_regression.C": 1.0, "logistic_regression.max_iter": 5}
    study = optuna.create_study(sampler=optuna.samplers.PartialFixedSampler(stubborn, optuna.samplers.RandomSampler()))
    points = Points(Candidates.of(spec), study)
    found = [points.propose() for _ in range(5)]
    values = [(parameters["C"], parameters["max_iter"]) for _, _, parameters in found]
    assert len(set(values)) == 5
    assert all(0.5 <= c <= 2.0 and 1 <= most <= 10 and isinstance(most, int) for c, most in values)


def test_a_familys_own_ranges_start_from_its_defaults(search):
    best = search(model={"candidates": ["hist_gradient_boosting"]}, tuning={"n_trials": 1, "folds": 2})
    assert "l2_regularization" not in best.trials[0].parameters, "its default of 0 is no number of the log range"


@pytest.mark.parametrize(
    ("trials", "caution"),
    [
        (1, "after 1 trials of 2 candidates: each was tried once, from its base values, and lightgbm not at all"),
        (2, "after 2 trials of 2 candidates: each was tried once, from its base values; raise tuning.n_trials"),
        (3, ""),
    ],
)
def test_a_search_that_ends_with_the_first_trials_says_so(search, trials, caution):
    candidates = ["logistic_regression", "lightgbm"]
    best = search(model={"candidates": candidates}, tuning={"n_trials": trials, "folds": 2})
    assert caution in best.caution(candidates)
    assert bool(caution) == bool(best.caution(candidates))


def test_without_tuning_the_first_candidate_keeps_its_base_values(search):
    model = {"candidates": ["lightgbm", "logistic_regression"], "hyperparameters": {"num_leaves": 7}}
    best = search(model=model, tuning={"enabled": False})
    assert (best.family, best.parameters, best.stopped_by) == ("lightgbm", {"num_leaves": 7}, "disabled")
    assert (best.searched, best.trials, best.value) == (False, (), None)


def test_one_candidate_with_nothing_to_vary_is_not_searched(search):
    best = search(tuning={"default_space": False})
    assert (best.stopped_by, best.searched) == ("empty_space", False)


@pytest.mark.parametrize(
    ("tuning", "stopped_by"), [({"enabled": False}, "disabled"), ({"default_space": False}, "empty_space"), ({}, None)]
)
def test_what_needs_no_search_is_known_without_rows(make_spec, tuning, stopped_by):
    settled = unsearched_hyperparameters(make_spec(model={"candidates": ["logistic_regression"]}, tuning=tuning))
    assert (settled and settled.stopped_by) == stopped_by


def test_a_refused_base_value_is_known_without_rows(make_spec):
    model = {"candidates": ["logistic_regression"], "hyperparameters": {"C": -1}}
    with pytest.raises(LearningError, match="refuses its hyperparameters"):
        unsearched_hyperparameters(make_spec(model=model, tuning={"enabled": False}))


def test_candidates_with_nothing_to_vary_are_each_measured_once(search):
    model = {"candidates": ["logistic_regression", "own_parts:Guess"]}
    best = search(model=model, tuning={"default_space": False, "n_trials": 20})
    assert [record.family for record in best.trials] == ["logistic_regression", "own_parts:Guess"]
    assert best.stopped_by == "empty_space"
    assert best.family == "logistic_regression"


def test_a_trial_that_raises_is_recorded_and_the_search_goes_on(search):
    tuning = {"n_trials": 12, "search_space": {"level": LEVELS}}
    best = search(model={"candidates": ["own_parts:Guess"]}, tuning=tuning, evaluation={"primary_metric": "log_loss"})
    failed = [record for record in best.trials if record.state == "failed"]
    assert failed
    assert {(record.value, record.reason) for record in failed} == {(None, "RuntimeError: unlucky level")}
    assert best.parameters["level"] in {0.3, 0.5}


def test_a_metric_without_a_value_fails_the_trial_with_the_reason(search, own_parts):
    own_parts.undefined = lambda truth, predicted: float("nan")
    primary = {"path": "own_parts:undefined", "greater_is_better": True}
    with pytest.raises(LearningError, match="all 2 trials") as caught:
        search(tuning={"n_trials": 2, "folds": 2}, evaluation={"primary_metric": primary})
    assert "own_parts:undefined on fold 1" in caught.value.found


def test_when_all_trials_fail_the_distinct_reasons_are_listed(search):
    tuning = {"n_trials": 3, "search_space": {"level": {"type": "categorical", "choices": [0.13]}}}
    with pytest.raises(LearningError, match="all 1 trials of the search failed") as caught:
        search(model={"candidates": ["own_parts:Guess"], "hyperparameters": {"level": 0.13}}, tuning=tuning)
    assert caught.value.found == "own_parts:Guess: RuntimeError: unlucky level"


def test_a_searched_value_that_the_model_refuses_fails_the_trial_only(search):
    best = search(tuning={"n_trials": 12, "search_space": {"C": {"type": "float", "low": -5.0, "high": 5.0}}})
    refused = [record for record in best.trials if record.state == "failed"]
    assert refused
    assert all("'C' parameter" in record.reason and record.parameters["C"] <= 0 for record in refused)


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"model": {"candidates": ["logistic_regresion"]}}, UnknownModelError),
        ({"model": {"candidates": ["logistic_regression"], "hyperparameters": {"CC": 1}}}, UnknownHyperparameterError),
        ({"model": {"candidates": ["logistic_regression"], "hyperparameters": {"C": -1}}}, LearningError),
        ({"tuning": {"search_space": {"CC": C_RANGE}}}, UnknownHyperparameterError),
    ],
)
def test_what_the_user_got_wrong_is_reported_before_any_trial(search, parts, error, monkeypatch):
    monkeypatch.setattr(TrialRunner, "measure", None)
    with pytest.raises(error):
        search(**parts)


def test_preprocessing_never_sees_validation_rows(search, rows, own_parts):
    steps = [{"step": "own_parts:Spy", "columns": ["a", "b"]}]
    search(preprocessing={"steps": steps}, tuning={"n_trials": 4, "folds": 3, "search_space": {"C": C_RANGE}})
    dry_run, *fits = own_parts.Spy.fitted_on
    assert len(dry_run) == 40, "a few rows of each class, before the search; nothing of it is kept"
    assert len(fits) == 3, "one fit a fold, shared by all trials"
    seen_by_all = set(fits[0]) & set(fits[1]) & set(fits[2])
    assert [len(fit) for fit in fits] == [100, 100, 100]
    assert not seen_by_all
    assert set().union(*fits) == set(rows.features["a"])


def test_by_time_preprocessing_sees_the_earlier_partitions_only(search, rows, own_parts):
    partitions = np.array(["2024-01"] * 100 + ["2024-02"] * 50, dtype=object)
    search(
        preprocessing={"steps": [{"step": "own_parts:Spy", "columns": ["a", "b"]}]},
        split={"by": "time", "train_partitions": 2},
        dataset={"partitions": {"by": "month", "start": "2024-01"}},
        tuning={"n_trials": 2, "search_space": {"C": C_RANGE}},
        groups=partitions,
    )
    dry_run, *fits = own_parts.Spy.fitted_on
    assert len(dry_run) == 40
    assert fits == [rows.features["a"][:100].tolist()]


def test_an_encoding_of_the_target_does_not_leak_validation_rows(search, features):
    draw = np.random.default_rng(0)
    identifiers = pd.DataFrame({"a": np.arange(200.0), "b": np.zeros(200)})
    noise = LabelledRows(identifiers, pd.Series(draw.random(200) > 0.5))
    steps = [{"step": "target_encoder", "columns": ["a"], "parameters": {"smooth": 0.0}}]
    best = search(train=noise, preprocessing={"steps": steps}, tuning={"n_trials": 2, "search_space": {"C": C_RANGE}})
    assert best.value == pytest.approx(0.5, abs=0.12)


def test_weak_trials_are_pruned_before_their_last_fold(search):
    best = search(tuning={"n_trials": 25, "folds": 5, "search_space": {"C": C_RANGE | {"low": 1e-6}}})
    pruned = [record for record in best.trials if record.state == "pruned"]
    assert pruned
    assert all(record.value is None and "below the median" in record.reason for record in pruned)


def test_progress_is_called_for_each_trial_as_it_ends(search):
    reported = []
    best = search(tuning={"n_trials": 4, "search_space": {"C": C_RANGE}}, progress=reported.append)
    assert tuple(reported) == best.trials


def test_optunas_log_is_quiet_during_the_search_and_as_it_was_after(search, capsys):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    search(tuning={"n_trials": 2})
    assert optuna.logging.get_verbosity() == logging.INFO
    assert capsys.readouterr().err == ""


def test_a_regression_is_searched_by_its_own_metric(search, rows):
    train = LabelledRows(rows.features, rows.features["a"] * 2.0)
    best = search(train=train, task="regression", model={"candidates": ["ridge"]}, tuning={"n_trials": 3})
    assert best.direction == "minimize"
    assert best.family == "ridge"


def test_boosters_find_their_rounds_on_the_folds(search):
    candidates = ["xgboost", "lightgbm", "hist_gradient_boosting"]
    best = search(model={"candidates": candidates}, tuning={"n_trials": 3, "folds": 2})
    rounds = {"hist_gradient_boosting": "max_iter"}
    found = [record.parameters[rounds.get(record.family, "n_estimators")] for record in best.trials]
    assert len(found) == 3
    assert all(isinstance(each, int) and 1 <= each < 300 for each in found)


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"candidates": ["lightgbm"], "hyperparameters": {"n_estimators": 7}}},
        {
            "model": {"candidates": ["lightgbm"]},
            "tuning": {
                "n_trials": 3,
                "folds": 2,
                "search_space": {"n_estimators": {"type": "int", "low": 7, "high": 8}},
            },
        },
    ],
)
def test_rounds_that_the_pipeline_bounds_stay_in_its_bounds(search, parts):
    best = search(**{"tuning": {"n_trials": 3, "folds": 2}, **parts})
    assert {record.parameters["n_estimators"] for record in best.trials} <= {7, 8}


def test_cheap_families_are_tried_first_whatever_the_files_order(search):
    candidates = ["random_forest", "own_parts:Guess", "lightgbm", "logistic_regression"]
    best = search(model={"candidates": candidates}, tuning={"n_trials": 4, "folds": 2})
    order = ["logistic_regression", "lightgbm", "random_forest", "own_parts:Guess"]
    assert [record.family for record in best.trials] == order


def test_a_family_of_which_no_trial_ended_is_named():
    def trial(number, family, state):
        value = 0.7 if state == "complete" else None
        return TrialRecord(number=number, state=state, family=family, parameters={}, value=value)

    facts = {
        "family": "ridge",
        "parameters": {},
        "metric": "rmse",
        "direction": "minimize",
        "searched": True,
        "seed": 1,
    }
    trials = (trial(0, "ridge", "complete"), trial(1, "forest", "stopped"), trial(2, "ridge", "complete"))
    best = BestHyperparameters(**facts, stopped_by="timeout", trials=(*trials, trial(3, "ridge", "stopped")))
    assert best.caution(["ridge", "forest", "boosting"]) == (
        "the search ended by timeout after 4 trials: it tried boosting not at all and forest not to the end of a trial; "
        "raise tuning.timeout"
    )
    exhausted = BestHyperparameters(**facts, stopped_by="exhausted", trials=trials)
    assert "forest not to the end" in exhausted.caution(["ridge", "forest"])
    assert best.caution(["ridge"]) == exhausted.caution(["ridge"]) == ""


TAILS = [{"name": "tails", "clip": {"x": {"quantiles": [0.0, 1.0]}}}, {"outliers": {"x": {"iqr": 3.0}}}]
SEARCHED = {
    "features.tails.x.lower": {"type": "float", "low": 0.0, "high": 0.2, "step": 0.1},
    "features.1.x.iqr": {"type": "float", "low": 1.0, "high": 3.0, "step": 1.0},
}


def test_bounds_of_fitted_steps_are_searched_and_built_in(search, make_spec, rows, features):
    model = {"candidates": ["logistic_regression"]}
    tuning = {"n_trials": 6, "folds": 2, "search_space": SEARCHED, "default_space": False}
    parts = {"model": model, "tuning": tuning, "features": {"steps": TAILS}}
    name = next(column.name for column in features.columns if column.role == "numeric")
    text = json.dumps(parts).replace('"x"', f'"{name}"').replace(".x.", f".{name}.")
    best = search(**json.loads(text))
    tried = {tuple(record.parameters[key] for key in sorted(record.parameters)) for record in best.trials}
    assert len(tried) == 6
    assert best.trials[0].parameters == {f"features.tails.{name}.lower": 0.0, f"features.1.{name}.iqr": 3.0}
    spec = make_spec(**json.loads(text))
    found = {f"features.tails.{name}.lower": 0.1, f"features.1.{name}.iqr": 2.0}
    family = Candidates.of(spec).families["logistic_regression"]
    steps = build_pipeline(family, found, features, spec).named_steps["preprocessing"].steps
    assert [step["columns"][name] for step in steps] == [{"quantiles": [0.1, 1.0]}, {"iqr": 2.0}]
