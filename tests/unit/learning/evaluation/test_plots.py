from dataclasses import replace

import pytest

from assay.learning.evaluation.metrics import metric
from assay.learning.evaluation.plots import (
    importance_plot,
    permutation_importance,
    plots_for,
    rows_for,
    tuning_history_plot,
)
from assay.learning.evaluation.predictions import predict
from assay.learning.training import train
from assay.results.search_result import TrialRecord
from assay.specs import Task

PNG = b"\x89PNG\r\n\x1a\n"
CLASSES = {"confusion_matrix", "roc_curve", "precision_recall_curve", "calibration", "score_distribution"}


def _size(png):
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


@pytest.fixture
def fitted(make_spec, make_split, make_best):
    def fit(task, columns=("signal", "noise", "colour")):
        split, spec = make_split(task, columns=columns), make_spec(task)
        return train(split, make_best("ridge" if task == "regression" else "logistic_regression"), spec), split, spec

    return fit


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("binary_classification", CLASSES),
        ("multiclass_classification", CLASSES),
        ("regression", {"predicted_vs_actual", "residuals"}),
    ],
)
def test_each_task_gets_its_plots_as_png_of_640_by_480(task, names, fitted):
    plots = plots_for(*fitted(task))
    assert set(plots) == names | {"permutation_importance"}
    assert all(png.startswith(PNG) and _size(png) == (640, 480) for png in plots.values())


def test_the_same_model_gives_the_same_pictures(fitted):
    given = fitted("binary_classification")
    assert plots_for(*given) == plots_for(*given)


def test_curves_are_left_out_where_the_holdout_has_one_class(fitted):
    model, split, spec = fitted("binary_classification")
    yes = (split.holdout.target == "yes").to_numpy()
    holdout = replace(split.holdout, features=split.holdout.features[yes], target=split.holdout.target[yes])
    plots = plots_for(model, replace(split, holdout=holdout), spec)
    assert "roc_curve" not in plots
    assert "confusion_matrix" in plots


def test_plots_of_probabilities_are_left_out_where_there_are_none(make_spec, make_split, make_best):
    split, spec = make_split(columns=("signal", "noise")), make_spec()
    plots = plots_for(train(split, make_best("sklearn.svm:LinearSVC"), spec), split, spec)
    assert "calibration" not in plots
    assert "roc_curve" in plots


def test_shuffling_the_column_that_decides_costs_most(fitted):
    model, split, _ = fitted("binary_classification")

    def said(frame):
        return predict(model.estimator, frame, split.classes, Task.BINARY)

    truth = split.holdout.target.to_numpy()
    for name in ("roc_auc", "log_loss"):
        losses = permutation_importance(said, split.holdout.features, truth, metric(name, Task.BINARY), 0, rows_for(2))
        assert min(losses["signal"]) > max(losses["noise"]) + 0.05
        assert len(set(losses["signal"])) == 5, "each shuffle is measured on its own rows"


def test_equal_losses_of_all_shuffles_are_drawn():
    """The mean of three times 0.1 is above 0.1: a bar of negative length ended the run."""
    losses = {"a": [0.1, 0.1, 0.1], "b": [-0.1, -0.1, -0.1]}
    assert importance_plot(losses, metric("roc_auc", Task.BINARY), "demo").startswith(PNG)


def test_no_plot_touches_pyplots_global_state(fitted):
    import sys

    plots_for(*fitted("regression"))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_a_tuning_history_is_drawn_with_failed_trials_and_without_any(make_best):
    trials = (
        TrialRecord(number=0, state="complete", family="a", parameters={}, value=0.7),
        TrialRecord(number=1, state="failed", family="b", parameters={}, reason="no"),
    )
    best = make_best("a")
    full = tuning_history_plot(best.model_copy(update={"trials": trials}))
    assert _size(full) == _size(tuning_history_plot(best)) == (640, 480)
    assert full != tuning_history_plot(best)
