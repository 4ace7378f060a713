from dataclasses import replace

import numpy as np
import pytest

from assay.errors import LearningError
from assay.learning.training import library_versions, train, training_digest


def _shares(model, split):
    return model.estimator.predict_proba(split.holdout.features)


def test_the_manifest_holds_all_that_is_needed_to_rebuild(make_spec, make_split, make_best):
    split, spec = make_split(), make_spec(training={"seed": 7}, model={"version": "3"})
    manifest = train(split, make_best("lightgbm", n_estimators=3), spec).manifest
    assert (manifest.pipeline, manifest.target, manifest.family) == ("demo", "y", "lightgbm")
    assert manifest.classes == ("no", "yes")
    assert manifest.parameters == {"n_estimators": 3}
    assert (manifest.seed, manifest.model_version, manifest.scenario_applied) == (7, "3", "full")
    assert (manifest.train_rows, manifest.holdout_rows) == (240, 160)
    assert manifest.features == split.features
    assert manifest.unused_columns == {"row_id": "identifier"}
    assert manifest.data_digests == split.data_digests
    assert {"python", "assay", "scikit-learn", "numpy", "skops", "lightgbm"} <= set(manifest.library_versions)


def test_the_holdout_does_not_touch_the_fit(make_spec, make_split, make_best):
    split, spec, best = make_split(), make_spec(), make_best("logistic_regression")
    blind = replace(split, holdout=replace(split.holdout, target=split.holdout.target[::-1].reset_index(drop=True)))
    np.testing.assert_array_equal(_shares(train(split, best, spec), split), _shares(train(blind, best, spec), split))


def test_the_same_inputs_give_the_same_model(make_spec, make_split, make_best):
    split, spec, best = make_split(), make_spec(), make_best("random_forest", n_estimators=5)
    np.testing.assert_array_equal(_shares(train(split, best, spec), split), _shares(train(split, best, spec), split))


def test_the_input_example_is_the_first_rows(make_spec, make_split, make_best):
    split = make_split()
    example = train(split, make_best("logistic_regression"), make_spec()).input_example
    assert example.equals(split.train.features.head(5))


def test_the_input_example_has_no_value_of_personal_columns(make_spec, make_split, make_best):
    split = make_split(columns=("signal", "colour", "words"))
    columns = tuple(each.model_copy(update={"pii": each.name != "signal"}) for each in split.features.columns)
    split = replace(split, features=split.features.model_copy(update={"columns": columns}))
    example = train(split, make_best("logistic_regression"), make_spec()).input_example
    assert example["signal"].equals(split.train.features["signal"].head(5))
    assert example["colour"].isna().all()
    assert set(example["words"]) == {""}


def test_an_incremental_fit_without_a_champion_is_a_full_one_and_says_so(make_spec, make_split, make_best):
    split, best = make_split(), make_best("hist_gradient_boosting", max_iter=3)
    model = train(split, best, make_spec(training={"scenario": "incremental"}))
    assert model.manifest.scenario_applied == "full (no champion yet)"
    np.testing.assert_array_equal(_shares(model, split), _shares(train(split, best, make_spec()), split))


def test_an_incremental_fit_goes_on_from_the_champion_and_keeps_its_preprocessing(make_spec, make_split, make_best):
    best = make_best("lightgbm", n_estimators=3)
    champion = train(make_split(seed=1), best, make_spec())
    before = _shares(champion, make_split())
    model = train(make_split(seed=2), best, make_spec(training={"scenario": "incremental"}), champion)
    assert model.manifest.scenario_applied == "incremental"
    assert model.estimator.named_steps["model"].booster_.num_trees() > 3
    np.testing.assert_array_equal(_shares(champion, make_split()), before)


@pytest.mark.parametrize(
    ("family", "columns", "what"),
    [
        ("xgboost", ("signal", "noise"), "model family"),
        ("lightgbm", ("signal", "colour"), "features"),
    ],
)
def test_an_incremental_fit_from_an_unlike_champion_is_refused(family, columns, what, make_spec, make_split, make_best):
    champion = train(make_split(columns=("signal", "noise")), make_best("lightgbm", n_estimators=2), make_spec())
    spec = make_spec(training={"scenario": "incremental"})
    with pytest.raises(LearningError, match=f"other {what}"):
        train(make_split(columns=columns), make_best(family, n_estimators=2), spec, champion)


def test_an_incremental_fit_never_goes_on_from_a_model_of_later_rows(make_spec, make_split, make_best):
    monthly = {"by": "month", "column": "t", "start": "2020-01"}
    dataset = {"source": "rows.csv", "target": "y", "partitions": monthly}
    spec = make_spec(training={"scenario": "incremental"}, dataset=dataset)
    now, later = (replace(make_split(), data_digests={month: "d"}) for month in ("2020-12", "2021-01"))
    best = make_best("lightgbm", n_estimators=2)
    champion = train(later, best, spec)
    with pytest.raises(LearningError, match="learned from later rows"):
        train(now, best, spec, champion)
    assert train(later, best, spec, champion).manifest.scenario_applied == "incremental"


def test_a_family_that_cannot_go_on_is_refused(make_spec, make_split, make_best):
    split, best = make_split("regression"), make_best("ridge")
    champion = train(split, best, make_spec("regression"))
    with pytest.raises(LearningError, match="cannot continue"):
        train(split, best, make_spec("regression", training={"scenario": "incremental"}), champion)


def test_the_spec_digest_follows_what_training_reads_and_nothing_else(make_spec):
    plain = training_digest(make_spec())
    assert training_digest(make_spec(description="other", promotion={"minimum_effect": 0.1})) == plain
    assert training_digest(make_spec(preprocessing={"steps": []})) == plain
    assert training_digest(make_spec(training={"seed": 3})) != plain
    assert training_digest(make_spec(split={"test_size": 0.3})) != plain


def test_versions_name_the_familys_own_library_only():
    assert "xgboost-cpu" in library_versions("xgboost") or "xgboost" in library_versions("xgboost")
    assert "lightgbm" not in library_versions("ridge")


def test_what_the_estimator_refuses_is_a_typed_error_with_its_reason(make_spec, make_split, make_best):
    split, best = make_split(), make_best("logistic_regression", solver="lbfgs", l1_ratio=1.0)
    with pytest.raises(LearningError, match="'logistic_regression' cannot be fitted") as refused:
        train(split, best, make_spec())
    assert "lbfgs" in refused.value.found
