"""Versions and arms measured by labels, and the verdict on two of them."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from served_rows import START, served

from assay.learning.evaluation.evaluating import measured
from assay.learning.evaluation.metrics import metrics_of
from assay.live.comparison import compare_live, current_experiment, unfairness_of
from assay.live.joining import LabelCounts, LabelledLog
from assay.live.performance import decision_starts, evaluate_live
from assay.specs import PipelineSpec

DAY = dt.timedelta(days=1)
NO_COUNTS = LabelCounts(predictions=0, labelled=0, early=0, waiting=0, missing=0, late=0, orphans=0)
FACTS = {"as_of": START + 40 * DAY, "champion_version": "3"}


def pipeline(task="binary_classification", metric="roc_auc", **serving):
    facts = {
        "name": "loans",
        "task": task,
        "dataset": {"source": "data/loans.csv", "target": "late"},
        "evaluation": {"primary_metric": metric},
        "serving": {"labels": {"source": "labels.csv", "delay": "7d"}, "challenger": {"by": "customer"}} | serving,
    }
    return PipelineSpec.model_validate_json(json.dumps(facts))


SPEC = pipeline()


def side(version, arm, signal, *, rows=2000, seed=0, days=10, experiment="3:7", shadow=False, customers=300):
    """Return the labelled rows of one version, whose probabilities follow the truth as strongly as `signal` says."""
    random = np.random.default_rng(seed)
    truth = random.random(rows) < 0.4
    noise = np.random.default_rng(seed + 50).standard_normal(rows) + signal * np.where(truth, 1, -1)
    likely = 1 / (1 + np.exp(-noise))
    day = np.sort(random.integers(0, days, rows))
    prefix = "s" if shadow or arm == "champion" else "c"
    log = served(
        [f"{'s' if shadow else prefix}{number}" for number in range(rows)],
        version=version,
        arm=arm,
        shadow=shadow,
        experiment=experiment,
        key=[f"{prefix}{number}" for number in random.integers(0, customers, rows)],
        time=[START + int(each) * DAY for each in day],
        label=["True" if each > 0.5 else "False" for each in likely],
        shares={"False": 1 - likely, "True": likely},
    )
    counted = np.datetime64("2026-03-08", "us") + day * np.timedelta64(1, "D")
    return LabelledLog(log, np.where(truth, "True", "False").astype(object), counted, NO_COUNTS)


def together(*parts):
    return LabelledLog(
        pa.concat_tables([part.log for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.counted_at for part in parts]),
        parts[0].counts,
    )


def compared(labelled, spec=SPEC, experiment="3:7"):
    return compare_live(labelled, experiment, (False, True), spec.serving.labels, spec, "roc_auc")


def test_a_better_challenger_is_found_and_the_day_is_named():
    found = compared(together(side("3", "champion", 0.4, rows=500), side("7", "challenger", 1.2, rows=500, seed=1)))
    assert found.verdict == "challenger_better"
    assert (found.loss, found.metric_is_mean, found.design, found.unit) == ("brier", False, "arms", "key")
    days = [look.day for look in found.looks]
    assert days == [f"2026-03-{8 + number:02d}" for number in range(10)]
    decided = days.index(found.decided_on)
    assert all(look.lower > 0 for look in found.looks[decided:])
    assert found.looks[decided - 1].lower is None or found.looks[decided - 1].lower <= 0
    assert "version 7 against 3: the challenger is better since" in found.reason
    assert 200 < found.champion_units < 300


def test_a_worse_challenger_is_found():
    found = compared(together(side("3", "champion", 1.2), side("7", "challenger", 0.2, seed=1)))
    assert found.verdict == "challenger_worse"
    assert found.is_decided


def test_the_same_model_twice_is_no_verdict():
    found = compared(together(side("3", "champion", 0.8), side("7", "challenger", 0.8, seed=1)))
    assert (found.verdict, found.decided_on) == ("undecided", "")


def test_few_customers_are_too_few_however_often_they_come():
    found = compared(
        together(side("3", "champion", 0.2, customers=20), side("7", "challenger", 1.2, seed=1, customers=20))
    )
    assert found.verdict == "too_few"
    assert "20 and 20 keys" in found.reason


def test_the_shadow_is_compared_row_by_row():
    champion = side("3", "champion", 0.75, rows=1500)
    shadow = side("7", "challenger", 0.9, rows=1400, shadow=True)
    shadow = LabelledLog(shadow.log, champion.truth[:1400], champion.counted_at[:1400], NO_COUNTS)
    logged = champion.where(np.arange(1500) >= 50)
    found = compared(together(logged, shadow))
    assert found.design == "shadow"
    assert found.looks[-1].champion_rows == found.looks[-1].challenger_rows == 1350


def test_an_experiment_is_compared_by_itself():
    newest = side("3", "champion", 0.8, rows=300, experiment="3:8")
    old = side("7", "challenger", 1.2, seed=1)
    assert current_experiment(together(newest, old).log) in {"3:8", "3:7"}
    late = served(["z"], experiment="3:9", time=START + 60 * DAY, shares={"False": [0.5], "True": [0.5]})
    assert current_experiment(pa.concat_tables([newest.log, late])) == "3:9"
    found = compared(together(newest, old), experiment="3:8")
    assert (found.champion_version, found.challenger_version, found.verdict) == ("3", "8", "too_few")


def test_rows_outside_an_experiment_are_none():
    assert current_experiment(side("3", "champion", 1.0, experiment="").log) == ""
    assert current_experiment(served([])) == ""


def test_versions_are_measured_as_a_model_is_evaluated():
    champion, challenger = side("3", "champion", 0.5), side("7", "challenger", 1.0, seed=1)
    report = evaluate_live(together(champion, challenger), "3:7", (False, True), lambda _: None, SPEC, FACTS)
    found = {each.version: each for each in report.versions}
    assert list(found) == ["3", "7"]
    assert found["7"].metrics["roc_auc"] > found["3"].metrics["roc_auc"]
    low, high = found["3"].intervals["roc_auc"]
    assert low < found["3"].metrics["roc_auc"] < high
    assert (found["3"].rows, found["3"].units, found["3"].calibration) == (2000, 299, None)
    assert found["3"].mean_error == pytest.approx(
        float((champion.truth == "True").mean() - champion.log.column("log_probability_True").to_numpy().mean())
    )
    again, _ = measured(metrics_of(SPEC), *_typed(champion))
    assert found["3"].metrics == again
    assert report.comparison is not None


def _typed(labelled):
    from assay.live.logged import logged_predictions, typed_truth

    return typed_truth(labelled.truth, (False, True), SPEC), logged_predictions(labelled.log, (False, True), SPEC)


def test_a_regression_is_compared_by_its_squared_error():
    spec, random = pipeline("regression", "r2"), np.random.default_rng(2)
    truth = random.standard_normal(2000)
    parts = []
    for version, arm, noise in (("3", "champion", 1.0), ("7", "challenger", 0.5)):
        log = served(
            [f"{version}-{number}" for number in range(2000)],
            version=version, arm=arm, experiment="3:7", key=[f"{version}-{number}" for number in range(2000)],
            value=(truth + noise * random.standard_normal(2000)).tolist(),
        )  # fmt: skip
        day = np.arange(2000) // 200 * np.timedelta64(1, "D")
        parts.append(LabelledLog(log, truth, np.datetime64("2026-03-08", "us") + day, NO_COUNTS))
    report = evaluate_live(together(*parts), "3:7", (), lambda _: None, spec, FACTS)
    assert (report.comparison.loss, report.comparison.verdict) == ("squared", "challenger_better")
    assert report.versions[0].metrics["rmse"] == pytest.approx(1.0, rel=0.1)


def test_a_verdict_is_followed_once_and_not_while_labels_are_missing():
    labels, found = (
        SPEC.serving.labels,
        compared(together(side("3", "champion", 0.2), side("7", "challenger", 1.2, seed=1))),
    )
    nothing = LabelledLog(served([]), np.array([], dtype=object), np.array([], dtype="datetime64[us]"), NO_COUNTS)
    report = evaluate_live(nothing, "", (False, True), lambda _: None, SPEC, FACTS)
    with_verdict, too_early = (
        report.model_copy(update={"comparison": found.model_copy(update={"missing_share": share})})
        for share in (0.05, 0.06)
    )
    assert decision_starts(with_verdict.comparison, [report], labels)
    assert decision_starts(with_verdict.comparison, [report, too_early], labels)
    assert not decision_starts(with_verdict.comparison, [with_verdict, report], labels)
    assert not decision_starts(too_early.comparison, [report], labels)
    assert not decision_starts(None, [], labels)
    assert not decision_starts(found.model_copy(update={"unfair": "other shares"}), [], labels)
    other = found.model_copy(update={"experiment": "3:8"})
    assert decision_starts(other, [with_verdict], labels)
    assert not decision_starts(found.model_copy(update={"verdict": "undecided"}), [], labels)


def test_arms_with_other_shares_than_declared_are_not_fair():
    keys = [f"k{number}" for number in range(400)]
    parts = [served(keys, experiment="3:7", share=0.5, key=keys, shares={"True": [0.5] * 400})]
    parts.append(
        served("ab", arm="challenger", experiment="3:7", share=0.5, key=["x", "y"], shares={"True": [0.5] * 2})
    )
    assert "the challenger got 0.004975 of 402 keys, 0.5 declared" in unfairness_of(pa.concat_tables(parts), "3:7")
    assert unfairness_of(pa.concat_tables(parts), "3:8") == ""


def test_missing_labels_are_those_of_the_experiment():
    rows = side("3", "champion", 0.8, rows=300)
    known = LabelledLog(rows.log, rows.truth, rows.counted_at, NO_COUNTS, {"3:7": 100, "": 500})
    assert compared(known).missing_share == pytest.approx(0.25)


def test_nothing_labelled_is_a_report():
    nothing = LabelledLog(served([]), np.array([], dtype=object), np.array([], dtype="datetime64[us]"), NO_COUNTS)
    report = evaluate_live(nothing, "3:7", (False, True), lambda _: None, SPEC, FACTS)
    assert report.versions == ()
    assert report.comparison.verdict == "too_few"
