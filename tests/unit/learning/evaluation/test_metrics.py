import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.dummy import DummyClassifier

from assay.errors import UnknownMetricError
from assay.learning.evaluation.metrics import METRICS, Metric, measure, metric, primary_metric, register
from assay.learning.evaluation.predictions import Predictions, predict
from assay.specs import Task

CLASSES = ("no", "yes")


def binary(positive_share, classes=CLASSES):
    share = np.asarray(positive_share, dtype=np.float64)
    labels = np.where(share > 0.5, classes[1], classes[0]).astype(object)
    return Predictions(labels, np.column_stack([1 - share, share]), classes)


def value_of(name, task, truth, predictions):
    return measure(metric(name, task), np.asarray(truth), predictions)


TRUTH = np.array(["no", "yes", "yes", "no", "yes", "no"], dtype=object)
SHARES = [0.2, 0.9, 0.4, 0.6, 0.7, 0.1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roc_auc", lambda y, p, h: reference.roc_auc_score(y, p)),
        ("average_precision", lambda y, p, h: reference.average_precision_score(y, p)),
        ("log_loss", lambda y, p, h: reference.log_loss(y, p)),
        ("brier_score", lambda y, p, h: reference.brier_score_loss(y, p)),
        ("accuracy", lambda y, p, h: reference.accuracy_score(y, h)),
        ("balanced_accuracy", lambda y, p, h: reference.balanced_accuracy_score(y, h)),
        ("precision", lambda y, p, h: reference.precision_score(y, h)),
        ("recall", lambda y, p, h: reference.recall_score(y, h)),
        ("f1", lambda y, p, h: reference.f1_score(y, h)),
        ("matthews_corrcoef", lambda y, p, h: reference.matthews_corrcoef(y, h)),
    ],
)
def test_binary_metrics_agree_with_scikit_learn_and_take_the_last_class_as_positive(name, expected):
    shares = np.array(SHARES)
    known = expected((TRUTH == "yes").astype(int), shares, (shares > 0.5).astype(int))
    assert value_of(name, Task.BINARY, TRUTH, binary(SHARES)).value == pytest.approx(known)


@pytest.mark.parametrize("classes", [("no", "yes"), (False, True), (0, 1), (3, 7)])
def test_the_kind_of_label_does_not_change_a_metric(classes):
    truth = np.array([classes[int(label == "yes")] for label in TRUTH], dtype=object)
    for name in METRICS[Task.BINARY]:
        reported = value_of(name, Task.BINARY, truth, binary(SHARES, classes))
        assert reported == value_of(name, Task.BINARY, TRUTH, binary(SHARES)), name


@pytest.mark.parametrize("name", METRICS[Task.REGRESSION])
def test_regression_metrics_have_the_textbook_values(name):
    truth, predicted = np.array([1.0, 2.0, 4.0]), Predictions(np.array([2.0, 2.0, 2.0]), None, ())
    textbook = {
        "rmse": math.sqrt(5 / 3),
        "mae": 1.0,
        "median_ae": 1.0,
        "r2": 1 - 5 / (14 / 3),
        "mape": 0.5,
        "max_error": 2.0,
        "mean_error": -1 / 3,
    }
    assert value_of(name, Task.REGRESSION, truth, predicted).value == pytest.approx(textbook[name])


def test_multiclass_metrics_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    shares = random.dirichlet([1, 1, 1], 60)
    classes = ("a", "b", "c")
    truth = random.choice(classes, 60).astype(object)
    labels = np.array(classes, dtype=object)[shares.argmax(axis=1)]
    said = Predictions(labels, shares, classes)
    known = {
        "f1_macro": reference.f1_score(truth.astype(str), labels.astype(str), average="macro"),
        "recall_macro": reference.recall_score(truth.astype(str), labels.astype(str), average="macro"),
        "log_loss": reference.log_loss(truth.astype(str), shares, labels=list(classes)),
        "roc_auc_ovr": reference.roc_auc_score(truth.astype(str), shares, multi_class="ovr"),
    }
    for name, expected in known.items():
        assert value_of(name, Task.MULTICLASS, truth, said).value == pytest.approx(expected), name


