"""CatBoost in scikit-learn's form: labels, native categories, and a state without pickle or the time."""

import numpy as np
import pandas as pd
import pytest

from assay.learning.estimators.catboost_models import StoredCatBoostClassifier, StoredCatBoostRegressor
from assay.learning.estimators.scaled_targets import ScaledMLPRegressor

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 3))
SIGNAL = ROWS[:, 0] + 0.1 * RANDOM.normal(size=120)


@pytest.mark.parametrize("labels", [("no", "yes"), (False, True), (3, 5, 9), (0.5, 2.5)])
def test_labels_are_given_back_as_they_are(labels):
    y = np.array(labels)[np.digitize(SIGNAL, np.quantile(SIGNAL, np.linspace(0, 1, len(labels) + 1)[1:-1]))]
    model = StoredCatBoostClassifier(iterations=20).fit(ROWS, y)
    assert (model.classes_.tolist(), model.predict(ROWS).dtype) == (list(labels), y.dtype)
    assert model.predict_proba(ROWS).shape == (120, len(labels))
    assert np.mean(model.predict(ROWS) == y) > 0.8


def test_the_state_is_the_librarys_format_without_the_time_of_the_fit():
    first, again = (StoredCatBoostRegressor(iterations=5, random_state=3).fit(ROWS, SIGNAL) for _ in range(2))
    assert first.model_ == again.model_
    assert first.model_[:4] == b"CBM1"
    facts = first.booster().get_metadata()
    assert {facts.get(name, "") for name in ("train_finish_time", "model_guid")} == {""}
    assert "_loaded" not in first.__getstate__()


def test_columns_of_categories_are_taken_natively():
    """Categories in an order that has nothing to do with the target: no threshold of few trees finds them."""
    codes = RANDOM.integers(0, 40, size=2000)
    effect = RANDOM.permutation(np.repeat([0.0, 1.0], 20))
    frame = pd.DataFrame({"code": pd.Categorical(codes, categories=range(40)), "noise": RANDOM.normal(size=2000)})
    native = StoredCatBoostRegressor(iterations=5, depth=2, learning_rate=0.5).fit(frame, effect[codes])
    plain = StoredCatBoostRegressor(iterations=5, depth=2, learning_rate=0.5).fit(frame.astype(float), effect[codes])
    errors = [
        np.mean((each - effect[codes]) ** 2) for each in (native.predict(frame), plain.predict(frame.astype(float)))
    ]
    assert errors[0] < 0.5 * errors[1]


def test_a_fit_goes_on_from_another_without_changing_it():
    first = StoredCatBoostRegressor(iterations=5).fit(ROWS, SIGNAL)
    before = first.model_
    assert StoredCatBoostRegressor(iterations=7).fit(ROWS, SIGNAL, begun=first).rounds_ == 12
    assert first.model_ == before


def test_a_neural_network_predicts_targets_of_any_scale():
    target = 200_000 + 50_000 * SIGNAL
    model = ScaledMLPRegressor(random_state=0, max_iter=200).fit(ROWS, target)
    assert 1 - np.mean((model.predict(ROWS) - target) ** 2) / np.var(target) > 0.8
    assert ScaledMLPRegressor(random_state=0).fit(ROWS, np.full(120, 7.0)).scale_ == 1.0
