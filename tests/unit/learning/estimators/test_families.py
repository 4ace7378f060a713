import sys
from types import ModuleType

import pytest
from sklearn.base import BaseEstimator

from assay.errors import UnknownModelError
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.estimators.family import FAMILIES, FamilyCard, family, family_names, register
from assay.learning.persistence import allowed_types
from assay.learning.training import library_versions
from assay.learning.tuning.candidates import search_space
from assay.specs.pipeline import Task
from assay.specs.tuning import SearchParameter

BY_TASK = [(name, task) for task in Task for name in family_names(task)]


class Constant(BaseEstimator):
    def fit(self, rows, y):
        return self

    def predict(self, rows):
        return [0] * len(rows)


class Unfinished:
    def fit(self, rows, y):
        return self


@pytest.fixture
def own_models(monkeypatch):
    module = ModuleType("own_models")
    module.Constant, module.Unfinished, module.instance = Constant, Unfinished, Constant()
    monkeypatch.setitem(sys.modules, "own_models", module)


def test_the_tasks_offer_the_families_that_do_them():
    both = {"random_forest", "extra_trees", "knn", "hist_gradient_boosting", "lightgbm", "xgboost"}
    both |= {"catboost", "mlp", "dummy"}
    assert set(family_names(Task.BINARY)) == both | {"logistic_regression", "random_forest_classifier"}
    assert set(family_names(Task.REGRESSION)) == both | {
        "linear_regression",
        "ridge",
        "elastic_net",
        "random_forest_regressor",
    }


@pytest.mark.parametrize(("name", "task"), BY_TASK)
def test_the_declared_hyperparameters_are_those_of_the_library(name, task):
    """A pipeline file is checked by the declared names; a new version of a library may add some."""
    assert FAMILIES[name].parameter_names(task) == set(family(name, task).parameter_names())


@pytest.mark.parametrize(("name", "task"), BY_TASK)
def test_a_family_searches_only_parameters_that_it_accepts(name, task):
    chosen = family(name, task)
    assert chosen.name == name
    assert chosen.card.search_space.keys() <= chosen.parameter_names()
    assert "no_such_parameter" not in chosen.parameter_names()


@pytest.mark.parametrize(("name", "task"), BY_TASK)
def test_seed_and_threads_are_explicit_where_a_family_has_them(name, task):
    chosen = family(name, task)
    built = chosen.build({}, seed=7, threads=3).get_params()
    assert built.get("random_state", 7) == 7
    assert built.get("n_jobs") == (None if name == "logistic_regression" or "n_jobs" not in built else 3)


def test_which_families_can_go_on_from_a_fitted_state():
    assert {name for name in family_names() for task in Task if name in family_names(task)} == set(family_names())
    unable = {name for name in family_names(Task.REGRESSION) if not FAMILIES[name].continuation}
    assert unable == {"linear_regression", "ridge", "knn", "mlp", "dummy"}
    assert {name for name in family_names(Task.BINARY) if not FAMILIES[name].continuation} == {
        "knn",
        "mlp",
        "dummy",
    }


@pytest.mark.parametrize(
    ("name", "task", "what"),
    [
        ("ligthgbm", Task.BINARY, "did you mean 'lightgbm'"),
        ("logistic_regression", Task.REGRESSION, "does not do regression"),
        ("ridge", Task.BINARY, "does not do binary_classification"),
        ("no_such_module:Model", Task.BINARY, "cannot be imported"),
        ("own_models:Unfinished", Task.BINARY, "no estimator"),
        ("own_models:instance", Task.BINARY, "no estimator"),
    ],
)
def test_a_family_that_cannot_be_used_is_refused(name, task, what, own_models):
    with pytest.raises(UnknownModelError, match=what):
        family(name, task)


def test_what_an_own_model_lacks_is_listed(own_models):
    with pytest.raises(UnknownModelError) as caught:
        family("own_models:Unfinished", Task.BINARY)
    assert caught.value.found == "missing: predict, get_params, set_params"


def test_an_own_model_with_the_four_methods_is_a_family(own_models):
    chosen = family("own_models:Constant", Task.REGRESSION)
    assert isinstance(chosen.build({}, seed=1, threads=1), Constant)
    assert chosen.card.encoding == "one_hot"
    assert chosen.card.continuation is None


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
def test_a_family_that_is_not_installed_names_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    for module in ("xgboost_labels", "catboost_models"):
        monkeypatch.delitem(sys.modules, f"assay.learning.estimators.{module}", raising=False)
    with pytest.raises(UnknownModelError, match="is not installed") as caught:
        family(name, Task.BINARY)
    assert f"assay[{name}]" in caught.value.remedy


class _Toy(Constant):
    def __init__(self, level=0):
        self.level = level


def test_a_family_is_added_by_one_registration(monkeypatch, own_models, make_spec):
    sys.modules["own_models"].Toy = _Toy
    level = SearchParameter(type="int", low=0, high=3)
    monkeypatch.setitem(FAMILIES, "toy", FAMILIES["ridge"])  # removes the entry at the end
    register(
        FamilyCard(
            "toy",
            encoding="ordinal",
            classifier="own_models:Toy",
            continuation=lambda fitted, _unfitted, _rows, _y: fitted,
            distributions=("pytest",),
            stored_types=frozenset({"own_models.Toy"}),
            search_space={"level": level},
        )
    )
    assert "toy" in family_names(Task.BINARY)
    assert "toy" not in family_names(Task.REGRESSION)
    spec = make_spec(model={"candidates": ["toy"]}, tuning={"search_space": "auto"})
    [toy] = candidate_families(spec)
    assert toy.card.continuation
    assert search_space(spec, [toy]) == {"toy": {"level": level}}
    assert isinstance(toy.build({"level": 2}, seed=1, threads=1), _Toy)
    assert "own_models.Toy" in allowed_types()
    assert "pytest" in library_versions("toy")
