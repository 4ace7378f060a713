"""Each sentence is made of the value that it speaks of: another value gives another sentence."""

from types import SimpleNamespace as Thing

import numpy as np
import pandas as pd
import pytest

from assay.arrivals.scan import ScanResult
from assay.counting import counted, first_of, percent
from assay.errors import LearningError
from assay.learning.reproduction import Difference, Reproduction, in_words
from assay.live.comparison import LiveComparison, Look
from assay.live.comparison import _in_words as comparison_in_words
from assay.live.decision import live_decision, problem_of
from assay.monitoring.estimates import PerformanceEstimate
from assay.monitoring.performance import PerformanceReport
from assay.prediction.checks import as_holdout, complete, fallbacks, in_range_of
from assay.reporting.page import _warnings
from assay.reporting.series import series_chart
from assay.results.evaluation_report import EvaluationReport
from assay.specs.learning import EvaluationSpec
from assay.specs.operations import PredictionChecks
from assay.specs.pipeline import Task
from ml_assets import planning
from ml_assets.assets import batch_predictions, live_performance
from ml_assets.assets.backtest_report import check_of_future
from ml_assets.assets.evaluation_report import checks_of_retry
from ml_assets.assets.live_performance import _loss_in_words, _nothing
from ml_assets.assets.live_performance import _states as live_states
from ml_assets.assets.monitoring_reports import _estimate_state, _performance_metadata
from ml_assets.assets.prediction_log import _check_results
from ml_assets.assets.regression_report import _why_not
from ml_assets.assets.served_drift import _states as served_states
from ml_assets.assets.served_labels import _check_of
from ml_assets.commands import reproduce
from ml_assets.commands.forget import _found, _model, _rows, _unsearched
from ml_assets.planning import PlannedAsset, _named

DRIFT = {"status": "judged", "alarm": True, "alarm_features": ("age",), "windows": ("d1", "d2", "d3")}
ESTIMATE = PerformanceEstimate(
    method="CBPE", partition="2024-05", value=0.71234, lower=0.7, upper=0.75, loss=0.02, share_worse=0.3
)


# ---------------------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize(("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1000, "1,000 rows")])
def test_counts(number, said):
    assert counted(number, "row") == said


def test_counts_of_other_plurals():
    assert [counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]


@pytest.mark.parametrize(("most", "said"), [(1, "a; and 2 more"), (2, "a; b; and 1 more"), (3, "a; b; c")])
def test_the_first_of_many(most, said):
    assert first_of(["a", "b", "c"], most) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0%"), (0.9496, "94.9%"), (0.95, "95%"), (0.9999, "99.9%"), (1, "100%"), (0.29, "29%"), (0.57, "57%")],
)
def test_a_share_below_a_bound_is_not_shown_as_the_bound(share, said):
    assert percent(share) == said


# ------------------------------------------------------------------------------------------------- live and drifted


def _live(verdict="challenger_better", gain=0.02, **changes):
    look = Look(
        day="2024-05-03", champion_rows=1200, challenger_rows=300, gain=gain, lower=gain - 0.01, upper=gain + 0.01
    )
    facts = {
        "experiment": "1:2", "champion_version": "1", "challenger_version": "2", "design": "arms", "unit": "key",
        "loss": "brier", "metric": "roc_auc", "metric_is_mean": False, "confidence": 0.95, "champion_units": 12,
        "challenger_units": 1, "looks": (look,), "verdict": verdict, "decided_on": "2024-05-02", "reason": "",
    }  # fmt: skip
    return LiveComparison.model_construct(**facts | changes)


