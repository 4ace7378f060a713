"""Parameters of preprocessing steps are searched like those of models."""

import pytest

from assay.errors import SpecError
from assay.learning.estimators.ensembles import candidate_families
from assay.learning.training import train
from assay.learning.tuning.candidates import search_space
from assay.learning.tuning.search import find_best_hyperparameters

STEPS = {"steps": [{"step": ["impute", "pca"], "columns": ["signal", "noise"], "name": "numbers"}]}
KEY = "steps.numbers.pca.n_components"
ONE_OR_TWO = {"type": "int", "low": 1, "high": 2}


def searched(make_spec, split, **tuning):
    spec = make_spec(
        model={"candidates": ["logistic_regression"]}, preprocessing=STEPS, tuning={"n_trials": 4, **tuning}
    )
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    return best, spec


def test_each_value_is_tried_and_the_best_one_is_in_the_model(make_spec, make_split):
    split = make_split()
    best, spec = searched(make_spec, split, search_space={KEY: ONE_OR_TWO}, default_space=False)
    assert sorted(trial.parameters[KEY] for trial in best.trials) == [1, 2]
    assert len({trial.value for trial in best.trials}) == 2  # one preprocessing for each value
    model = train(split, best, spec)
    group = model.estimator.named_steps["preprocessing"].named_transformers_["step0"]
    assert group.named_steps["pca"].n_components == best.parameters[KEY]
    assert model.manifest.parameters[KEY] == best.parameters[KEY]


def test_the_first_trial_has_the_value_of_the_file(make_spec, make_split):
    given = {"steps": [{"step": "pca", "columns": ["signal", "noise"], "parameters": {"n_components": 2}}]}
    spec = make_spec(
        model={"candidates": ["logistic_regression"]},
        preprocessing=given,
        tuning={"n_trials": 3, "search_space": {"steps.0.pca.n_components": ONE_OR_TWO}},
    )
    split = make_split()
    best = find_best_hyperparameters(
        split.train, spec, features=split.features, groups=split.train_groups, classes=split.classes
    )
    assert best.trials[0].parameters["steps.0.pca.n_components"] == 2


def test_a_step_is_searched_for_every_candidate(make_spec):
    spec = make_spec(
        model={"candidates": ["logistic_regression", "lightgbm"]},
        preprocessing=STEPS,
        tuning={
            "search_space": {KEY: ONE_OR_TWO, "C": {"type": "float", "low": 0.1, "high": 1.0}},
            "default_space": False,
        },
    )
    space = search_space(spec, candidate_families(spec))
    assert {name: set(ranges) for name, ranges in space.items()} == {
        "logistic_regression": {KEY, "C"},
        "lightgbm": {KEY},
    }


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("steps.numbers.pcaa.n_components", "did you mean 'steps.numbers.pca'"),
        ("steps.numbers.pca.n_component", "did you mean 'n_components'"),
    ],
)
def test_a_name_that_means_no_step_is_refused(make_spec, key, what):
    spec = make_spec(preprocessing=STEPS, tuning={"search_space": {key: ONE_OR_TWO}})
    with pytest.raises(SpecError, match=what):
        search_space(spec, candidate_families(spec))


def test_a_value_of_the_file_outside_its_range_is_refused(make_spec):
    given = {"steps": [{"step": "pca", "columns": ["signal"], "parameters": {"n_components": 9}}]}
    with pytest.raises(ValueError, match="a whole number from 1 to 2"):
        make_spec(preprocessing=given, tuning={"search_space": {"steps.0.pca.n_components": ONE_OR_TWO}})
