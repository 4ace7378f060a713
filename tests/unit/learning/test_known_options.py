"""Options of training that do not fit are refused when the file is loaded, with the nearest remedy."""

import pytest

from assay.learning.known_names import name_check

MONOTONE = {"constraints": {"monotone": {"size": "increasing"}}}


def refusals(spec):
    return [(".".join(map(str, location)), error) for location, error in name_check()(spec)]


@pytest.mark.parametrize(
    ("task", "training", "parts", "where", "says"),
    [
        ("regression", {"class_weight": "balanced"}, {}, "training.class_weight", "sample_weight"),
        ("regression", {"calibration": "isotonic"}, {}, "training.calibration", "no probabilities"),
        ("multiclass_classification", {"threshold": 0.3}, {}, "training.threshold", "class_weight"),
        ("binary_classification", {"target_transform": "log"}, {}, "training.target_transform", "remove it"),
        ("binary_classification", {"interval": 0.9}, {}, "training.interval", "calibration"),
        ("regression", {"interval": 0.9, "scenario": "incremental"}, {}, "training.interval", "scenario: full"),
        ("binary_classification", {"sample_weight": "y"}, {}, "training.sample_weight", "another column"),
        (
            "regression",
            {"sample_weight": "w"},
            {"model": {"candidates": ["knn"]}},
            "training.sample_weight",
            "remove knn",
        ),
        (
            "binary_classification",
            {"class_weight": "balanced"},
            {"model": {"candidates": ["lightgbm"], "hyperparameters": {"lightgbm": {"is_unbalance": True}}}},
            "training.class_weight",
            "remove training.class_weight, or is_unbalance",
        ),
        (
            "regression",
            MONOTONE,
            {"model": {"candidates": ["ridge", "lightgbm"]}},
            "training.constraints",
            "catboost, hist_gradient_boosting, lightgbm, xgboost",
        ),
        (
            "regression",
            {"constraints": {"interactions": [["size"]]}},
            {"model": {"candidates": ["catboost"]}},
            "training.constraints",
            "hist_gradient_boosting, lightgbm, xgboost",
        ),
        ("regression", MONOTONE, {"model": {"stack": ["lightgbm", "xgboost"]}}, "training.constraints", "a vote"),
        ("multiclass_classification", MONOTONE, {}, "training.constraints.monotone", "two classes of the target"),
        (
            "regression",
            MONOTONE,
            {"preprocessing": {"steps": [{"columns": ["size"], "step": "binning"}]}},
            "training.constraints",
            "preprocessing.steps",
        ),
        (
            "regression",
            MONOTONE,
            {"dataset": {"columns": {"size": {"role": "categorical"}}}},
            "training.constraints.monotone.size",
            "role numeric",
        ),
        (
            "regression",
            MONOTONE,
            {"dataset": {"columns": {"size": {"role": "ignored"}}}},
            "training.constraints.monotone.size",
            "role that makes it a feature",
        ),
    ],
)
def test_an_option_that_does_not_fit_is_refused(task, training, parts, where, says, make_spec):
    parts = {"model": {"candidates": ["lightgbm"]}, **parts}
    found = dict(refusals(make_spec(task, training=training, **parts)))
    assert where in found, found
    assert says in f"{found[where].expected} {found[where].remedy}"


def test_options_that_fit_pass(make_spec):
    training = {
        "sample_weight": "w",
        "class_weight": {"yes": 2.0},
        "calibration": "isotonic",
        "threshold": {"cost": {"false_positive": 1.0, "false_negative": 5.0}},
        **MONOTONE,
    }
    assert not refusals(make_spec(training=training, model={"candidates": ["lightgbm", "catboost"]}))
    assert not refusals(make_spec("regression", training={"target_transform": "log", "interval": 0.9}))


def test_an_option_passes_where_one_of_the_possible_tasks_has_it(make_spec):
    from assay.specs import Task

    spec = make_spec(training={"threshold": 0.3})
    assert not list(name_check(tasks=(Task.MULTICLASS, Task.BINARY))(spec))
    assert list(name_check(tasks=(Task.MULTICLASS,))(spec))
