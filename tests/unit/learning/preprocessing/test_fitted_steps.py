"""Steps of `features` that are fitted on training rows: what they find, what they change, and what they drop."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from assay.errors import FeatureStepError, SpecError
from assay.learning.estimators.assembly import build_pipeline, continue_fit, fitted_on_training_rows
from assay.learning.estimators.ensembles import family_of
from assay.learning.persistence import estimator_bytes, load_model, require_storable, save_model
from assay.learning.preprocessing.fitted_steps import FittedSteps, bounds_of
from assay.learning.training import train
from assay.learning.tuning.folds import Fold, FoldCache
from assay.learning.tuning.search import find_best_hyperparameters

CLIP = {"clip": {"signal": {"quantiles": [0.05, 0.95]}}}
OUTLIERS = {"outliers": {"signal": {"iqr": 1.0}}}
FILL = {"fill": {"noise": {"strategy": "median"}}}
NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=30)


def steps(kind, **columns):
    return FittedSteps([{"kind": kind, "title": kind, "columns": columns}], None, "y")


def of_spec(make_spec, *asked, task="regression", **parts):
    return make_spec(task, features={"steps": list(asked)}, **parts)


@given(NUMBERS, st.randoms(use_true_random=False), st.sampled_from([{"quantiles": (0.1, 0.8)}, {"iqr": 1.5}]))
@settings(max_examples=60, deadline=None)
def test_bounds_and_fills_of_rows_in_any_order_are_equal(numbers, random, asked):
    shuffled = random.sample(numbers, len(numbers))
    assert bounds_of(np.array(numbers), **asked) == bounds_of(np.array(shuffled), **asked)
    for strategy in ("mean", "median", "most_frequent"):
        fitted = []
        for values in (numbers, shuffled):
            fill = steps("fill", x={"strategy": strategy})
            fill.kept_rows(pd.DataFrame({"x": values}))
            fitted.append([each.overall_ for each in fill.fills_[0].values()])
        assert fitted[0] == fitted[1]


def test_bounds_are_quantiles_or_quartiles_with_room_beside_them():
    numbers = np.array([0.0, 1, 2, 3, 4, np.nan, np.inf])
    assert bounds_of(numbers, quantiles=(0.25, 1)) == [1.0, 4.0]
    assert bounds_of(numbers, iqr=1.5) == [1 - 3.0, 3 + 3.0]
    assert bounds_of(np.array([np.nan]), iqr=1.5) == [-np.inf, np.inf]


def test_clipping_and_filling_change_each_row_and_outliers_drop_none_that_is_predicted():
    rows = pd.DataFrame({"x": [0.0, 1, 2, 3, 100], "g": np.array(["a", "a", "b", "b", None], dtype=object)})
    clip = steps("clip", x={"quantiles": [0.25, 0.75]})
    clip.kept_rows(rows)
    assert clip.prepared(rows)["x"].tolist() == [1, 1, 2, 3, 3]
    drop = steps("outliers", x={"iqr": 1.5})
    assert drop.kept_rows(rows).tolist() == [True, True, True, True, False]
    assert drop.prepared(rows).equals(rows)
    assert drop.dropped_ == [{"step": "outliers", "column": "x", "rows_in": 5, "dropped": 1}]
    gaps = pd.DataFrame({"x": [1.0, np.nan, 3, np.nan, np.nan], "g": np.array(["a", "a", "b", "b", "c"], dtype=object)})
    fill = steps("fill", x={"strategy": "mean", "by": ["g"]}, g={"strategy": "most_frequent"})
    fill.kept_rows(gaps)
    assert fill.prepared(gaps)["x"].tolist() == [1, 1, 3, 3, 2]


def test_a_step_is_fitted_on_the_rows_that_those_before_it_leave():
    rows = pd.DataFrame({"x": [0.0, 1, 2, 3, 100], "z": [1.0, 1, 1, 1, 50]})
    asked = [
        {"kind": "outliers", "title": "drop", "columns": {"x": {"iqr": 1.5}}},
        {"kind": "clip", "title": "clip", "columns": {"z": {"quantiles": [0, 1]}}},
    ]
    found = FittedSteps(asked)
    found.kept_rows(rows)
    assert found.bounds_[1] == {"z": [1.0, 1.0]}
    assert found.prepared(rows)["z"].tolist() == [1.0] * 5


def test_rows_with_an_outlying_target_or_a_missing_value_are_dropped_and_kept():
    rows = pd.DataFrame({"x": [0.0, np.nan, 2, 3, 1]})
    drop = steps("outliers", y={"iqr": 1.5}, x={"quantiles": [0, 0.9]})
    assert drop.kept_rows(rows, np.array([1.0, 2, 3, 2, 99])).tolist() == [True, True, True, False, False]
    assert [each["dropped"] for each in drop.dropped_] == [1, 1]


@pytest.mark.parametrize("name", ["ridge", "lightgbm", "stack", "vote"])
def test_a_model_learns_from_the_kept_rows_alone_and_predicts_every_row(name, make_spec, make_split):
    split = make_split("regression", columns=("signal", "noise", "colour"))
    model = {name: ["ridge", "lightgbm"]} if name in {"stack", "vote"} else {"candidates": [name]}
    spec = of_spec(make_spec, OUTLIERS, CLIP, FILL, model=model)
    pipeline = build_pipeline(family_of(name, spec.task, spec.model), {}, split.features, spec)
    fitted = pipeline.fit(split.train.features, split.train.target)
    prepared = fitted.named_steps["preprocessing"]
    kept = split.train.take(clone(prepared).kept_rows(split.train.features))
    assert 0 < len(kept.target) < len(split.train.target)
    plain = make_spec("regression", model=model)
    alone = build_pipeline(family_of(name, plain.task, plain.model), {}, split.features, plain)
    alone.fit(prepared.prepared(kept.features), kept.target)
    np.testing.assert_array_equal(
        fitted.predict(split.holdout.features), alone.predict(prepared.prepared(split.holdout.features))
    )
    assert len(fitted.predict(split.holdout.features)) == len(split.holdout.target)
    require_storable(fitted, (), where="model")


def test_bounds_come_from_training_rows_alone(make_spec, make_split, make_best):
    """A poisoned holdout changes neither the bounds nor the model."""
    split, spec = make_split("regression"), of_spec(make_spec, OUTLIERS, CLIP, FILL)
    first = train(split, make_best("ridge"), spec)
    split.holdout.features["signal"] = 1e6
    split.holdout.target[:] = -1e6
    again = train(split, make_best("ridge"), spec)
    assert fitted_on_training_rows(first.estimator) == fitted_on_training_rows(again.estimator)
    assert estimator_bytes(first.estimator) == estimator_bytes(again.estimator)


def test_each_fold_of_a_search_has_bounds_of_its_own_rows(make_spec, make_split):
    split = make_split("regression", columns=("signal",))
    rows = split.train
    rows.features["signal"] = np.arange(240.0)
    spec = of_spec(make_spec, {"clip": {"signal": {"quantiles": [0, 1]}}}, {"outliers": {"y": {"iqr": 0.5}}})
    fold = Fold(np.arange(120), np.arange(120, 240))
    cache = FoldCache(rows, split.features, [fold], spec)
    matrices = cache.fold(0, family_of("lightgbm", spec.task, spec.model), {})
    assert matrices.validation.max() == 119
    assert len(matrices.train) == len(matrices.train_target) < 120
    assert len(matrices.validation) == len(matrices.validation_target) == 120
    low, high = bounds_of(rows.target.to_numpy()[:120], iqr=0.5)
    assert low <= matrices.train_target.min() <= matrices.train_target.max() <= high


def test_a_stored_model_has_its_bounds(make_spec, make_split, make_best, tmp_path):
    split, spec = make_split("regression"), of_spec(make_spec, OUTLIERS, CLIP, FILL)
    model = train(split, make_best("ridge"), spec)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert fitted_on_training_rows(loaded.estimator) == fitted_on_training_rows(model.estimator)
    far = split.holdout.features.assign(signal=1e6)
    np.testing.assert_array_equal(loaded.estimator.predict(far), model.estimator.predict(far))
    top = fitted_on_training_rows(model.estimator)[0]
    assert [each["column"] for each in top] == ["signal", "signal", "noise"]


def test_more_outliers_than_allowed_block_before_the_search(make_spec, make_split, make_best):
    split = make_split("regression")
    spec = of_spec(make_spec, {**OUTLIERS, "max_dropped": 0.01, "name": "odd"}, tuning={"n_trials": 2})
    for run in (
        lambda: train(split, make_best("ridge"), spec),
        lambda: find_best_hyperparameters(split.train, spec, features=split.features, groups=None, classes=()),
    ):
        with pytest.raises(FeatureStepError, match="more rows are dropped than allowed") as refused:
            run()
        assert "signal" in str(refused.value)
        assert "features: odd" in str(refused.value)
        assert "the step's max_dropped" in str(refused.value)


def test_a_class_that_outliers_drop_whole_is_refused(make_spec, make_split, make_best):
    split = make_split(columns=("signal",))
    far = split.train.target == "yes"
    split.train.features["signal"] = np.where(far & (np.arange(240) % 2 == 0), 1e5, 0.0)
    split.train.target[far & (np.arange(240) % 2 == 1)] = "no"
    spec = of_spec(make_spec, OUTLIERS, task="binary_classification")
    with pytest.raises(FeatureStepError, match="every training row of a class") as refused:
        train(split, make_best("logistic_regression"), spec)
    assert "'yes'" in str(refused.value)


def test_a_continued_model_keeps_its_bounds_and_drops_new_rows_by_them(make_spec, make_split, make_best):
    split, later = make_split("regression"), make_split("regression", seed=5)
    spec = of_spec(make_spec, OUTLIERS)
    champion = build_pipeline(family_of("lightgbm", spec.task, spec.model), {}, split.features, spec)
    champion.fit(split.train.features, split.train.target)
    later.train.features["signal"] += 2
    continued = continue_fit(champion, family_of("lightgbm", spec.task, spec.model), {}, later.train, spec)
    (before, dropped), (after, now) = (fitted_on_training_rows(each) for each in (champion, continued))
    assert before == after
    assert now[0]["dropped"] > dropped[0]["dropped"]


@pytest.mark.parametrize(
    ("step", "column", "role"),
    [
        ({"clip": {"colour": {"iqr": 1}}}, "colour", "categorical"),
        ({"fill": {"words": {"strategy": "most_frequent"}}}, "words", "text"),
        ({"fill": {"flag": {"strategy": "median"}}}, "flag", "boolean"),
        ({"outliers": {"when": {"iqr": 1}}}, "when", "datetime"),
    ],
)
def test_a_column_of_another_role_is_refused(step, column, role, make_spec, make_split, make_best):
    with pytest.raises(SpecError, match=f"cannot be fitted on '{column}'") as refused:
        train(make_split("regression"), make_best("ridge"), of_spec(make_spec, step))
    assert role in str(refused.value)
