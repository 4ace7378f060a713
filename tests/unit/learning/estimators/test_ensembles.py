"""Stacks and votes of families: built, searched, fitted, stored, explained."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from assay.errors import AssayError, LearningError
from assay.learning.estimators.assembly import category_encodings
from assay.learning.estimators.ensembles import candidate_families, declared_parameters, family_of
from assay.learning.known_names import name_check
from assay.learning.persistence import load_model, save_model
from assay.learning.training import train
from assay.learning.tuning.candidates import Candidates, base_hyperparameters, search_space
from assay.learning.tuning.search import find_best_hyperparameters
from assay.results.search_result import BestHyperparameters
from assay.specs.learning import ModelSpec
from assay.specs.pipeline import Task

NEIGHBOURS = "sklearn.neighbors:KNeighborsClassifier"
MEMBERS = ["hist_gradient_boosting", "logistic_regression", NEIGHBOURS]
FEW = {"hist_gradient_boosting": {"max_iter": 5}, "lightgbm": {"n_estimators": 5}}


def fitted(make_spec, make_split, name, *, task="binary_classification", members=MEMBERS, **model):
    split = make_split(task)
    spec = make_spec(task, model={name: members, "hyperparameters": FEW, **model}, tuning={"enabled": False})
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    return train(split, best, spec), split


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("binary_classification", "stack"),
        pytest.param("binary_classification", "vote", marks=pytest.mark.full),
        pytest.param("multiclass_classification", "stack", marks=pytest.mark.full),
        ("multiclass_classification", "vote"),
        pytest.param("regression", "stack", marks=pytest.mark.full),
        ("regression", "vote"),
    ],
)
def test_an_ensemble_is_fitted_and_stored_and_predicts_the_same_bits(name, task, make_spec, make_split, tmp_path):
    members = ["lightgbm", "ridge", "sklearn.neighbors:KNeighborsRegressor"] if task == "regression" else MEMBERS
    model, split = fitted(make_spec, make_split, name, task=task, members=members)
    assert (model.manifest.family, list(model.manifest.members)) == (name, members)
    save_model(model, tmp_path)
    loaded, features = load_model(tmp_path).estimator, split.holdout.features
    said = "predict" if task == "regression" else "predict_proba"
    np.testing.assert_array_equal(getattr(loaded, said)(features), getattr(model.estimator, said)(features))
    if task == "binary_classification":
        assert roc_auc_score(split.holdout.target, loaded.predict_proba(features)[:, 1]) > 0.9
    if task != "regression":
        assert tuple(loaded.classes_) == split.classes


def test_each_member_has_the_preprocessing_that_suits_it(make_spec, make_split):
    model, _ = fitted(make_spec, make_split, "vote")
    trees, linear, neighbours = model.estimator.named_steps["model"].estimators_
    assert np.isnan(trees.named_steps["preprocessing"].transform(make_split().train.features)).any()
    assert linear.named_steps["model"].n_features_in_ > trees.named_steps["model"].n_features_in_
    assert isinstance(neighbours.named_steps["model"]._fit_X, np.ndarray)
    assert category_encodings(model.estimator) == {}


def test_early_stopping_is_off_inside_unless_it_is_written(make_spec):
    spec = make_spec(model={"stack": MEMBERS})
    [stack] = candidate_families(spec)
    values = stack.values({}, 1, 1)
    assert values["hist_gradient_boosting.early_stopping"] is False
    assert stack.values({"hist_gradient_boosting.early_stopping": True}, 1, 1)["hist_gradient_boosting.early_stopping"]


def test_classes_may_have_weights_by_label(make_spec, make_split):
    given = {"logistic_regression": {"class_weight": {"yes": 50.0, "no": 1.0}}}
    shares = {}
    for weighted in (given, {}):
        model, split = fitted(
            make_spec, make_split, "vote", members=["logistic_regression", "lightgbm"], hyperparameters=FEW | weighted
        )
        shares[bool(weighted)] = (model.estimator.predict(split.holdout.features) == "yes").mean()
        member = model.estimator.named_steps["model"].estimators[0][1].named_steps["model"]
        assert member.class_weight == weighted.get("logistic_regression", {}).get("class_weight")
    assert shares[True] > shares[False] + 0.1


@pytest.mark.parametrize(
    "written", [{"lightgbm": 3.0, "logistic_regression": 1.0}, ["lightgbm", "logistic_regression"]]
)
def test_a_vote_has_the_weights_of_the_file_else_searches_them(written, make_spec, make_split):
    spec = make_spec(model={"vote": written})
    [vote] = candidate_families(spec)
    known = isinstance(written, dict)
    assert [vote.weights[name] for name in written] == ([3.0, 1.0] if known else [1.0, 1.0])
    assert ("weight.lightgbm" in search_space(spec, [vote])["vote"]) is not known
    model, split = fitted(make_spec, make_split, "vote", members=written)
    one, other = (
        each.predict_proba(split.holdout.features) for each in model.estimator.named_steps["model"].estimators_
    )
    mean = (3 * one + other) / 4 if known else (one + other) / 2
    np.testing.assert_allclose(model.estimator.predict_proba(split.holdout.features), mean)


def test_members_are_searched_by_their_own_names_and_by_the_ensembles(make_spec):
    narrow = {"type": "float", "low": 0.1, "high": 0.2}
    spec = make_spec(
        model={"candidates": ["stack", "lightgbm"], "stack": ["lightgbm", "logistic_regression"]},
        tuning={
            "default_space": False,
            "search_space": {
                "C": narrow,
                "lightgbm.learning_rate": narrow,
                "stack.lightgbm.reg_alpha": narrow,
                "stack.final.C": narrow,
            },
        },
    )
    space = search_space(spec, candidate_families(spec))
    assert set(space["lightgbm"]) == {"learning_rate"}
    assert set(space["stack"]) == {
        "lightgbm.learning_rate",
        "logistic_regression.C",
        "lightgbm.reg_alpha",
        "final.C",
    }


def test_a_range_of_a_member_replaces_its_own_in_the_ensemble(make_spec):
    narrow = {"type": "float", "low": 0.1, "high": 0.2}
    spec = make_spec(
        model={"candidates": ["vote"], "vote": ["lightgbm", "logistic_regression"]},
        tuning={"search_space": {"lightgbm.learning_rate": narrow}},
    )
    own = search_space(make_spec(model=spec.model.model_dump(mode="json")), candidate_families(spec))["vote"]
    space = search_space(spec, candidate_families(spec))["vote"]
    assert space["lightgbm.learning_rate"].high == 0.2 < own["lightgbm.learning_rate"].high
    assert set(space) == set(own) >= {"weight.lightgbm", "logistic_regression.C"}


def test_base_values_of_a_family_are_those_of_the_member(make_spec):
    spec = make_spec(
        model={
            "stack": ["lightgbm", "logistic_regression"],
            "hyperparameters": {"C": 0.5, "lightgbm": {"num_leaves": 7}, "stack": {"lightgbm.max_depth": 2}},
        }
    )
    [stack] = candidate_families(spec)
    assert base_hyperparameters(spec, stack) == {
        "lightgbm.num_leaves": 7,
        "logistic_regression.C": 0.5,
        "lightgbm.max_depth": 2,
    }
    assert Candidates.of(spec).space["stack"]["logistic_regression.C"].log


def test_an_ensemble_competes_with_families_in_one_search(make_spec, make_split):
    split = make_split()
    spec = make_spec(
        model={"candidates": ["logistic_regression", "vote"], "vote": ["logistic_regression", "lightgbm"],
               "hyperparameters": {"lightgbm": {"n_estimators": 5}}},
        tuning={"n_trials": 4, "folds": 2, "search_space": {"vote.weight.lightgbm": {"type": "float", "low": 0, "high": 1}}},
    )  # fmt: skip
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    assert {trial.family for trial in best.trials} == {"logistic_regression", "vote"}
    assert all(trial.state != "failed" for trial in best.trials), best.trials
    votes = [trial.parameters["weight.lightgbm"] for trial in best.trials if trial.family == "vote"]
    assert votes[0] == 1.0


def test_a_vote_of_a_model_without_probabilities_is_refused(make_spec):
    spec = make_spec(model={"vote": ["logistic_regression", "sklearn.linear_model:RidgeClassifier"]})
    with pytest.raises(LearningError, match="no predict_proba"):
        Candidates.of(spec)
    stacked = make_spec(model={"stack": ["logistic_regression", "sklearn.linear_model:RidgeClassifier"]})
    assert Candidates.of(stacked).families


def test_an_ensemble_cannot_be_continued(make_spec, make_split):
    model, split = fitted(make_spec, make_split, "vote", members=["logistic_regression", "lightgbm"])
    spec = make_spec(
        model={"vote": ["logistic_regression", "lightgbm"], "hyperparameters": FEW},
        training={"scenario": "incremental"},
    )
    best = BestHyperparameters(
        family="vote", parameters={}, metric="", direction="maximize", searched=False, stopped_by="disabled", seed=1
    )
    with pytest.raises(LearningError, match="cannot continue"):
        train(split, best, spec, model)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ({"candidates": ["stack"]}, "is not declared"),
        ({"stack": ["lightgbm"]}, "two or more"),
        ({"stack": ["lightgbm", "lightgbm"]}, "each once"),
        ({"vote": ["lightgbm", "stack"]}, "no other ensemble"),
        ({"vote": {"lightgbm": -1, "xgboost": 1}}, "0 or more"),
        ({"vote": {"lightgbm": 0, "xgboost": 0}}, "0 or more"),
    ],
)
def test_an_ensemble_that_cannot_be_meant_is_refused(model, what):
    with pytest.raises(ValueError, match=what):
        ModelSpec.model_validate_json(json.dumps(model))


def test_an_ensemble_is_the_candidate_unless_candidates_are_written():
    def candidates(**model):
        return ModelSpec.model_validate_json(json.dumps(model)).candidates

    pair = ["lightgbm", "xgboost"]
    assert candidates(stack=pair) == ("stack",)
    assert candidates(stack=pair, vote=pair) == ("stack", "vote")
    assert candidates(stack=pair, candidates=["lightgbm"]) == ("lightgbm",)
    assert "stack" not in ModelSpec().model_dump(mode="json")


@pytest.mark.parametrize(
    ("parts", "what", "where"),
    [
        ({"model": {"stack": ["lightgmb", "xgboost"]}}, "did you mean 'lightgbm'", ("model", "stack", 0)),
        ({"model": {"stack": ["ridge", "xgboost"]}}, "does not do binary", ("model", "stack", 0)),
        ({"model": {"vote": {"xgboots": 1, "lightgbm": 2}}}, "'xgboost'", ("model", "vote", "xgboots")),
        (
            {"model": {"stack": {"members": ["lightgbm", "xgboost"], "final": "logistic_regresion"}}},
            "logistic_regression",
            ("model", "stack", "final"),
        ),
        (
            {
                "model": {"stack": ["lightgbm", "xgboost"]},
                "tuning": {"search_space": {"stack.lightgbm.num_leafs": {"type": "int", "low": 2, "high": 9}}},
            },
            "num_leaves",
            ("tuning", "search_space", "stack.lightgbm.num_leafs"),
        ),
        (
            {"model": {"stack": ["lightgbm", "xgboost"], "hyperparameters": {"num_leafs": 3}}},
            "num_leaves",
            ("model", "hyperparameters", "num_leafs"),
        ),
    ],
)
def test_unknown_names_are_found_when_the_file_is_read(parts, what, where, make_spec):
    [(location, error), *_] = name_check()(make_spec(**parts))
    assert isinstance(error, AssayError)
    assert location == where
    assert what in error.what


def test_the_declared_parameters_are_those_of_the_imported_ensemble():
    model = ModelSpec.model_validate_json('{"stack": ["lightgbm", "logistic_regression"]}')
    for task in (Task.BINARY, Task.MULTICLASS):
        assert declared_parameters("stack", task, model) == family_of("stack", task, model).parameter_names()
