import pytest

from assay.errors import UnknownHyperparameterError
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.tuning.candidates import search_space
from assay.specs.tuning import SearchParameter

CANDIDATES = ["logistic_regression", "hist_gradient_boosting", "lightgbm"]
RANGE = {"type": "float", "low": 0.01, "high": 1.0}
NARROW = {"type": "float", "low": 0.1, "high": 0.2}


def asked(make_spec, space, candidates=CANDIDATES, **tuning):
    tuning = {"default_space": False, "search_space": space, **tuning}
    spec = make_spec(model={"candidates": candidates}, tuning=tuning)
    return search_space(spec, candidate_families(spec))


@pytest.mark.parametrize("nothing", ["auto", {}])
def test_without_declared_ranges_each_familys_own_are_searched(make_spec, nothing):
    space = asked(make_spec, nothing, default_space=None)
    assert set(space) == set(CANDIDATES)
    assert set(space["logistic_regression"]) == {"C"}


def test_a_declared_range_replaces_the_familys_own_and_leaves_the_others(make_spec):
    own = asked(make_spec, "auto", default_space=None)
    space = asked(make_spec, {"learning_rate": NARROW, "lightgbm.path_smooth": RANGE}, default_space=None)
    assert space["lightgbm"]["learning_rate"].high == space["hist_gradient_boosting"]["learning_rate"].high == 0.2
    assert set(space["lightgbm"]) == {*own["lightgbm"], "path_smooth"}
    assert space["logistic_regression"] == own["logistic_regression"]


@pytest.mark.parametrize(("default_space", "own"), [(None, False), (False, False), (True, True)])
def test_a_grid_is_of_the_declared_ranges_alone_unless_it_is_set(make_spec, default_space, own):
    space = asked(make_spec, {"max_iter": {"type": "int", "low": 1, "high": 9}}, default_space=default_space,
                  sampler="grid")  # fmt: skip
    assert ("C" in space["logistic_regression"]) is own
    assert "max_iter" in space["logistic_regression"]


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
