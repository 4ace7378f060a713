import pytest

from assay.errors import LearningError, UnknownHyperparameterError
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.tuning.candidates import base_hyperparameters


def dealt(spec):
    return {each.name: base_hyperparameters(spec, each) for each in candidate_families(spec)}


def test_a_bare_name_goes_to_each_candidate_that_takes_it(make_spec):
    candidates = ["logistic_regression", "hist_gradient_boosting", "lightgbm"]
    spec = make_spec(model={"candidates": candidates, "hyperparameters": {"C": 0.5, "learning_rate": 0.2}})
    assert dealt(spec) == {
        "logistic_regression": {"C": 0.5},
        "hist_gradient_boosting": {"learning_rate": 0.2},
        "lightgbm": {"learning_rate": 0.2},
    }


def test_a_name_under_a_family_goes_to_that_one_and_wins(make_spec):
    given = {"learning_rate": 0.2, "lightgbm": {"learning_rate": 0.05, "max_bin": 63}}
    spec = make_spec(model={"candidates": ["hist_gradient_boosting", "lightgbm"], "hyperparameters": given})
    assert dealt(spec) == {
        "hist_gradient_boosting": {"learning_rate": 0.2},
        "lightgbm": {"learning_rate": 0.05, "max_bin": 63},
    }


def test_a_dictionary_is_a_value_unless_its_name_is_a_familys(make_spec):
    given = {"class_weight": {"a": 1.0, "b": 2.0}}
    spec = make_spec(model={"candidates": ["logistic_regression"], "hyperparameters": given})
    assert dealt(spec) == {"logistic_regression": given}


def test_what_stands_under_a_family_that_is_no_candidate_is_left_out(make_spec):
    spec = make_spec(model={"candidates": ["logistic_regression"], "hyperparameters": {"lightgbm": {"max_bin": 63}}})
    assert dealt(spec) == {"logistic_regression": {}}


@pytest.mark.parametrize("given", [{"CC": 1}, {"logistic_regression": {"max_itr": 5}}, {"num_leaves": 5}])
def test_a_name_that_no_candidate_takes_is_refused(make_spec, given):
    spec = make_spec(model={"candidates": ["logistic_regression"], "hyperparameters": given})
    with pytest.raises(UnknownHyperparameterError, match="no candidate takes"):
        dealt(spec)


def test_the_nearest_name_is_offered(make_spec):
    spec = make_spec(model={"candidates": ["logistic_regression"], "hyperparameters": {"max_itr": 5}})
    with pytest.raises(UnknownHyperparameterError, match="did you mean 'max_iter'"):
        dealt(spec)


def test_hyperparameters_win_over_the_familys_defaults(make_spec):
    spec = make_spec(model={"candidates": ["logistic_regression"]})
    given = {"C": 0.5, "solver": "liblinear", "max_iter": 200}
    built = candidate_families(spec)[0].build(given, seed=1, threads=1).get_params()
    assert {name: built[name] for name in given} == given


@pytest.mark.parametrize("given", [{"C": -1}, {"solver": "magic"}, {"no_such": 1}])
def test_a_value_that_the_estimator_refuses_is_reported(make_spec, given):
    with pytest.raises(LearningError, match="refuses its hyperparameters"):
        candidate_families(make_spec(model={"candidates": ["logistic_regression"]}))[0].build(given, 1, 1)
