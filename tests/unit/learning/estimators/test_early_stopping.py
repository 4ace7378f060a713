"""Boosters stop where the validation rows gain no more, and keep the rounds for the final fit."""

import numpy as np
import pytest

from assay.learning.estimators import early_stopping
from assay.learning.estimators.early_stopping import MOST_ROUNDS, PATIENCE, fit_stopped, least_gain
from assay.learning.estimators.family import FAMILIES, family
from assay.specs.pipeline import Task

BOOSTERS = [name for name, card in FAMILIES.items() if card.stopping is not None]
LABELS = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: (3, 5, 9)}


def noisy(task, rows=300, seed=0):
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, 4))
    signal = matrix[:, 0] + 0.5 * matrix[:, 1] + random.normal(size=rows)
    if not task.is_classification:
        return matrix, signal
    labels = np.array(LABELS[task], dtype=object if isinstance(LABELS[task][0], str) else None)
    return matrix, labels[np.digitize(signal, np.quantile(signal, np.linspace(0, 1, len(labels) + 1)[1:-1]))]


def stopped(name, task, train, validation, **parameters):
    chosen = family(name, task)
    model = chosen.build({"learning_rate": 0.2, **parameters}, seed=1, threads=1)
    rounds = fit_stopped(chosen.card.stopping, model, train, validation, is_classification=task.is_classification)
    return chosen, model, rounds


def answers(model, rows, task):
    return model.predict_proba(rows) if task.is_classification else model.predict(rows)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("name", BOOSTERS)
def test_a_stopped_model_predicts_as_one_fitted_with_the_rounds_that_it_found(name, task):
    train, validation = noisy(task), noisy(task, seed=1)
    chosen, model, rounds = stopped(name, task, train, validation)
    assert 1 <= rounds < MOST_ROUNDS / 4, "noise is learned soon"
    parameters = {"learning_rate": 0.2} | chosen.card.stopping.found([rounds])
    plain = chosen.build(parameters, seed=1, threads=1).fit(*train)
    np.testing.assert_allclose(
        answers(model, validation[0], task), answers(plain, validation[0], task), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_best_round_has_the_least_loss_on_the_validation_rows(name):
    train, validation = noisy(Task.REGRESSION), noisy(Task.REGRESSION, seed=1)
    chosen, _, rounds = stopped(name, Task.REGRESSION, train, validation)

    def loss(count):
        found = {"learning_rate": 0.2} | chosen.card.stopping.found([count])
        predicted = chosen.build(found, seed=1, threads=1).fit(*train).predict(validation[0])
        return float(np.mean((predicted - validation[1]) ** 2))

    assert loss(rounds) <= min(loss(max(1, rounds - 3)), loss(rounds + 3), loss(rounds + 20))


@pytest.mark.parametrize("name", BOOSTERS)
def test_validation_rows_of_a_class_without_training_rows_do_not_decide(name):
    (rows, labels), validation = noisy(Task.MULTICLASS), noisy(Task.MULTICLASS, seed=1)
    known = labels != 9
    _, model, rounds = stopped(name, Task.MULTICLASS, (rows[known], labels[known]), validation)
    assert rounds >= 1
    assert set(model.predict(validation[0])) <= {3, 5}


@pytest.mark.parametrize("name", BOOSTERS)
def test_rounds_that_the_pipeline_gives_are_kept(name):
    stopping = FAMILIES[name].stopping
    assert stopping.applies({"learning_rate": 0.1})
    assert not stopping.applies({stopping.rounds: 50})
    assert [stopping.applies({each: 1}) for each in stopping.given] == [False] * len(stopping.given)


def test_the_final_fit_gets_the_mean_of_the_folds_rounds():
    assert FAMILIES["lightgbm"].stopping.found([10, 20, 33]) == {"n_estimators": 21}
    assert FAMILIES["hist_gradient_boosting"].stopping.found([1, 2]) == {"max_iter": 2, "early_stopping": False}


def clear(seed=0):
    """Rows whose target is nearly a function of the features: the loss falls for thousands of rounds."""
    matrix = np.random.default_rng(seed).uniform(size=(400, 2))
    return matrix, 1000 * matrix[:, 0] + 500 * matrix[:, 1]


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_fit_ends_where_its_loss_falls_by_less_than_a_share_of_what_a_constant_loses(name, monkeypatch):
    train, validation = clear(), clear(seed=1)
    monkeypatch.setattr(early_stopping, "LEAST_GAIN", 0.0)
    _, _, without = stopped(name, Task.REGRESSION, train, validation)
    monkeypatch.setattr(early_stopping, "LEAST_GAIN", 0.003)
    _, model, rounds = stopped(name, Task.REGRESSION, train, validation)
    assert rounds < 0.8 * without
    assert np.mean((model.predict(validation[0]) - validation[1]) ** 2) < 0.1 * np.var(validation[1])


def test_the_least_gain_is_a_share_of_the_loss_of_a_constant():
    y, y_val = np.array([1.0, 3.0]), np.array([2.0, 4.0, 0.0])
    assert least_gain("l2", y, y_val) == pytest.approx(1e-5 * 8 / 3)
    halves, thirds = np.array(["a", "b"]), np.array(["a", "b", "b"])
    assert least_gain("binary_logloss", halves, thirds) == pytest.approx(1e-5 * np.log(2))
    assert least_gain("quantile", y, y_val) == 0.0, "any gain of another loss counts"


def test_small_gains_end_a_fit_after_the_patience_alone():
    gains = early_stopping._Gains(least=0.5)
    assert not any(gains.are_too_small(100.0 - number) for number in range(PATIENCE + 20))
    lowest = 100.0 - PATIENCE - 19
    said = [gains.are_too_small(lowest - 0.01 * number) for number in range(1, PATIENCE + 1)]
    assert said == [False] * (PATIENCE - 1) + [True]
    assert gains.best == 2 * PATIENCE + 20


def test_a_root_is_compared_by_its_square_whatever_the_library():
    y, y_val = np.array([0.0, 2000.0]), np.array([0.0, 2000.0])
    losses = [1000.0 - 0.05 * number for number in range(PATIENCE + 2)]
    root, square = early_stopping._Stops(y, y_val), early_stopping._Stops(y, y_val)
    assert (
        [root("rmse", loss) for loss in losses] == [square("l2", loss**2) for loss in losses] == [False] * len(losses)
    )
