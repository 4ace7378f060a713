import pytest

from assay.errors import UnknownHyperparameterError
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.tuning.candidates import search_space
from assay.specs.learning import SearchParameter

CANDIDATES = ["logistic_regression", "hist_gradient_boosting", "lightgbm"]
RANGE = {"type": "float", "low": 0.01, "high": 1.0}
NARROW = {"type": "float", "low": 0.1, "high": 0.2}


def asked(make_spec, space, candidates=CANDIDATES):
    spec = make_spec(model={"candidates": candidates}, tuning={"search_space": space})
    return search_space(spec, candidate_families(spec))


def test_auto_takes_each_familys_own_ranges(make_spec):
    space = asked(make_spec, "auto")
    assert set(space) == set(CANDIDATES)
    assert set(space["logistic_regression"]) == {"C"}


def test_a_bare_name_goes_to_each_candidate_that_takes_it(make_spec):
    space = asked(make_spec, {"learning_rate": RANGE})
    assert {name: list(ranges) for name, ranges in space.items()} == {
        "logistic_regression": [],
        "hist_gradient_boosting": ["learning_rate"],
        "lightgbm": ["learning_rate"],
    }


@pytest.mark.parametrize("reverse", [False, True])
def test_a_name_with_its_family_wins_in_any_order(make_spec, reverse):
    given = {"learning_rate": RANGE, "lightgbm.learning_rate": NARROW}
    space = asked(make_spec, dict(reversed(given.items())) if reverse else given)
    assert space["lightgbm"]["learning_rate"].high == 0.2
    assert space["hist_gradient_boosting"]["learning_rate"].high == 1.0


def test_an_import_path_may_stand_before_a_name(make_spec):
    assert asked(make_spec, {"own_parts:Guess.level": RANGE}, ["own_parts:Guess"])["own_parts:Guess"].keys() == {
        "level"
    }


def test_ranges_of_a_family_that_is_no_candidate_are_left_out(make_spec):
    assert asked(make_spec, {"xgboost.max_depth": RANGE}, ["lightgbm"]) == {"lightgbm": {}}


@pytest.mark.parametrize("key", ["learning_rat", "lightgbm.learning_rat", "lightgmb.learning_rate"])
def test_a_name_that_no_candidate_takes_is_refused(make_spec, key):
    with pytest.raises(UnknownHyperparameterError, match="no candidate takes"):
        asked(make_spec, {key: RANGE})


@pytest.mark.parametrize(
    ("parameter", "value", "inside"),
    [
        ({"type": "float", "low": 0.0, "high": 1.0}, 0.5, True),
        ({"type": "float", "low": 0.0, "high": 1.0}, 1.5, False),
        ({"type": "float", "low": 0.0, "high": 1.0, "step": 0.25}, 0.6, False),
        ({"type": "float", "low": 0.1, "high": 0.7, "step": 0.1}, 0.3, True),
        ({"type": "int", "low": 1, "high": 9}, 3, True),
        ({"type": "int", "low": 1, "high": 9}, 3.5, False),
        ({"type": "int", "low": 1, "high": 9}, None, False),
        ({"type": "int", "low": 0, "high": 1}, True, False),
        ({"type": "categorical", "choices": ["a", None]}, None, True),
        ({"type": "categorical", "choices": ["a"]}, "b", False),
    ],
)
def test_a_range_knows_what_it_holds(parameter, value, inside):
    strict = {name: float(given) if name in {"low", "high", "step"} else given for name, given in parameter.items()}
    strict = {name: tuple(given) if name == "choices" else given for name, given in strict.items()}
    assert SearchParameter(**strict).holds(value) is inside
