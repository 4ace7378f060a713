"""The loss of each row, and which one stands for a metric."""

import numpy as np
import pytest

from assay.learning.evaluation.metrics import metric
from assay.learning.evaluation.predictions import Predictions
from assay.live.losses import is_mean, loss_for, losses
from assay.specs.labels import LabelsSpec
from assay.specs.pipeline import Task

LABELS = LabelsSpec(source="labels.csv", delay="7d")
TRUTH = np.array(["no", "yes", "yes", "no"], dtype=object)
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
BINARY = Predictions(np.array(["no", "yes", "no", "yes"], dtype=object), SHARES, ("no", "yes"))
NUMBERS = Predictions(np.array([1.0, 2.0, 5.0]), None, ())


@pytest.mark.parametrize(
    ("loss", "name", "sign"), [("zero_one", "accuracy", -1), ("brier", "brier_score", 1), ("log", "log_loss", 1)]
)
def test_the_mean_loss_is_the_metric(loss, name, sign):
    value = metric(name, Task.BINARY).compute(TRUTH, BINARY)
    assert losses(loss, TRUTH, BINARY).mean() == pytest.approx(value if sign > 0 else 1 - value)
    assert is_mean(name)


def test_losses_of_numbers():
    truth = np.array([1.0, 4.0, 4.0], dtype=object)
    assert losses("squared", truth, NUMBERS).tolist() == [0.0, 4.0, 1.0]
    assert losses("absolute", truth, NUMBERS).tolist() == [0.0, 2.0, 1.0]


def test_an_unknown_class_is_a_full_mistake():
    truth = np.array(["maybe"], dtype=object)
    one = BINARY.take(np.array([1]))
    assert losses("zero_one", truth, one).tolist() == [1.0]
    assert losses("log", truth, one)[0] == pytest.approx(-np.log(1e-6))


@pytest.mark.parametrize(
    ("task", "primary", "probabilities", "loss"),
    [
        (Task.BINARY, "accuracy", True, "zero_one"),
        (Task.BINARY, "log_loss", True, "log"),
        (Task.BINARY, "roc_auc", True, "brier"),
        (Task.BINARY, "roc_auc", False, "zero_one"),
        (Task.MULTICLASS, "f1_macro", True, "brier"),
        (Task.REGRESSION, "mae", False, "absolute"),
        (Task.REGRESSION, "r2", False, "squared"),
        (Task.REGRESSION, "mape", False, "squared"),
    ],
)
def test_the_loss_that_stands_for_a_metric(task, primary, probabilities, loss):
    assert loss_for(LABELS, task, primary, probabilities=probabilities) == loss
