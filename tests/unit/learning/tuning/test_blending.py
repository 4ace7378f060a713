"""An average of families: chosen where it is better on rows on which its weights were not found, never else."""

import numpy as np
import pandas as pd
import pytest

from assay.learning.estimators.assembly import build_pipeline
from assay.learning.estimators.ensembles import family_of, model_with, vote_parameters
from assay.learning.estimators.family import family
from assay.learning.evaluation.metrics import metric
from assay.learning.evaluation.predictions import Predictions
from assay.learning.splitting import LabelledRows
from assay.learning.tuning.blending import Finalist, blended
from assay.learning.tuning.search import find_best_hyperparameters
from assay.specs.learning import parameters_of
from assay.specs.pipeline import Task

LOG_LOSS = metric("log_loss", Task.BINARY)
RMSE = metric("rmse", Task.REGRESSION)
N = 3000
PARTS = np.repeat(np.arange(3), N // 3)


def numbers(*errors, seed=0):
    """Predictions of a number, each with errors of its own."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=N)
    found = [Predictions(truth + error * random.normal(size=N), None, ()) for error in errors]
    return truth, [Finalist(f"model_{position}", each) for position, each in enumerate(found)]


def probabilities(*errors, seed=0):
    random = np.random.default_rng(seed)
    signal = random.normal(size=N)
    truth = np.where(random.random(N) < 1 / (1 + np.exp(-2 * signal)), "yes", "no").astype(object)
    found = []
    for position, error in enumerate(errors):
        share = 1 / (1 + np.exp(-2 * (signal + error * random.normal(size=N))))
        both = np.column_stack([1 - share, share])
        labels = np.array(["no", "yes"], dtype=object)[both.argmax(axis=1)]
        found.append(Finalist(f"model_{position}", Predictions(labels, both, ("no", "yes"))))
    return truth, found


def test_models_with_errors_of_their_own_are_averaged():
    truth, finalists = numbers(0.5, 0.5)
    blend = blended(finalists, truth, PARTS, RMSE, groups=None, seed=1)
    assert blend.weights == pytest.approx({"model_0": 0.5, "model_1": 0.5}, abs=0.1)
    assert blend.value == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert blend.gain == pytest.approx(0.5 - 0.5 / np.sqrt(2), rel=0.1)


def test_the_better_model_weighs_more():
    truth, finalists = numbers(0.5, 1.0)
    blend = blended(finalists, truth, PARTS, RMSE, groups=None, seed=1)
    assert blend.weights["model_0"] == pytest.approx(0.8, abs=0.1), "weights by 1 / variance"
    assert sum(blend.weights.values()) == 1.0


def test_probabilities_are_averaged():
    truth, finalists = probabilities(1.0, 1.0, 1.0)
    blend = blended(finalists, truth, PARTS, LOG_LOSS, groups=None, seed=1)
    assert len(blend.weights) == 3
    assert sum(blend.weights.values()) == pytest.approx(1.0, abs=1e-12)
    assert blend.gain > 0.02


def test_equal_models_are_not_averaged():
    truth, (first, _) = numbers(0.5, 0.5)
    twin = Finalist("twin", first.predictions)
    assert blended([first, twin], truth, PARTS, RMSE, groups=None, seed=1) is None


def test_a_model_without_skill_is_no_member():
    truth, finalists = numbers(0.1, 5.0)
    assert blended(finalists, truth, PARTS, RMSE, groups=None, seed=1) is None


def test_at_most_four_are_members():
    truth, finalists = numbers(*[0.5] * 7)
    blend = blended(finalists, truth, PARTS, RMSE, groups=None, seed=1)
    assert len(blend.weights) == 4
    assert sum(blend.weights.values()) == 1.0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_member_of_little_weight_is_left_out(seed):
    """The third model is chosen in one bag of five, for a weight of 0.02 or 0.03."""
    truth, finalists = numbers(0.5, 0.52, 1.8, seed=seed)
    assert blended(finalists, truth, PARTS, RMSE, groups=None, seed=seed).weights.keys() == {"model_0", "model_1"}


def test_noise_is_not_taken_for_a_gain():
    """Models that differ by noise about the same error: an average that is as good is chosen in few tables."""
    chosen = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        truth = random.normal(size=300)
        common = truth + 0.5 * random.normal(size=300)
        finalists = [
            Finalist(name, Predictions(common + 0.01 * random.normal(size=300), None, ())) for name in ("one", "two")
        ]
        finalists.sort(key=lambda each: float(np.mean((each.predictions.labels - truth) ** 2)))
        chosen += blended(finalists, truth, np.arange(300) % 3, RMSE, groups=None, seed=seed) is not None
    assert chosen <= 6


def test_weights_are_judged_on_other_rows_than_they_were_found_on():
    """Each part's errors favour another model: weights found on the whole would seem better than they are."""
    random = np.random.default_rng(0)
    truth = random.normal(size=N)
    labels = [truth.copy() for _ in range(3)]
    for part in range(3):
        for position in range(3):
            error = 0.1 if position == part else 1.0
            labels[position][part == PARTS] += error * random.normal(size=N // 3)
    finalists = [Finalist(f"model_{position}", Predictions(each, None, ())) for position, each in enumerate(labels)]
    blend = blended(finalists, truth, PARTS, RMSE, groups=None, seed=1)
    assert np.sqrt(np.mean((np.mean(labels, axis=0) - truth) ** 2)) == pytest.approx(np.sqrt(2) / 3, rel=0.05)
    assert blend.value > 1.1 * np.sqrt(2) / 3, "what was found on other parts is worse on this one"


def test_groups_are_resampled_whole():
    """With ten groups nothing is sure that 3,000 rows would prove."""
    random = np.random.default_rng(0)
    truth, groups = random.normal(size=N), np.arange(N) % 10
    first = random.normal(size=10)
    shifts = (first, first + 0.8 * random.normal(size=10))
    finalists = [Finalist(f"model_{k}", Predictions(truth + shift[groups], None, ())) for k, shift in enumerate(shifts)]
    finalists.sort(key=lambda each: float(np.mean((each.predictions.labels - truth) ** 2)))
    by_rows = blended(finalists, truth, PARTS, RMSE, groups=None, seed=1)
    by_groups = blended(finalists, truth, PARTS, RMSE, groups=groups, seed=1)
    assert by_rows is not None
    assert by_groups is None


@pytest.fixture
def search(make_spec, features):
    """Search over rows that are partly a line and partly steps, so that each family has errors of its own."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame({"a": random.normal(size=900), "b": random.normal(size=900)})
    target = 2 * frame["a"] + 0.8 * (np.sin(3 * frame["b"]) > 0) + 0.3 * random.normal(size=900)
    rows = LabelledRows(frame, target.rename("y"))

    def run(**parts):
        tuning = {"n_trials": 3, "folds": 3, "default_space": False, **parts.pop("tuning", {})}
        model = {"candidates": ["ridge", "lightgbm"], "hyperparameters": {"lightgbm": {"n_estimators": 25}}}
        spec = make_spec("regression", **{"model": model, "tuning": tuning, **parts})
        return spec, rows, find_best_hyperparameters(rows, spec, features=features, groups=None, classes=())

    return run


def test_a_search_ends_with_the_average_and_its_model_predicts_it(search, features):
    spec, rows, best = search()
    alone = min(trial.value for trial in best.trials)
    assert best.family == "vote"
    assert best.value < alone
    assert best.ensemble_gain > 0
    values = {trial.family: trial.value for trial in best.trials}
    assert {row["family"]: row["rmse"] for row in best.members()} == values
    assert sum(row["weight"] for row in best.members()) == 1.0
    weights = {name: best.parameters[f"weight.{name}"] for name in ("ridge", "lightgbm")}
    model = model_with(spec.model, best.family, best.parameters)
    used = spec.model_copy(update={"model": model})
    fitted = build_pipeline(family_of("vote", spec.task, model), best.parameters, features, used)
    predicted = fitted.fit(rows.features, rows.target).predict(rows.features)
    parts = {
        name: build_pipeline(family(name, spec.task), given, features, spec)
        .fit(rows.features, rows.target)
        .predict(rows.features)
        for name, given in (("ridge", {}), ("lightgbm", {"n_estimators": 25}))
    }
    np.testing.assert_allclose(predicted, sum(weights[name] * parts[name] for name in parts), rtol=1e-9)


def test_members_are_the_best_trials_of_their_families(search):
    space = {"alpha": {"type": "float", "low": 1e-3, "high": 1e4, "log": True}}
    ranges = space | {"num_leaves": {"type": "int", "low": 2, "high": 40}}
    _, _, best = search(tuning={"n_trials": 12, "search_space": ranges, "default_space": False})
    assert best.family == "vote"
    for row in best.members():
        trials = [trial for trial in best.trials if trial.family == row["family"] and trial.state == "complete"]
        first = min(trials, key=lambda trial: trial.value)
        assert row["rmse"] == first.value
        assert parameters_of(row["family"], best.parameters) == first.parameters
        assert len({trial.value for trial in trials}) > 1


@pytest.mark.parametrize(
    "parts",
    [
        {"tuning": {"ensemble": False}},
        {"training": {"scenario": "incremental"}},
        {"model": {"candidates": ["ridge", "lightgbm"], "vote": ["ridge", "random_forest"]}},
    ],
)
def test_one_family_is_chosen_where_no_average_is_asked_for(search, parts):
    _, _, best = search(**parts)
    assert best.family in {"ridge", "lightgbm"}
    assert best.ensemble_gain is None


def test_a_votes_hyperparameters_are_the_members_own():
    found = vote_parameters({"lightgbm": 0.6, "ridge": 0.4}, {"lightgbm": {"num_leaves": 7}, "ridge": {}, "other": {}})
    assert found == {"lightgbm.num_leaves": 7, "weight.lightgbm": 0.6, "weight.ridge": 0.4}
