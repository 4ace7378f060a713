import numpy as np
import pytest
import skops.io

from assay.errors import LearningError
from assay.learning.estimators.assembly import build_pipeline, continue_fit
from assay.learning.estimators.families import ADDED_TREES
from assay.learning.estimators.family import family
from assay.specs.pipeline import Task

FOREST_AND_BOOSTERS = ["random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost", "catboost"]
SMALL = {"n_estimators": 5, "max_iter": 20, "iterations": 5}


def trees(model):
    kind = type(model).__name__
    if kind.startswith(("RandomForest", "ExtraTrees")):
        return len(model.estimators_)
    if "HistGradientBoosting" in kind:
        return model.n_iter_
    if kind.startswith("StoredCatBoost"):
        return model.rounds_
    return model.booster_.num_trees() if kind.startswith("LGBM") else model.get_booster().num_boosted_rounds()


@pytest.fixture
def fit(make_spec, make_rows, features):
    def fit(name, labels=("no", "yes"), **parameters):
        task = Task.BINARY if labels else Task.REGRESSION
        chosen, spec = family(name, task), make_spec(task)
        small = {key: value for key, value in SMALL.items() if key in chosen.parameter_names()} | parameters
        rows = make_rows(labels)
        champion = build_pipeline(chosen, small, features, spec).fit(rows.features, rows.target)
        return champion, chosen, small, spec

    return fit


@pytest.mark.parametrize("labels", [("no", "yes"), None])
@pytest.mark.parametrize("name", FOREST_AND_BOOSTERS)
def test_trees_are_added_to_those_of_the_champion(name, labels, fit, make_rows):
    stop = {"early_stopping": False} if name == "hist_gradient_boosting" else {}
    champion, chosen, small, spec = fit(name, labels, **stop)
    before, said = trees(champion.named_steps["model"]), champion.predict(make_rows(labels).features)
    continued = continue_fit(champion, chosen, small, make_rows(labels, seed=1), spec)
    assert trees(continued.named_steps["model"]) == before + ADDED_TREES
    assert trees(champion.named_steps["model"]) == before
    np.testing.assert_array_equal(champion.predict(make_rows(labels).features), said)


@pytest.mark.parametrize("name", ["hist_gradient_boosting", "lightgbm", "xgboost", "catboost"])
def test_a_champion_with_native_categories_is_continued(name, make_spec, make_split):
    split, chosen = make_split(), family(name, Task.BINARY)
    spec = make_spec(preprocessing={"categories": "native"})
    small = {key: value for key, value in SMALL.items() if key in chosen.parameter_names()}
    stop = {"early_stopping": False} if name == "hist_gradient_boosting" else {}
    champion = build_pipeline(chosen, small | stop, split.features, spec).fit(split.train.features, split.train.target)
    before = trees(champion.named_steps["model"])
    plain = make_spec()  # the champion's own encoding counts
    continued = continue_fit(champion, chosen, small | stop, make_split(seed=1).train, plain)
    assert trees(continued.named_steps["model"]) == before + ADDED_TREES
    assert continued.predict(split.holdout.features).shape == (160,)


@pytest.mark.parametrize("name", [*FOREST_AND_BOOSTERS, "logistic_regression"])
def test_going_on_learns_from_the_new_rows_and_repeats_itself(name, fit, make_rows):
    champion, chosen, small, spec = fit(name)
    turned = make_rows(("yes", "no"), seed=1, n=400)
    first, again = (continue_fit(champion, chosen, small, turned, spec) for _ in range(2))
    before = np.mean(champion.predict(turned.features) == turned.target)
    after = np.mean(first.predict(turned.features) == turned.target)
    assert after > before + 0.2
    np.testing.assert_array_equal(first.predict_proba(turned.features), again.predict_proba(turned.features))


def test_histogram_boosting_keeps_the_bins_that_its_trees_were_grown_on(fit, make_rows):
    champion, chosen, small, spec = fit("hist_gradient_boosting")
    continued = continue_fit(champion, chosen, small, make_rows(("no", "yes"), seed=1, shift=5.0), spec)
    old, new = (pipeline.named_steps["model"]._bin_mapper.bin_thresholds_ for pipeline in (champion, continued))
    for before, after in zip(old, new, strict=True):
        np.testing.assert_array_equal(before, after)
    assert "_bin_data" not in vars(continued.named_steps["model"])


def test_histogram_boosting_stops_by_the_new_rows_alone(fit, make_rows):
    champion, chosen, small, spec = fit("hist_gradient_boosting")
    continued = continue_fit(champion, chosen, small, make_rows(("no", "yes"), seed=1), spec)
    old, new = (pipeline.named_steps["model"] for pipeline in (champion, continued))
    assert len(new.validation_score_) == new.n_iter_ - old.n_iter_


@pytest.mark.parametrize("name", [*FOREST_AND_BOOSTERS, "logistic_regression"])
def test_a_continued_model_holds_no_more_types_than_a_fitted_one(name, fit, make_rows):
    champion, chosen, small, spec = fit(name)
    continued = continue_fit(champion, chosen, small, make_rows(("no", "yes"), seed=1), spec)
    first, after = (set(skops.io.get_untrusted_types(data=skops.io.dumps(each))) for each in (champion, continued))
    assert after <= first


def test_logistic_regression_starts_from_the_champions_coefficients(fit, make_rows):
    champion, chosen, _, spec = fit("logistic_regression", max_iter=1000)
    rows = make_rows(("no", "yes"))
    continued = continue_fit(champion, chosen, {"max_iter": 1000}, rows, spec)
    assert continued.named_steps["model"].n_iter_[0] < champion.named_steps["model"].n_iter_[0]


def test_an_elastic_net_starts_from_the_champions_coefficients(fit, make_rows):
    champion, chosen, _, spec = fit("elastic_net", None, max_iter=1000, tol=1e-8)
    continued = continue_fit(champion, chosen, {"max_iter": 1000, "tol": 1e-8}, make_rows(None), spec)
    assert continued.named_steps["model"].n_iter_ < champion.named_steps["model"].n_iter_
    np.testing.assert_allclose(continued.named_steps["model"].coef_, champion.named_steps["model"].coef_, rtol=1e-5)


def test_the_champions_preprocessing_stays_as_it_was_fitted(fit, make_rows):
    champion, chosen, small, spec = fit("logistic_regression")
    rows = make_rows(("no", "yes"), shift=3.0, seed=2)
    continued = continue_fit(champion, chosen, small, rows, spec)
    np.testing.assert_array_equal(
        *(pipeline.named_steps["preprocessing"].transform(rows.features) for pipeline in (champion, continued))
    )


def test_other_classes_are_refused(fit, make_rows):
    champion, chosen, small, spec = fit("lightgbm")
    with pytest.raises(LearningError, match="same classes"):
        continue_fit(champion, chosen, small, make_rows(("no", "perhaps", "yes")), spec)


def test_a_family_that_cannot_go_on_is_refused(fit, make_rows):
    champion, chosen, small, spec = fit("linear_regression", None)
    with pytest.raises(LearningError, match="cannot continue"):
        continue_fit(champion, chosen, small, make_rows(), spec)


def test_a_solver_without_a_starting_point_is_refused(fit, make_rows):
    champion, chosen, small, spec = fit("logistic_regression", solver="liblinear")
    with pytest.raises(LearningError, match="liblinear"):
        continue_fit(champion, chosen, small, make_rows(("no", "yes")), spec)
