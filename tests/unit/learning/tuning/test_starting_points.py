"""What a search tries before its sampler proposes: an earlier result, base values, and points of other tables."""

import pytest

from assay.learning.estimators.family import FAMILIES
from assay.learning.tuning import starting_points as module
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.portfolio import PORTFOLIO
from assay.learning.tuning.search import find_best_hyperparameters
from assay.learning.tuning.starting_points import Start, starting_points
from assay.specs.tuning import SearchParameter

NARROW = {"type": "float", "low": 0.2, "high": 0.3}


def starts(make_spec, before=None, candidates=("lightgbm", "logistic_regression"), **tuning):
    spec = make_spec(model={"candidates": list(candidates)}, tuning={"n_trials": 60, **tuning})
    return starting_points(Candidates.of(spec), before)


@pytest.fixture(autouse=True)
def _portfolio(monkeypatch):
    points = ({"learning_rate": 0.05, "num_leaves": 90, "unknown": 1}, {"learning_rate": 0.25})
    monkeypatch.setattr(module, "PORTFOLIO", {"lightgbm": points, "xgboost": ({"max_depth": 7},)})


def test_base_values_come_first_and_cheap_families_before_others(make_spec):
    found = starts(make_spec, candidates=("lightgbm", "xgboost", "logistic_regression"))
    assert [each.family for each in found[:3]] == ["logistic_regression", "lightgbm", "xgboost"]
    assert [each.values for each in found[:3]] == [None] * 3
    # each family's first point, then the second ones, without what the space does not have
    assert found[3:] == [
        Start("lightgbm", {"learning_rate": 0.05, "num_leaves": 90}),
        Start("xgboost", {"max_depth": 7}),
        Start("lightgbm", {"learning_rate": 0.25}),
    ]


def test_points_of_other_tables_are_at_most_a_third_of_the_trials(make_spec):
    assert len(starts(make_spec, n_trials=3)) == 3
    assert len(starts(make_spec, n_trials=2)) == 2


@pytest.mark.parametrize(
    "tuning",
    [
        {"default_space": False, "search_space": {"learning_rate": NARROW}},
        {"sampler": "grid", "search_space": {"num_leaves": {"type": "int", "low": 2, "high": 9}}},
    ],
)
def test_a_space_of_the_file_alone_has_none(make_spec, tuning):
    assert {each.values for each in starts(make_spec, **tuning)} == {None}


def test_declared_ranges_bind_them(make_spec):
    space = {"learning_rate": NARROW, "num_leaves": {"type": "categorical", "choices": [31, 60]}}
    found = starts(make_spec, search_space=space)
    assert [each.values for each in found[2:]] == [{"learning_rate": 0.2, "num_leaves": 60}, {"learning_rate": 0.25}]


def test_the_best_of_an_earlier_search_is_the_first_and_its_members_are_where_it_is_an_average(make_spec, make_best):
    before = make_best("lightgbm", learning_rate=0.9, n_estimators=77)
    assert starts(make_spec, before)[0] == Start("lightgbm", {"learning_rate": 0.3})
    assert starts(make_spec, make_best("xgboost", max_depth=3))[0].values is None, "no candidate any more"
    weights = {"weight.lightgbm": 0.4, "weight.logistic_regression": 0.6}
    average = make_best("vote", **weights, **{"lightgbm.num_leaves": 9, "logistic_regression.C": 0.1})
    found = starts(make_spec, average.model_copy(update={"ensemble_gain": 0.1}))
    assert found[:2] == [Start("logistic_regression", {"C": 0.1}), Start("lightgbm", {"num_leaves": 9})]


def test_a_search_begins_with_it_and_tries_no_point_twice(make_spec, make_best, rows, features):
    model = {"candidates": ["lightgbm"], "hyperparameters": {"n_estimators": 5}}
    spec = make_spec(model=model, tuning={"n_trials": 6, "folds": 2})
    known = {"features": features, "groups": None, "classes": (False, True)}
    first = {"learning_rate": 0.05, "num_leaves": 90}
    best = find_best_hyperparameters(rows, spec, before=make_best("lightgbm", **first), **known)
    tried = [{key: value for key, value in each.parameters.items() if key != "n_estimators"} for each in best.trials]
    assert tried[0] == first
    assert tried[1]["learning_rate"] == 0.1, "the base values"
    assert tried[2] == {"learning_rate": 0.25}, "the first point of other tables was the one before"
    assert len({str(each) for each in tried}) == 6


@pytest.mark.parametrize(
    ("ranged", "value", "nearest"),
    [
        ({"type": "float", "low": 0.0, "high": 1.0}, 3, 1.0),
        ({"type": "float", "low": 0.0, "high": 1.0}, 0.4, 0.4),
        ({"type": "float", "low": 0.0, "high": 1.0, "step": 0.6}, 5.0, 0.6),
        ({"type": "int", "low": 1, "high": 9}, 3.6, 4),
        ({"type": "int", "low": 10, "high": 400, "step": 50}, 199, 210),
        ({"type": "int", "low": 1, "high": 9}, None, 1),
        ({"type": "categorical", "choices": ("a", "b")}, "c", "a"),
        ({"type": "categorical", "choices": (None, 3, 8)}, 7, 8),
    ],
)
def test_a_value_outside_a_range_becomes_the_nearest_inside(ranged, value, nearest):
    parameter = SearchParameter.model_validate(ranged, strict=False)
    assert parameter.nearest(value) == (pytest.approx(nearest) if isinstance(nearest, float) else nearest)
    assert parameter.holds(parameter.nearest(value))


def test_every_point_of_the_portfolio_lies_in_the_familys_own_space():
    assert PORTFOLIO
    for name, points in PORTFOLIO.items():
        assert 1 <= len(points) <= 5
        ranges = FAMILIES[name].full_space
        assert all(ranges[key].holds(value) for point in points for key, value in point.items())
        assert all(point.keys() == ranges.keys() for point in points)
