"""A run's space follows from the deployment's branch and the run's parameters."""

import pytest

from assay.errors import SpecError
from assay.specs.base import digest_of
from assay.specs.loading import parse_pipeline
from assay.specs.overrides import space_of_run
from assay.specs.space import PRODUCTION, Space, branch_space

BRANCH = Space("wider-search")
SPEC = parse_pipeline("name: bank\ntask: regression\ndataset: {source: a.csv, target: y}\n", where="bank.yaml")


@pytest.mark.parametrize("branch", ["", " ", "main"])
def test_the_production_branch_and_no_branch_are_production(branch):
    assert branch_space(branch, "main") == PRODUCTION


def test_branches_have_spaces_of_their_own():
    spaces = {
        branch_space(branch, "main").name for branch in ("feature/x", "feature-x", "feature.x", "Feature-x", "x" * 90)
    }
    assert len(spaces) == 5
    assert "feature-x" in spaces
    assert max(map(len, spaces)) < 60


@pytest.mark.parametrize("parameters", [{}, {"model_name": None, "tuning": {}, "space": None}])
def test_a_run_without_parameters_is_the_deployments(parameters):
    assert space_of_run(PRODUCTION, parameters) == PRODUCTION
    assert space_of_run(BRANCH, parameters) == BRANCH


def test_equal_parameters_have_the_same_space_and_others_another():
    first = space_of_run(PRODUCTION, {"test_size": 0.3, "random_state": 1})
    assert first == space_of_run(PRODUCTION, {"random_state": 1, "test_size": 0.3, "tuning": {}})
    assert first != space_of_run(PRODUCTION, {"test_size": 0.3, "random_state": 2})
    assert first.name.startswith("experiment-")
    assert space_of_run(BRANCH, {"test_size": 0.3, "random_state": 1}).name == f"wider-search-{first.name}"


def test_a_space_can_be_named_and_production_asked_for():
    assert space_of_run(PRODUCTION, {"random_state": 1, "space": "seeds"}).name == "experiment-seeds"
    assert space_of_run(BRANCH, {"random_state": 1, "space": "production"}) == PRODUCTION
    with pytest.raises(SpecError, match="the name of a space is not acceptable"):
        space_of_run(PRODUCTION, {"space": "../production"})


@pytest.mark.parametrize(
    ("parameters", "shares"),
    [
        ({"model_name": "ridge", "hyperparameters": {"alpha": 2}, "tuning": {"enabled": False}}, True),
        ({"test_size": 0.3, "target_output_path": "out", "training_scenario": "full"}, True),
        ({"data_source": "b.csv"}, False),
        ({"target_column": "z", "model_name": "ridge"}, False),
        ({"data_validation": {"min_rows": 3}}, False),
    ],
)
def test_rows_are_shared_with_experiments_that_change_neither_data_nor_rules(parameters, shares):
    assert space_of_run(PRODUCTION, parameters).shares_rows is shares


def test_a_pipeline_in_a_space_has_another_registered_name_and_the_same_digest():
    experiment = SPEC.in_space(Space("x", "experiment-1"))
    assert experiment.registered_name == "bank-x-experiment-1"
    assert experiment.space.tracked_as("bank") == "bank-x-experiments"
    assert digest_of(experiment) == digest_of(SPEC)
    assert experiment.in_space(PRODUCTION) == SPEC
