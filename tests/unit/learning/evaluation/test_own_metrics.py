"""Metrics of the user's own: what they may ask for, and their direction wherever models are compared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from assay.errors import AssayError, UnknownMetricError
from assay.learning.evaluation.bootstrap import Units
from assay.learning.evaluation.evaluating import evaluate, failed_minimum
from assay.learning.evaluation.metrics import measure, metric, primary_metric
from assay.learning.evaluation.predictions import Predictions
from assay.learning.known_names import name_check
from assay.learning.training import train
from assay.learning.tuning.search import find_best_hyperparameters
from assay.monitoring.regression import evaluate_regression
from assay.promotion.decision import decide
from assay.specs import Task
from assay.specs.loading import parse_pipeline

CODE = """
import numpy as np
from sklearn.metrics import make_scorer, mean_absolute_error, mean_squared_error, r2_score, recall_score

squared_error = mean_squared_error
error_scorer = make_scorer(mean_absolute_error, greater_is_better=False)
r2_scorer = make_scorer(r2_score)
recall_scorer = make_scorer(recall_score, pos_label="yes")

def brier(y_true, y_score):
    return np.mean((y_score - (y_true == "yes")) ** 2)

def weighted_share(y_true, y_pred, sample_weight):
    return np.average(y_true == y_pred, weights=sample_weight)

def revenue(y_true, y_pred, rows):
    return float((rows["amount"] * ((y_true == "yes") & (y_pred == "yes"))).sum())

def cost(truth, said, factor=2):
    return factor * float((truth != said).sum())
cost.greater_is_better = False

def strange(y_true, y_pred, mood):
    return 0.0

def at_positions(y_true, y_pred, /):
    return float((y_true == y_pred).mean())
"""
TRUTH = np.array(["no", "yes", "yes", "no"], dtype=object)
ROWS = pd.DataFrame({"amount": [10.0, 20.0, 30.0, 40.0], "weight": [1.0, 1.0, 2.0, 4.0]})
SAID = Predictions(
    np.array(["no", "yes", "no", "yes"], dtype=object),
    np.column_stack([[0.8, 0.1, 0.6, 0.4], [0.2, 0.9, 0.4, 0.6]]),
    ("no", "yes"),
    rows=ROWS,
)
PIPELINE = """name: bank
task: {task}
dataset: {{source: a.csv, target: y}}
evaluation:
  metrics: []
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_measures.py").write_text(CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def searched(split, spec):
    return find_best_hyperparameters(
        split.train, spec, features=split.features, groups=None, classes=split.classes, progress=None
    )


def value(make_spec, task=Task.BINARY, truth=TRUTH, said=SAID, **declared):
    path = f"own_measures:{declared.pop('path')}"
    spec = make_spec(str(task), evaluation={"metrics": [{"path": path, **declared}]})
    return measure(metric(path, task, spec.evaluation), truth, said).value


def test_a_function_is_given_what_it_asks_for(make_spec):
    assert value(make_spec, path="brier") == pytest.approx((0.04 + 0.01 + 0.36 + 0.36) / 4)
    assert value(make_spec, path="weighted_share", sample_weight="weight") == pytest.approx(2 / 8)
    assert value(make_spec, path="revenue", columns=["amount"]) == 20
    assert value(make_spec, path="cost") == 4
    assert value(make_spec, path="at_positions") == 0.5


def test_a_functions_rows_follow_the_rows_that_are_evaluated(make_spec):
    chosen = np.array([1, 1, 2])
    assert value(make_spec, truth=TRUTH[chosen], said=SAID.take(chosen), path="revenue", columns=["amount"]) == 40


@pytest.mark.parametrize(
    ("name", "remedy"), [("revenue", "columns"), ("weighted_share", "sample_weight"), ("strange", "another name")]
)
def test_a_function_that_asks_for_what_is_not_declared_is_refused(name, remedy):
    with pytest.raises(UnknownMetricError, match="the function asks for") as caught:
        metric(f"own_measures:{name}", Task.BINARY)
    assert remedy in caught.value.remedy


def test_a_scorer_of_an_error_shows_the_error_and_less_is_better(make_spec):
    truth, said = np.array([1.0, 2.0, 4.0]), Predictions(np.array([2.0, 2.0, 2.0]), None, ())
    error, r2 = (metric(f"own_measures:{name}", Task.REGRESSION) for name in ("error_scorer", "r2_scorer"))
    assert (error.greater_is_better, r2.greater_is_better) == (False, True)
    assert measure(error, truth, said).value == 1
    assert measure(r2, truth, said).value == pytest.approx(reference.r2_score(truth, said.labels))
    assert value(make_spec, path="recall_scorer") == 0.5
    weights = pd.DataFrame({"w": [3.0, 1.0, 0.0]})
    weighted = value(make_spec, Task.REGRESSION, truth, said.beside(weights), path="error_scorer", sample_weight="w")
    assert weighted == pytest.approx(3 / 4)


def test_a_scorers_direction_cannot_be_contradicted(make_spec):
    own = {"path": "own_measures:error_scorer", "greater_is_better": True}
    with pytest.raises(UnknownMetricError, match="the opposite"):
        primary_metric(make_spec("regression", evaluation={"primary_metric": own}))


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("  primary_metric: sklearn.metrics:mean_squared_error", "evaluation.primary_metric"),
        ("  minimum: {'sklearn.metrics:mean_squared_error': 3}", "evaluation.minimum"),
        ("  primary_metric: {path: 'own_measures:squared_error'}", "evaluation.primary_metric"),
    ],
)
def test_a_bare_function_that_would_be_compared_is_refused_at_load(line, place):
    text = PIPELINE.format(task="regression") + line + "\n"
    with pytest.raises(AssayError, match="nothing says whether more or less") as caught:
        parse_pipeline(text, where="bank.yaml", names=name_check())
    assert caught.value.where.startswith("bank.yaml:6 ")
    assert place in caught.value.where
    assert "greater_is_better: false" in caught.value.remedy
    if "sklearn" in line:
        assert "neg_mean_squared_error" in caught.value.remedy


