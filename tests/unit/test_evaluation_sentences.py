"""What the checks of an evaluation say: each sentence has the figures that it speaks of."""

import pytest

from assay.results.evaluation_report import EvaluationReport
from assay.specs.pipeline import Task
from ml_assets.assets.evaluation_report import check_of_baseline, check_of_doubts, check_of_minimum


def report(**changes):
    values = {
        "pipeline": "bank", "task": Task.BINARY, "family": "ridge", "primary_metric": "roc_auc",
        "greater_is_better": True, "holdout_rows": 200, "holdout_digest": "h",
        "metrics": {"roc_auc": 0.81234, "f1": 0.4}, "baseline": {"roc_auc": 0.5},
    }  # fmt: skip
    return EvaluationReport(**(values | changes))


@pytest.mark.parametrize(
    ("baseline", "passed", "said"),
    [
        ({"roc_auc": 0.5}, True, "roc_auc is 0.81234, better than 0.5 of the baseline, which ignores the features"),
        ({"roc_auc": 0.9}, False, "roc_auc is 0.81234, no better than 0.9 of the baseline"),
        ({}, True, "roc_auc is 0.81234, and cannot be computed for the baseline, which ignores the features"),
    ],
)
def test_the_baseline(baseline, passed, said):
    check = check_of_baseline(report(baseline=baseline))
    assert check.passed is passed
    assert check.description.startswith(said)


@pytest.mark.parametrize(
    ("minimum", "passed", "said"),
    [
        ({}, True, "no bound is set"),
        (
            {"roc_auc": 0.7, "f1": 0.4},
            True,
            "roc_auc is 0.81234, required at least 0.7; f1 is 0.4, required at least 0.4",
        ),
        ({"roc_auc": 0.7, "f1": 0.5}, False, "f1 is 0.4, required at least 0.5"),
        ({"log_loss": 0.6}, False, "log_loss is missing, required at most 0.6"),
    ],
)
def test_the_minimum(minimum, passed, said):
    check = check_of_minimum(report(minimum=minimum))
    assert (check.passed, check.description) == (passed, said)


@pytest.mark.parametrize(("directions", "bound"), [({"cost": False}, "at most 15"), ({"cost": True}, "at least 15")])
def test_a_bound_has_the_direction_that_its_metric_had(directions, bound):
    check = check_of_minimum(report(minimum={"cost": 15}, metrics={"cost": 15.0}, directions=directions))
    assert (check.passed, check.description) == (True, f"cost is 15, required {bound}")


def test_the_bound_of_an_undirected_metric_is_of_its_size():
    undirected = report(task=Task.REGRESSION, minimum={"mean_error": 2}, metrics={"mean_error": -1.0})
    assert check_of_minimum(undirected).description == "mean_error is -1, required at most 2"


def test_doubts():
    doubtful, plain = check_of_doubts(report(doubts=("age keeps the skill",))), check_of_doubts(report())
    assert (doubtful.passed, doubtful.description) == (False, "age keeps the skill")
    assert plain.passed
    assert "alone keeps the score" in plain.description