@pytest.mark.parametrize(
    ("verdict", "gain", "decided", "said"),
    [
        (
            "challenger_better", 0.02, "2024-05-02",
            ("version 2 against 1: the challenger is better since 2024-05-02; its mean brier loss is lower by 0.02 (gain "
            "+0.01 to +0.03 at 95%, whichever day it is), by 1,200 and 300 rows"),
        ),
        (
            "challenger_worse", -0.02, "2024-05-01",
            ("version 2 against 1: the challenger is worse since 2024-05-01; its mean brier loss is higher by 0.02 (gain "
            "-0.03 to -0.01 at 95%, whichever day it is), by 1,200 and 300 rows"),
        ),
        (
            "undecided", 0.005, "",
            ("version 2 against 1: no difference is shown yet; its mean brier loss is lower by 0.005 (gain -0.005 to "
            "+0.015 at 95%, whichever day it is), by 1,200 and 300 rows"),
        ),
    ],
)  # fmt: skip
def test_a_live_comparison(verdict, gain, decided, said):
    assert comparison_in_words(_live(verdict, gain, decided_on=decided)) == said


def test_a_live_comparison_of_too_few():
    said = comparison_in_words(_live("too_few", unit="request"))
    assert said.startswith("version 2 against 1: too few labels yet (12 and 1 requests; at least 30 of each")


def test_what_followed_a_live_verdict_and_its_loss():
    assert (
        _nothing(Thing(comparison=None)) == _nothing(Thing(comparison=_live(missing_share=0.0, unfair=""))) == "nothing"
    )
    missing = _nothing(Thing(comparison=_live(missing_share=0.123, unfair="")))
    assert missing == "nothing; 12.3% of the experiment's labels are missing"
    unfair = _nothing(Thing(comparison=_live(missing_share=0.123, unfair="p is small")))
    assert unfair == "nothing; the arms are not compared fairly: p is small"
    assert _loss_in_words(_live(loss="mae", metric="rmse", metric_is_mean=True)) == "mae, of which rmse is the mean"
    assert _loss_in_words(_live()).startswith("brier, which stands for roc_auc: that is no mean of losses")


def test_labels_that_are_missing():
    counts = Thing(missing=3, labelled=997, missing_share=0.003, waiting=1500)
    spec = Thing(serving=Thing(labels=Thing(max_missing=0.05)))
    found = live_states(Thing(comparison=None, labels=counts), spec)
    assert found["labels_arrive_in_time"] == (
        True, "3 of 1,000 predictions older than the delay lack a label (0.3%; 5.0% may); 1,500 wait"
    )  # fmt: skip
    assert found["challenger_not_worse"] == (True, "no experiment")
    worse = live_states(Thing(comparison=_live("challenger_worse", reason="it is worse"), labels=counts), spec)
    assert worse["challenger_not_worse"] == (False, "it is worse")


def test_shares_of_the_arms_and_reused_ids():
    ratio = {"experiment": "1:2", "found": 0.21234, "keys": 1200, "share": 0.3, "probability": 0.00001}
    wrong, reused = _check_results(Thing(ratios=[Thing(**ratio)], reused=1200))
    assert wrong.description.replace("&#58;", ":").startswith("1:2: 0.2123 of 1,200 keys, 0.3 declared (p = 1e-05)")
    assert "a comparison of the arms is not fair" in wrong.description
    assert reused.description == (
        "1,200 rows have the request id of other rows, and are left out: each request needs its own"
    )
    fair, unique = _check_results(Thing(ratios=[Thing(**ratio | {"probability": 0.4})], reused=0))
    assert (fair.passed, "not fair" in fair.description) == (True, False)
    assert unique.description == "each request id is of one request"
    none, _ = _check_results(Thing(ratios=[], reused=0))
    assert none.description == "no challenger answered"


def _served(**changes):
    return served_states(Thing(**{"skew": (), "drift": None, "estimate": None} | changes))


def test_what_was_served_again():
    same = Thing(version="3", rows=1200, passed=True, first="", reason="")
    assert _served(skew=(same,))["served_predictions_match_batch"] == (True, "1,200 rows of version 3 are the same")
    other = Thing(version="4", rows=5, passed=False, first="row 1 of request r: age", reason="")
    said = _served(skew=(same, other))["served_predictions_match_batch"]
    assert said == (False, "version 4: row 1 of request r: age")
    assert _served()["served_predictions_match_batch"] == (True, "nothing was served yet")


