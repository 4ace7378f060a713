"""The simpler of two families that are as good as each other is chosen, and no other."""

import numpy as np
import pandas as pd
import pytest

from assay.learning.splitting import LabelledRows
from assay.learning.tuning.candidates import may_choose_simpler
from assay.learning.tuning.search import find_best_hyperparameters

LINE, STEPS = "line", "steps"


@pytest.fixture
def search(make_spec, features):
    """Search over rows whose target is a line, which both families find, or has steps, which a line misses."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.normal(size=600), "b": random.normal(size=600)})

    def run(shape=LINE, task="regression", **parts):
        signal = frame["a"] if shape == LINE else 4.0 * (np.sin(3 * frame["b"]) > 0)
        target = signal + 1.5 * np.random.default_rng(4).normal(size=600)
        classes = ()
        if task != "regression":
            target, classes = pd.Series(np.where(target > target.median(), "yes", "no"), dtype=object), ("no", "yes")
        tuning = {"n_trials": 2, "default_space": False, "ensemble": False, **parts.pop("tuning", {})}
        spec = make_spec(task, **{"tuning": tuning, **parts})
        rows = LabelledRows(frame, target.rename("y"))
        return find_best_hyperparameters(rows, spec, features=features, groups=None, classes=classes)

    return run


def shrunk(alpha):
    """A line that misses the truth by little or by much, and a booster of few rounds that is as good or better."""
    return {
        "candidates": ["ridge", "lightgbm"],
        "hyperparameters": {"ridge": {"alpha": alpha}, "lightgbm": {"n_estimators": 40, "num_leaves": 7}},
    }


def alone(best, family):
    [trial] = [trial for trial in best.trials if trial.family == family]
    return trial.value


def test_a_family_that_is_hardly_better_gives_way_to_the_simpler_one(search):
    best = search(model=shrunk(250.0))
    assert best.family == "ridge"
    assert best.parameters == {"alpha": 250.0}
    assert best.value == alone(best, "ridge") > alone(best, "lightgbm")
    assert best.tie.family == "lightgbm"
    assert best.tie.difference > 0
    assert 0.4 < best.tie.share < 0.6
    assert best.tie_text == (
        f"lightgbm is better by {best.tie.difference:.2g} than ridge on all validation rows, and better in "
        f"{best.tie.share:.0%} of their resamples: the simpler family is chosen"
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"tuning": {"prefer_simpler": False}},
        {"training": {"scenario": "incremental"}},
        {"model": shrunk(300.0)},
    ],
)
def test_the_best_is_chosen_where_no_simpler_one_is_asked_for_or_as_good(search, parts):
    best = search(**{"model": shrunk(250.0), **parts})
    assert (best.family, best.tie) == ("lightgbm", None)


def test_probabilities_are_compared(search):
    model = {
        "candidates": ["logistic_regression", "lightgbm"],
        "hyperparameters": {"logistic_regression": {"C": 0.015}, "lightgbm": {"n_estimators": 20, "num_leaves": 4}},
    }
    best = search(task="binary_classification", model=model, evaluation={"primary_metric": "log_loss"})
    assert (best.family, best.tie.family) == ("logistic_regression", "lightgbm")


@pytest.mark.parametrize(("training", "expected"), [({}, True), ({"threshold": {"metric": "f1"}}, False)])
def test_labels_at_a_threshold_are_not_compared(make_spec, training, expected):
    spec = make_spec(model={"candidates": ["logistic_regression", "lightgbm"]}, training=training)
    assert may_choose_simpler(spec) is expected


def test_a_family_that_is_clearly_better_is_chosen(search):
    best = search(STEPS, model=shrunk(1.0))
    assert best.family == "lightgbm"
    assert best.tie is None
    assert best.tie_text == ""


def test_the_best_stays_where_it_is_the_simplest(search):
    best = search(model=shrunk(1.0))
    assert (best.family, best.tie) == ("ridge", None)


def test_an_ensemble_of_the_file_is_less_simple_than_its_members(search):
    model = {
        "candidates": ["vote", "ridge"],
        "vote": ["ridge", "lightgbm"],
        "hyperparameters": shrunk(300.0)["hyperparameters"],
    }
    best = search(model=model)
    assert {trial.family for trial in best.trials} == {"vote", "ridge"}
    assert best.family == "ridge" or best.tie is None