def test_calibration_error_is_the_gap_between_stated_and_observed():
    truth = np.array(["yes"] * 6 + ["no"] * 4, dtype=object)
    assert value_of("expected_calibration_error", Task.BINARY, truth, binary([0.8] * 10)).value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("name", "truth", "predictions", "reason"),
    [
        ("roc_auc", ["no", "no"], binary([0.1, 0.2]), "one class only"),
        ("roc_auc", ["no", "maybe"], binary([0.1, 0.2]), "maybe"),
        ("log_loss", ["no", "yes"], Predictions(np.array(["no", "yes"]), None, CLASSES), "no predict_proba"),
        ("log_loss", ["no", "yes"], binary([np.nan, 0.2]), "not finite"),
        ("precision", ["no", "yes"], binary([0.1, 0.2]), "predicted positive"),
        ("accuracy", [], binary([]), "no row"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_missing_with_its_reason(name, truth, predictions, reason):
    found = measure(metric(name, Task.BINARY), np.array(truth, dtype=object), predictions)
    assert found.value is None
    assert reason in found.reason


def _raises(truth, predictions):
    raise KeyError("inner")


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (lambda t, p: float("nan"), "nan"),
        (lambda t, p: float("inf"), "inf"),
        (lambda t, p: None, "NoneType"),
        (lambda t, p: True, "bool"),
        (lambda t, p: "0.5", "str"),
        (lambda t, p: 1j, "complex"),
        (_raises, "KeyError"),
    ],
)
def test_whatever_a_metric_does_measure_gives_a_reason_and_not_an_exception(compute, reason):
    found = measure(Metric("own", greater_is_better=True, compute=compute), TRUTH, binary(SHARES))
    assert found.value is None
    assert reason in found.reason


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "zz"]), st.floats(0, 1)), min_size=1, max_size=30))
def test_no_rows_make_a_metric_raise_or_return_a_value_that_is_not_finite(rows):
    truth = np.array([label for label, _ in rows], dtype=object)
    said = binary([share for _, share in rows], ("a", "b"))
    for name in METRICS[Task.BINARY]:
        found = measure(metric(name, Task.BINARY), truth, said)
        assert (found.value is None) == bool(found.reason)
        assert found.value is None or math.isfinite(found.value)


def test_a_class_unknown_to_training_counts_as_an_error_of_the_labels():
    truth = np.array(["yes", "maybe"], dtype=object)
    assert value_of("accuracy", Task.BINARY, truth, binary([0.9, 0.9])).value == 0.5


def test_decision_scores_serve_ranking_metrics_and_no_others():
    said = Predictions(np.array(["no", "yes"]), None, CLASSES, scores=np.array([-3.0, 5.0]))
    truth = np.array(["no", "yes"], dtype=object)
    assert value_of("roc_auc", Task.BINARY, truth, said).value == 1
    assert value_of("brier_score", Task.BINARY, truth, said).value is None


def test_probability_columns_follow_the_wanted_order_and_unseen_classes_get_zero():
    frame = pd.DataFrame(np.zeros((4, 1)))
    fitted = DummyClassifier(strategy="prior").fit(frame, ["b", "b", "b", "a"])
    said = predict(fitted, frame, ("b", "c", "a"), Task.MULTICLASS)
    assert said.probabilities[0].tolist() == [0.75, 0.0, 0.25]


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UnknownMetricError, match="did you mean 'roc_auc'"):
        metric("roc_acu", Task.BINARY)


def test_a_metric_of_another_task_is_unknown():
    with pytest.raises(UnknownMetricError):
        metric("rmse", Task.BINARY)


def test_a_metric_of_the_users_own_is_computed_on_labels(tmp_path, monkeypatch):
    code = "def cost(y_true, y_pred):\n    return (y_true != y_pred).sum() * 5\ncost.greater_is_better = False\n"
    (tmp_path / "own_cost_module.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = metric("own_cost_module:cost", Task.BINARY)
    assert not own.greater_is_better
    assert measure(own, TRUTH, binary(SHARES)).value == 10


def test_an_import_path_that_names_no_function_is_refused():
    with pytest.raises(UnknownMetricError):
        metric("math:pi", Task.REGRESSION)
    with pytest.raises(UnknownMetricError):
        metric("no_such_module_at_all:f", Task.REGRESSION)


def test_the_primary_metric_is_the_tasks_default_unless_named(make_spec):
    assert primary_metric(make_spec()).name == "roc_auc"
    assert primary_metric(make_spec("multiclass_classification")).name == "f1_macro"
    assert primary_metric(make_spec("regression")).name == "rmse"
    assert primary_metric(make_spec(evaluation={"primary_metric": "f1"})).name == "f1"


def test_a_signed_metric_cannot_be_primary(make_spec):
    with pytest.raises(UnknownMetricError, match="cannot be optimised"):
        primary_metric(make_spec("regression", evaluation={"primary_metric": "mean_error"}))


def test_a_metric_is_added_by_one_registration(monkeypatch, make_spec):
    monkeypatch.setitem(METRICS, Task.BINARY, METRICS[Task.BINARY])  # removes the entry at the end

    @register(Task.BINARY, greater_is_better=True)
    def rows_scored(truth, _predictions):
        """Toy metric."""
        return float(len(truth))

    assert "rows_scored" in METRICS[Task.BINARY]
    assert "rows_scored" not in METRICS[Task.REGRESSION]
    assert metric("rows_scored", Task.BINARY).compute is rows_scored
    assert primary_metric(make_spec(evaluation={"primary_metric": "rows_scored"})).name == "rows_scored"


@pytest.mark.parametrize("own", [("no", "yes"), ("yes", "no")])
def test_decision_scores_are_of_the_positive_class_whatever_order_the_estimator_has(own):
    class Margins:
        classes_ = np.array(own)

        def predict(self, rows):
            return self.classes_[(self.decision_function(rows) > 0).astype(int)]

        def decision_function(self, rows):
            return rows["x"].to_numpy() * (1 if own[-1] == "yes" else -1)

    said = predict(Margins(), pd.DataFrame({"x": [-2.0, 3.0]}), CLASSES, Task.BINARY)
    assert said.labels.tolist() == ["no", "yes"]
    assert said.scores.tolist() == [-2.0, 3.0]