def test_served_drift_names_the_days_on_which_a_feature_drifted():
    drift = Thing(**DRIFT, drifted_in={"age": ("d1", "d3")})
    assert _served(drift=drift)["served_rows_not_drifted"] == (False, "age drifted in the windows d1, d3")
    calm = Thing(**DRIFT | {"alarm": False}, drifted=())
    assert _served(drift=calm)["served_rows_not_drifted"] == (True, "no alarm: nothing drifted in this window")
    assert _served()["served_rows_not_drifted"] == (True, "not compared")


@pytest.mark.parametrize(("loss", "said"), [(0.02, "a loss of 0.02"), (-0.03, "a gain of 0.03")])
def test_estimates_of_what_was_served(loss, said):
    found = _served(estimate=ESTIMATE.model_copy(update={"loss": loss}))["served_performance_held"]
    assert found == (True, f"estimated at 0.7123, {said}")


def test_estimates_of_a_window():
    report = PerformanceReport.model_construct(metric="roc_auc", estimate=ESTIMATE)
    assert _estimate_state(report) == (True, "roc_auc is estimated at 0.7123 (0.7 to 0.75) without labels")
    assert _estimate_state(report.model_copy(update={"estimate": None})) == (True, "not estimated")


def test_labels_that_were_read():
    reading = {"rows": 1, "added": 1, "corrected": 0, "unusable": 0, "conflicts": 0}
    assert _check_of(Thing(**reading)).description == "1 row read, 1 new, 0 corrected"
    found = _check_of(Thing(**reading | {"unusable": 2, "conflicts": 1}))
    assert found.description == (
        "2 rows without a key or a label; 1 key with two labels of one time, neither of which counts"
    )


# ----------------------------------------------------------------------------------------- evaluations and decisions


def test_a_longer_search():
    report = EvaluationReport(
        pipeline="bank", task=Task.BINARY, family="ridge", primary_metric="roc_auc", greater_is_better=True,
        holdout_rows=200, holdout_digest="h", metrics={"roc_auc": 0.61}, baseline={}, minimum={"roc_auc": 0.7},
    )  # fmt: skip
    spec = Thing(promotion=Thing(retry_factor=3, below_minimum="retry"))
    said = []
    for factor in (1, 3):
        best = Thing(searched=True, search_factor=factor, stopped_by="n_trials")
        said.append([each.description for each in checks_of_retry(report, best, spec, as_in_file=True)])
    assert said[0][0] == "roc_auc is 0.61, required at least 0.7; a search of 3 times the trials follows"
    assert said[1] == [
        "no longer search begins",
        "roc_auc is 0.61, required at least 0.7, also after the longer search: nothing further is started",
    ]


def test_a_backtest_that_looked_ahead():
    result = Thing(as_of="2024-02", newest_training_row="2024-03-01", trained_on=("2024-01",))
    ahead = check_of_future(Thing(looking_ahead=("2024-02", "2024-05"), results=[result]))
    assert (ahead.passed, ahead.description) == (False, "trained on later rows as of 2024-02, 2024-05")
    assert check_of_future(Thing(looking_ahead=(), results=[result])).description == "no model saw later rows"


def test_why_no_regression_was_looked_for():
    assert _why_not(None, None) == "there was no champion before, or it was chosen by a person"
    assert _why_not(Thing(), None) == "it is not known which rows the two learned from"
    assert _why_not(Thing(), Thing(num_rows=1)) == "only 1 row new to both, fewer than promotion.min_rows"
    assert "12 rows" in _why_not(Thing(), Thing(num_rows=12))