@pytest.mark.parametrize(
    "evaluation",
    [
        "  primary_metric: neg_mean_squared_error\n  minimum: {neg_mean_squared_error: -3}",
        "  primary_metric: {path: 'sklearn.metrics:mean_squared_error', greater_is_better: false}",
        "  primary_metric: 'own_measures:error_scorer'",
        "  minimum: {'own_measures:cost': 3}",
    ],
)
def test_a_metric_with_a_direction_is_accepted_at_load(evaluation):
    text = PIPELINE.format(task="regression") + evaluation + "\n"
    parse_pipeline(text, where="bank.yaml", names=name_check())


def test_a_bare_function_is_reported_alone_and_the_report_says_so(make_spec, make_split, make_best):
    spec = make_spec("regression", evaluation={"metrics": ["own_measures:squared_error", "own_measures:cost"]})
    split = make_split("regression")
    report = evaluate(train(split, make_best("ridge"), spec), split, spec)
    assert report.without_direction == ("own_measures:squared_error",)
    assert report.directions == {"own_measures:cost": False}
    assert report.metrics["own_measures:squared_error"] == pytest.approx(report.metrics["rmse"] ** 2)


@pytest.mark.parametrize("bound", [2.0, 0.2])
def test_a_bound_of_an_error_is_a_ceiling(bound, make_spec, make_split, make_best):
    own = {"path": "own_measures:squared_error", "greater_is_better": False}
    wanted = {"metrics": [own], "minimum": {own["path"]: bound, "neg_mean_squared_error": -bound}}
    spec, split = make_spec("regression", evaluation=wanted), make_split("regression")
    report = evaluate(train(split, make_best("ridge"), spec), split, spec)
    missed = [] if report.metrics["rmse"] ** 2 <= bound else sorted(wanted["minimum"])
    assert sorted(failed_minimum(report)) == missed
    assert bool(missed) == (bound == 0.2)


ERRORS = [
    "neg_mean_squared_error",
    "own_measures:error_scorer",
    {"path": "sklearn.metrics:mean_squared_error", "greater_is_better": False},
]


@pytest.mark.parametrize(
    "primary",
    [*(pytest.param(each, marks=pytest.mark.full) for each in ERRORS[:2]), *ERRORS[2:]],
    ids=["name", "scorer", "function"],
)
def test_search_decision_and_regression_take_the_model_of_less_error(primary, make_spec, make_split, make_best):
    parts = {
        "model": {"candidates": ["ridge", "sklearn.dummy:DummyRegressor"]},
        "tuning": {"n_trials": 2, "search_space": {"ridge.alpha": {"type": "categorical", "choices": [1.0]}}},
        "evaluation": {"primary_metric": primary, "must_beat_baseline": True},
    }
    spec, split = make_spec("regression", **parts), make_split("regression")
    best = searched(split, spec)
    assert best.family == "ridge"
    good = train(split, best, spec)
    poor = train(split, make_best("sklearn.dummy:DummyRegressor"), spec)
    reports = {id(model): evaluate(model, split, spec) for model in (good, poor)}
    assert decide(good, poor, split, reports[id(good)], spec).verdict == "promoted"
    assert decide(poor, None, split, reports[id(poor)], spec).verdict == "rejected_below_baseline"
    loose = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"must_beat_baseline": False})})
    assert decide(poor, good, split, evaluate(poor, split, loose), loose).verdict == "kept_champion"
    rows = (split.holdout, split.holdout)
    worse = evaluate_regression(("2", poor), ("1", good), rows, Units(), [], spec, partition="")
    better = evaluate_regression(("2", good), ("1", poor), rows, Units(), [], spec, partition="")
    assert (worse.regressed, better.regressed) == (True, False)


def test_a_revenue_metric_is_searched_decided_and_resampled_on_its_rows(make_spec, make_split, make_best):
    own = {"path": "own_measures:revenue", "greater_is_better": True, "columns": ["amount"]}
    spec = make_spec(evaluation={"primary_metric": own}, model={"candidates": ["logistic_regression"]}, tuning={
        "n_trials": 2, "search_space": {"C": {"type": "categorical", "choices": [1.0, 0.1]}}})  # fmt: skip
    split = make_split()
    random = np.random.default_rng(0)
    asked = [pd.DataFrame({"amount": random.exponential(100, n)}) for n in (240, 160)]
    split = replace(
        split,
        train=replace(split.train, metric_columns=asked[0]),
        holdout=replace(split.holdout, metric_columns=asked[1]),
    )
    model = train(split, searched(split, spec), spec)
    report = evaluate(model, split, spec)
    hit = (split.holdout.target == "yes").to_numpy() & (model.estimator.predict(split.holdout.features) == "yes")
    assert report.metrics[own["path"]] == pytest.approx(float(asked[1]["amount"][hit].sum()))
    mixed = replace(split.train, target=split.train.target.sample(frac=1, random_state=0).reset_index(drop=True))
    poor = train(replace(split, train=mixed), make_best("logistic_regression"), spec)
    decision = decide(model, poor, split, report, spec)
    assert decision.verdict == "promoted"
    assert "by 6 pairs of fits on halves of the rows" in decision.reason
