from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from assay.errors import EmptyDataError, MetricUnavailableError, MissingColumnError
from assay.learning.evaluation.evaluating import beats_baseline, evaluate, failed_minimum
from assay.learning.evaluation.metrics import METRICS
from assay.learning.training import train
from assay.specs import Task


@pytest.fixture
def judged(make_spec, make_split, make_best):
    def judge(task="binary_classification", family=None, split=None, **parts):
        rows, spec = split or make_split(task), make_spec(task, **parts)
        name = family or ("ridge" if task == "regression" else "logistic_regression")
        model = train(rows, make_best(name), spec)
        return evaluate(model, rows, spec), model, rows

    return judge


@pytest.mark.parametrize("task", list(Task))
def test_every_default_metric_has_a_value_or_a_reason(task, judged):
    report, _, _ = judged(str(task))
    assert set(report.metrics) | set(report.missing_metrics) == set(METRICS[task])
    assert all(report.missing_metrics.values())
    assert report.primary_metric in report.metrics


def test_metrics_are_of_the_holdout(judged):
    report, model, split = judged()
    shares = model.estimator.predict_proba(split.holdout.features)[:, 1]
    assert report.metrics["roc_auc"] == pytest.approx(roc_auc_score(split.holdout.target == "yes", shares))
    assert (report.holdout_rows, report.holdout_digest) == (160, split.holdout_digest)


def test_the_baseline_is_learned_from_the_training_rows_alone(judged):
    report, _, split = judged("regression")
    gap = split.holdout.target - split.train.target.mean()
    assert report.baseline["rmse"] == pytest.approx(float(np.sqrt((gap**2).mean())))


def test_the_baseline_of_classes_states_their_training_shares(judged):
    report, _, split = judged()
    assert report.baseline["roc_auc"] == 0.5
    share = (split.train.target == "yes").mean()
    assert report.baseline["brier_score"] == pytest.approx(((share - (split.holdout.target == "yes")) ** 2).mean())


def test_slices_cut_the_holdout_by_value_missing_included(judged):
    report, _, split = judged(evaluation={"slices": ["colour"]})
    counts = split.holdout.features["colour"].fillna("(missing)").value_counts().to_dict()
    assert {part.value: part.rows for part in report.slices} == counts
    assert sum(part.rows for part in report.slices) == 160


def test_a_column_of_many_values_gives_twenty_slices_and_small_ones_leave_out_what_has_no_value(judged):
    report, _, _ = judged(evaluation={"slices": ["signal"]})
    assert len(report.slices) == 20
    assert all(part.rows == 1 and "roc_auc" not in part.metrics for part in report.slices)


def test_values_of_personal_data_are_not_shown(judged, make_split):
    split = make_split(columns=("signal", "colour"))
    columns = tuple(column.model_copy(update={"pii": True}) for column in split.features.columns)
    split = replace(split, features=split.features.model_copy(update={"columns": columns}))
    report, _, _ = judged(split=split, evaluation={"slices": ["colour"]})
    assert "red" not in report.model_dump_json()
    assert sum(part.rows for part in report.slices) == 160


def test_an_unknown_slice_is_refused_with_the_nearest_name(judged):
    with pytest.raises(MissingColumnError, match="did you mean 'colour'"):
        judged(evaluation={"slices": ["color"]})


def test_a_missing_primary_metric_blocks_with_its_reason(judged, make_split):
    split = make_split()
    yes = (split.holdout.target == "yes").to_numpy()
    rows = replace(
        split.holdout,
        features=split.holdout.features[yes].reset_index(drop=True),
        target=split.holdout.target[yes].reset_index(drop=True),
    )
    with pytest.raises(MetricUnavailableError, match="one class only"):
        judged(split=replace(split, holdout=rows))
    report, _, _ = judged(split=replace(split, holdout=rows), evaluation={"primary_metric": "accuracy"})
    assert "one class only" in report.missing_metrics["roc_auc"]


def test_an_empty_holdout_is_refused(judged, make_split):
    with pytest.raises(EmptyDataError):
        judged(split=make_split(holdout=0))


@pytest.mark.parametrize(
    ("task", "value", "baseline", "beats"),
    [
        ("binary_classification", 0.6, 0.5, True),
        ("binary_classification", 0.5, 0.5, False),  # as good as a constant
        ("regression", 1.9, 2.0, True),
        ("regression", 2.0, 2.0, False),
        ("regression", 2.1, 2.0, False),
        ("regression", 2.1, None, True),  # nothing to beat
    ],
)
def test_only_a_better_primary_metric_beats_the_baseline(judged, task, value, baseline, beats):
    report, _, _ = judged(task)
    name = report.primary_metric
    of_baseline = {} if baseline is None else {name: baseline}
    assert beats_baseline(report.model_copy(update={"metrics": {name: value}, "baseline": of_baseline})) == beats


def test_the_minimum_is_a_floor_or_a_ceiling_by_the_metrics_direction(judged):
    minimum = {"roc_auc": 0.1, "log_loss": 0.0001, "f1": 0.9999}
    report, _, _ = judged(evaluation={"minimum": minimum})
    assert set(failed_minimum(report)) == {"log_loss", "f1"}


def test_a_metric_that_is_missing_fails_its_minimum(judged):
    report, _, _ = judged()
    broken = report.model_copy(update={"minimum": {"recall": 0.0}, "metrics": {"roc_auc": 0.9}})
    assert failed_minimum(broken) == {"recall": None}