def test_a_rebuild():
    found = Reproduction(1200, 0, "a" * 64, "a" * 64, (Difference("code", "1 then, 2 now"),))
    assert in_words(found, "cars version 1")[:3] == [
        "cars version 1: rebuilt",
        "predictions: bit-identical on 1,200 rows",
        f"bundle digest: the same, {'a' * len(in_words(found, '')[2].rpartition(' ')[2])}",
    ]
    assert in_words(found, "")[3] == "changed since, without effect on predictions: code: 1 then, 2 now"
    other = in_words(Reproduction(1200, 7, "a" * 64, "b" * 64, found.differences), "cars version 1")
    assert other == [
        "cars version 1: rebuilt, and not the same",
        "predictions: 7 of 1,200 rows differ",
        "first difference: code: 1 then, 2 now",
    ]
    never = in_words(Reproduction(1200, None, "a" * 64, "", found.differences), "cars version 1")
    assert never == ["cars version 1: cannot be rebuilt", "first difference: code: 1 then, 2 now"]


# -------------------------------------------------------------------------------------------------- predicted batches


def _manifest(**reference):
    facts = {"rows": 500, "low": 0.0, "high": 10.0, "quantiles": (0.0, 5.0, 10.0), "present": ("age",)}
    return Thing(task=Thing(is_classification=False), reference=Thing(**facts | reference))


def _batch(*values):
    found = Thing(labels=np.array(values, dtype=float), probabilities=None)
    return Thing(found=found, rows=len(values), features=None)


def test_the_range_of_predictions():
    check = in_range_of(_batch(1, 99, 99).found, _manifest(), PredictionChecks(range_margin=0.5))
    assert check.found == "2 of 3 rows, the first in row 2"
    assert check.expected == "from -5 to 15: the training targets and 0.5 of their range beyond"


def test_the_distribution_of_predictions():
    check = as_holdout(_batch(*[10.0] * 40), _manifest(), PredictionChecks(max_change=0.3))
    assert check.found == "a distance of 0.667 from the holdout's predictions"
    chance = np.sqrt(np.log(2 / 0.001) / 2 * (1 / 40 + 1 / 500))
    assert check.expected == f"at most 0.3, and {chance:.3f} for chance"
    other = as_holdout(_batch(0.0, 5.0, 10.0), _manifest(), PredictionChecks(max_change=0.2))
    assert other.found == "a distance of 0.000 from the holdout's predictions"
    assert other.expected.startswith("at most 0.2, and 1.1")


def test_a_batch_without_rows_is_not_a_model_of_an_earlier_version():
    for check in (as_holdout, fallbacks):
        assert check(_batch(), _manifest(), PredictionChecks()).found == "not checked: there are no rows to predict"
        old = check(_batch(1.0), Thing(reference=None), PredictionChecks())
        assert "a model of an earlier version" in old.found


def test_the_share_of_fallbacks(monkeypatch):
    missing = pd.DataFrame({"age": [True, True, False], "zip": [True, False, False]})
    monkeypatch.setattr("assay.prediction.checks.missing_in", lambda *_: missing)
    manifest = _manifest(present=("age", "zip"))
    manifest.features = Thing(project=lambda _: None)
    batch = _batch(1, 2, 3)
    batch.features = missing
    found = fallbacks(batch, manifest, PredictionChecks(max_fallbacks=0.2, fallback_missing=0.5))
    assert found.found == "33.3% of the rows lack more than 50% of the features that are usually there"
    assert found.expected == "at most 20.0%"


def test_a_challenger_that_misses_a_minimum_or_predicts_something_else():
    evaluation = EvaluationSpec.model_validate_json('{"minimum": {"accuracy": 0.9, "f1": 0.1}}')
    spec = Thing(evaluation=evaluation, task=Task.BINARY)
    kept = live_decision(_live(metric="accuracy", reason="better"), {}, {"accuracy": 0.8, "f1": 0.5}, spec)
    assert "it misses evaluation.minimum on live predictions: accuracy" in kept.reason
    promoted = live_decision(_live(metric="accuracy", reason="better"), {}, {"accuracy": 0.95, "f1": 0.5}, spec)
    assert promoted.reason == "Better on live predictions: better."
    model = Thing(manifest=Thing(task="regression", target="price"))
    spec = Thing(task="regression", dataset=Thing(target="cost"))
    assert problem_of(model, spec, "") == "it predicts another target: regression of 'price'"


def test_the_number_of_predictions():
    published = Thing(num_rows=1200, column=lambda _: None)
    found = complete(Thing(published=published, rows=1201, keys=Thing(column_names=[])), None, None)
    assert (found.passed, found.found) == (False, "1,200 predictions for 1,201 rows")


# --------------------------------------------------------------------------------------------- plans, scans, removals


@pytest.mark.parametrize(
    ("assets", "said"),
    [
        ([("raw_dataset", None)], "raw_dataset"),
        ([("raw_dataset", "2024-01")], "raw_dataset of 2024-01"),
        ([("raw_dataset", "2024-01"), ("raw_dataset", "2024-02"), ("x", None)], "raw_dataset of 2024-01 and 2 more"),
    ],
)
def test_planned_assets(assets, said):
    assert _named([PlannedAsset(name, partition, "run", "", changes_value=True) for name, partition in assets]) == said


def _scanned(*, scanned=True, **changes):
    state = Thing(scanned=scanned, source="in/*.csv")
    return ScanResult(**{"state": state, "arrivals": (), "objects": 1200, "waiting": ()} | changes).message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scanned": False}, "first scan: 1,200 objects so far, 0 runs requested"),
        ({"scanned": False, "objects": 1, "arrivals": (1,)}, "first scan: 1 object so far, 1 run requested"),
        ({"arrivals": (1, 2)}, "2 of 1,200 objects new"),
        ({}, "nothing new among 1,200 objects of in/*.csv"),
        ({"waiting": ("a",)}, "; 1 waits for its partition, e.g. a"),
        ({"waiting": ("a", "b")}, "; 2 wait for their partitions, e.g. a"),
        ({"unsettled": ("c",)}, "; 1 waits until it stays unchanged, e.g. c"),
        ({"unsettled": ("c", "d")}, "; 2 wait until they stay unchanged, e.g. c"),
        ({"set_aside": {"e": "no date"}}, "; 1 set aside, e.g. e: no date"),
    ],
)
def test_a_scan(changes, said):
    assert _scanned(**changes).endswith(said)


def test_what_is_forgotten():
    assert list(_rows({"a/raw_dataset, version 1": 1, "b": 1200}, done=True)) == [
        "         1 row removed from a/raw_dataset, version 1",
        "    1,200 rows removed from b",
    ]
    assert list(_rows({}, done=False)) == ["no stored table holds such rows"]
    found = Thing(held=(), logged=(), whole=(), copies=("c",), files=("f",), left=("x",), models=())
    assert list(_found(found))[1:] == [
        "would remove c",
        "would write the newest rows to f, or remove it",
        "would remove 1 file that an earlier command has left",
    ]
    model = {"model": "a/trained_model, version 1", "registered": (), "is_champion": False, "shows_rows": False}
    assert _model(Thing(**model)) == "learned from them: a/trained_model, version 1"
    known = {"registered": ("a version 1", "a version 2"), "is_champion": True, "shows_rows": True}
    assert _model(Thing(**model | known)) == (
        "learned from them: a/trained_model, version 1, registered as a version 1, a version 2, the champion; its input "
        "example shows one"
    )
    assert list(_unsearched(Thing(unsearched=()))) == []
    left = Thing(asset=("a", "raw_dataset"), partition=None, number=3)
    assert list(_unsearched(Thing(unsearched=(left,)))) == [
        "not searched, since columns of the expression are missing: a/raw_dataset, version 3"
    ]


def test_a_drawn_series_ends_with_its_newest_value():
    chart = series_chart("t", "c", ["1", "2", "3"], {"measured": [0.1, 0.2, 0.34567], "before": [0.5, 0.4, None]})
    assert chart.in_words == "measured: 0.3457 at last; before: 0.4 at last"


def test_figures_that_are_missing_are_not_called_figures():
    report = PerformanceReport.model_construct(
        metric="mae", estimate=None, calibration=None, value_at_promotion=None, value_now=None, reason="no labels",
        baseline_now=None, loss=None, loss_lower=None, loss_upper=None, share_worse=None, degraded_by=(),
        training_due=False, champion_version="3", labelled_partition="", partition="", rows=0, alarm_start=False,
    )  # fmt: skip
    found = _performance_metadata(report)
    assert found["mae now"] == "no labels"
    assert found["mae at promotion"] == "not recorded"
    assert (found["loss"], found["interval of the loss"], found["degraded by"]) == ("not known", "none", "nothing")
    changes = {"loss": 0.2, "loss_lower": 0.1, "loss_upper": 0.3, "degraded_by": ("loss",), "estimate": ESTIMATE}
    known = _performance_metadata(report.model_copy(update=changes))
    assert (known["loss"], known["interval of the loss"], known["degraded by"]) == (0.2, "0.1 to 0.3", "loss")
    assert known["mae estimated without labels"] == 0.71234
    assert known["interval of the estimate"] == "0.7 to 0.75"


def test_an_asset_that_the_gate_refused_before(monkeypatch):
    monkeypatch.setattr(planning, "changed_parts", lambda *_: ())
    newest = Thing(code_version="", status="rejected", number=4)
    planner = Thing(
        artifacts=Thing(log=Thing(newest=lambda *_: newest)), spec=Thing(name="cars"), _other_inputs=lambda *_: ""
    )
    stage = Thing(name="validated_dataset", code_version=lambda _: "")
    found = planning.Planner._judged(planner, stage, None, [])
    assert (found.action, found.reason) == ("blocked", "the gate refused version 4, and nothing has changed since")
    newest.status = "published"
    assert planning.Planner._judged(planner, stage, None, []).reason == "version 4 is of the same code and inputs"


@pytest.mark.parametrize(("partitioned", "which"), [(True, "each partition of the"), (False, "the newest")])
def test_of_which_rows_batch_predictions_are(partitioned, which, monkeypatch):
    monkeypatch.setattr(batch_predictions, "_is_partitioned", lambda _: partitioned)
    said = f"Predictions of the champion for {which} validated rows, or for those of scoring.source."
    assert batch_predictions._description(None) == said


def test_a_warning_of_the_gate_on_the_report():
    warned = {"column": "age", "rule": "values_in_range", "found": "2 outside"}
    facts = {"doubts": (), "training_rows_known": True, "of_recipe": ""}
    for column, said in (("age", "age"), ("", "the rows")):
        evaluation = Thing(gate_warnings=[Thing(**warned | {"column": column})], **facts)
        assert list(_warnings(Thing(evaluation=evaluation))) == [
            f"The gate warned of {said} (values_in_range): 2 outside."
        ]


def test_a_challenger_whose_metric_has_no_value(monkeypatch):
    monkeypatch.setattr(live_performance, "live_decision", lambda *_: None)
    monkeypatch.setattr(live_performance, "kept", lambda found, name, why: (name, why))
    spec = Thing(serving=Thing(on_verdict="promote"), space=Thing(experiment=""), registered_name="cars")
    report = Thing(versions=[])
    kept = live_performance._followed(None, report, _live(metric="f1"), None, spec)
    assert kept == ("cars", "its f1 on live predictions has no value")


def test_a_fit_that_fails_again(monkeypatch):
    def failing(*_):
        raise LearningError("the rows have one class")

    for name in ("_own_code_changed", "recorded_spec", "_rows", "_parent"):
        monkeypatch.setattr(reproduce, name, lambda *_, **__: None)
    monkeypatch.setattr(reproduce, "changes_since", lambda *_, **__: ())
    monkeypatch.setattr(reproduce, "rebuilt", failing)
    monkeypatch.setattr(reproduce, "_not_rebuilt", lambda _, differences: differences)
    registry = Thing(recorded=lambda *_: Thing(model=Thing(manifest=None), digest=""))
    deployment = Thing(
        pipeline=lambda _: Thing(registered_name="cars"), artifacts=None, resources={"model_registry": registry},
        settings=Thing(checkout=Thing(state=lambda: None)),
    )  # fmt: skip
    (difference,) = reproduce.reproduced(deployment, "cars", "1")
    assert difference.what.startswith("the fit fails: the rows have one class")
