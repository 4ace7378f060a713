"""What was served, judged by late labels: readings, the verdict, and what follows from it."""

import csv
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from served_rows import served
from small_platform import failure

from assay.data.dataset import Dataset
from assay.errors import GoldenReplayError
from assay.live import decision as decision_module
from assay.live.comparison import LiveComparison, Look
from assay.live.decision import live_decision
from assay.live.performance import LivePerformance
from assay.live.served_drift import ServedDriftReport
from assay.shell.flags import Flags
from assay.specs import PipelineSpec, load_pipeline
from ml_assets.commands import forget
from ml_assets.commands.deployment import Deployment
from resources.mlflow.connection import connect
from resources.mlflow.live_verdicts import follow_verdict
from resources.mlflow.people import Request, approve, reject
from resources.prediction_log import LogObject, write_object

SERVING = """\
serving:
  challenger: {{version: 2, by: id}}
  labels: {{source: data/labels.csv, delay: 7d}}
  on_verdict: {rule}
"""
DAY = dt.timedelta(days=1)
TODAY = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
FIRST = TODAY - 30 * DAY

BETTER = LiveComparison(
    experiment="1:2", champion_version="1", challenger_version="2", design="arms", unit="key", loss="brier",
    metric="roc_auc", metric_is_mean=False, confidence=0.95, champion_units=300, challenger_units=300,
    looks=(Look(day="2026-03-08", champion_rows=300, challenger_rows=300, gain=0.1, lower=0.05, upper=0.15),),
    verdict="challenger_better", decided_on="2026-03-08", reason="version 2 against 1: the challenger is better",
)  # fmt: skip


def spec_of(platform):
    return load_pipeline(platform.settings.pipelines_dir / "bank.yaml")


def with_parts(spec, **parts):
    return PipelineSpec.model_validate_json(json.dumps(spec.model_dump(mode="json") | parts))


def not_repeated(*_):
    raise GoldenReplayError("the model does not repeat the predictions of its training", where="version 2")


@pytest.fixture
def compared(promoted):
    """Return a function that serves two versions for ten days, the second as good as `signal` says."""

    def serve(rule, signal=3.0):
        path = promoted.settings.pipelines_dir / "bank.yaml"
        path.write_text(path.read_text() + SERVING.format(rule=rule))
        registry = promoted.resources["model_registry"]
        client, current = connect(registry.tracking_uri), registry.champion("bank")
        first = client.get_model_version("bank", current.version)
        client.create_model_version("bank", source=first.source, run_id=first.run_id, tags=dict(first.tags))
        truth = {}
        for version, arm, strength in (("1", "champion", 0.0), ("2", "challenger", signal)):
            truth |= log_of(promoted, version, arm, strength)
        write_labels(truth)
        return promoted, truth

    return serve


def log_of(platform, version, arm, signal, rows=300):
    random = np.random.default_rng(int(version))
    late = random.random(rows) < 0.4
    likely = 1 / (1 + np.exp(-(random.standard_normal(rows) + signal * np.where(late, 1, -1))))
    ids = [f"{version}-{number}" for number in range(rows)]
    table = served(
        ids,
        pipeline="bank",
        version=version,
        arm=arm,
        experiment="1:2",
        share=0.5,
        key=ids,
        time=[FIRST + (number % 10) * DAY for number in range(rows)],
        label=["yes" if each > 0.5 else "no" for each in likely],
        shares={"no": 1 - likely, "yes": likely},
    )
    half = rows // 2
    for number, part in enumerate((table.slice(0, half), table.slice(half))):
        made = LogObject(FIRST + number * DAY, f"process{version}", number + 1)
        write_object(platform.artifacts.store, "bank", made, part)
    return dict(zip(ids, ["yes" if each else "no" for each in late], strict=True))


def write_labels(truth):
    path = Path("data/labels.csv")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("request_id", "y"), *truth.items()])


def made(platform, *assets):
    result = platform.materialize(*(f"bank/{name}" for name in assets))
    assert result.success, failure(result)
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    return checks, result


def report_of(platform):
    return platform.artifacts.load(("bank", "live_performance"), None, LivePerformance)


def champion(platform):
    return platform.resources["model_registry"].champion("bank")


def test_a_better_challenger_is_promoted_once(compared):
    platform, _ = compared("promote")
    checks, result = made(platform, "served_labels", "live_performance")
    report = report_of(platform)
    assert (report.comparison.verdict, report.decision_start) == ("challenger_better", True)
    assert report.followed_by.startswith("promoted: Better on live predictions: version 2 against 1")
    assert (report.labels.labelled, report.labels.missing, report.labels.late) == (600, 0, 600)
    entry = champion(platform)
    assert (entry.version, entry.event, entry.by, entry.run_id) == ("2", "promoted", "live_performance", result.run_id)
    assert entry.decision.metric == "roc_auc"
    assert checks["challenger_not_worse"].passed
    assert checks["labels_arrive_in_time"].passed
    shown = result.asset_materializations_for_node("bank__live_performance")[0].metadata
    assert shown["verdict"].value == "challenger_better"
    assert "stands for roc_auc" in shown["loss"].value
    assert "plot/comparison" in shown
    made(platform, "live_performance")
    assert (report_of(platform).decision_start, champion(platform).number) == (False, entry.number)


def test_labels_are_read_again_and_corrected(compared):
    platform, truth = compared("report")
    made(platform, "served_labels", "live_performance")
    assert champion(platform).version == "1"
    assert report_of(platform).followed_by == ""
    first = platform.artifacts.load(("bank", "served_labels"), None, Dataset)
    before = report_of(platform)
    made(platform, "served_labels", "live_performance")
    assert platform.artifacts.load(("bank", "served_labels"), None, Dataset).fingerprint == first.fingerprint
    assert report_of(platform).versions == before.versions
    put_together = platform.materialize("bank/prediction_log", partition=FIRST.date().isoformat())
    assert put_together.success, failure(put_together)
    assert platform.artifacts.load(("bank", "prediction_log"), FIRST.date().isoformat(), Dataset).table.num_rows == 300
    made(platform, "live_performance")
    assert report_of(platform).versions == before.versions
    write_labels(truth | {"2-0": "no" if truth["2-0"] == "yes" else "yes", "unknown": "yes"})
    _, corrected = made(platform, "served_labels", "live_performance")
    shown = corrected.asset_materializations_for_node("bank__served_labels")[0].metadata
    assert (shown["new"].value, shown["corrected"].value) == (1, 1)
    after = report_of(platform)
    assert after.labels.orphans == 1
    assert after.versions[0] == before.versions[0]
    assert after.versions[1].metrics["log_loss"] > before.versions[1].metrics["log_loss"]


@pytest.mark.parametrize(
    ("key", "where"),
    [pytest.param("[id]", "id = 'c00002'", marks=pytest.mark.full), ("request_id", "request_id = 'c00002'")],
)
def test_a_persons_labels_are_forgotten_by_the_columns_of_their_key(bank, monkeypatch, key, where):
    path = bank.settings.pipelines_dir / "bank.yaml"
    serving = f"serving: {{columns: [id], labels: {{source: data/labels.csv, key: {key}, delay: 7d}}}}\n"
    path.write_text(path.read_text() + serving)
    with Path("data/labels.csv").open("w", newline="") as file:
        name = "id" if key == "[id]" else "request_id"
        csv.writer(file).writerows([(name, "y"), ("c00001", "yes"), ("c00002", "no")])
    made(bank, "raw_dataset", "served_labels")
    monkeypatch.setattr(forget, "Deployment", lambda: Deployment(bank.settings))
    forget.forget(Flags(where=where, name="bank"))
    kept = bank.artifacts.load(("bank", "served_labels"), None, Dataset).table
    assert kept.column("label_key").to_pylist() == ["c00001"]
    rows = bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table
    assert rows.num_rows == (199 if key == "[id]" else 200)


def test_labels_that_lack_the_columns_stay_when_a_persons_rows_go(bank, monkeypatch):
    path = bank.settings.pipelines_dir / "bank.yaml"
    path.write_text(f"{path.read_text()}serving: {{labels: {{source: data/labels.csv, delay: 7d}}}}\n")
    write_labels({"r1": "yes", "r2": "no"})
    made(bank, "raw_dataset", "served_labels")
    monkeypatch.setattr(forget, "Deployment", lambda: Deployment(bank.settings))
    lines = forget.forget(Flags(where="id = 'c00002'", name="bank"))[1].splitlines()
    assert bank.artifacts.load(("bank", "served_labels"), None, Dataset).table.num_rows == 2
    assert any("not searched" in line and "served_labels" in line for line in lines)


def test_what_may_replace_the_champion(compared, monkeypatch):
    platform, _ = compared("promote")
    registry, spec = platform.resources["model_registry"], spec_of(platform)
    values = {"roc_auc": 0.9, "accuracy": 0.8}

    def followed(found=BETTER, spec=spec, values=values):
        decision = live_decision(found, {"roc_auc": 0.5}, values, spec)
        change = follow_verdict(registry, found, decision, spec, Request(by="live_performance", pipeline="bank"))
        return change.outcome, change.reason

    assert live_decision(BETTER, {}, {}, spec) is None
    asking = with_parts(spec, evaluation={"minimum": {"accuracy": 0.85, "f1": 0.5}})
    outcome, why = followed(spec=asking)
    assert (outcome, "misses evaluation.minimum on live predictions: accuracy, f1" in why) == ("kept_champion", True)
    with monkeypatch.context() as patch:
        patch.setattr(decision_module, "require_repeated", not_repeated)
        outcome, why = followed()
        assert (outcome, "golden_replay_failed" in why) == ("kept_champion", True)
    outcome, why = followed(BETTER.model_copy(update={"champion_version": "0"}))
    assert (outcome, "the champion is version 1 by now" in why) == ("kept_champion", True)
    outcome, why = followed(BETTER.model_copy(update={"challenger_version": "9"}))
    assert (outcome, "no version 9" in why) == ("kept_champion", True)
    back = with_parts(spec, serving=spec.serving.model_dump() | {"on_verdict": "roll_back"})
    outcome, why = followed(spec=back)
    assert (outcome, "was not champion before" in why) == ("kept_champion", True)
    assert champion(platform).number == 1


def test_a_challenger_waits_for_approval_once_and_one_that_was_rejected_does_not(compared):
    platform, _ = compared("request_approval")
    registry, spec = platform.resources["model_registry"], spec_of(platform)
    decision = live_decision(BETTER, {}, {"roc_auc": 0.9}, spec)
    request = Request(by="live_performance", pipeline="bank")
    for _ in range(2):
        change = follow_verdict(registry, BETTER, decision, spec, request)
        assert (change.outcome, change.proposed_version, change.version) == ("needs_approval", "2", "1")
    history = registry.journal("bank").history()
    assert ([*history.waiting], len(history.entries)) == (["2"], 2)
    approve(registry, "bank", "2", Request(by="a person"))
    assert champion(platform).version == "2"
    back = BETTER.model_copy(update={"champion_version": "2", "challenger_version": "1"})
    rolling = with_parts(spec, serving=spec.serving.model_dump() | {"on_verdict": "roll_back"})
    change = follow_verdict(registry, back, decision, rolling, request)
    assert (change.outcome, change.version, champion(platform).event) == ("rolled_back", "1", "rolled_back")
    assert follow_verdict(registry, BETTER, decision, spec, request).outcome == "needs_approval"
    reject(registry, "bank", "2", Request(by="a person"))
    promoting = with_parts(spec, serving=spec.serving.model_dump() | {"on_verdict": "promote"})
    change = follow_verdict(registry, BETTER, decision, promoting, request)
    assert change.outcome == "kept_champion"
    assert "was rejected on" in change.reason


def test_a_worse_challenger_is_a_failed_check_and_nothing_follows(compared):
    platform, _ = compared("promote", signal=-3.0)
    checks, _ = made(platform, "served_labels", "live_performance")
    assert not checks["challenger_not_worse"].passed
    assert "the challenger is worse since" in checks["challenger_not_worse"].description
    assert (champion(platform).version, report_of(platform).followed_by) == ("1", "")


def test_without_labels_what_was_served_is_watched_all_the_same(compared):
    platform, _ = compared("promote")
    Path("data/labels.csv").unlink()
    checks, _ = made(platform, "served_labels", "live_performance", "served_drift")
    assert not checks["labels_arrive_in_time"].passed
    assert report_of(platform).comparison.verdict == "too_few"
    report = platform.artifacts.load(("bank", "served_drift"), None, ServedDriftReport)
    assert (report.champion_version, report.day) == ("1", (FIRST + 9 * DAY).date().isoformat())
    assert [each.name for each in report.drift.features] == ["(predictions)"]
    assert "the log has no values of" in report.features
    assert checks["served_predictions_match_batch"].passed
    assert "the log has no values of" in checks["served_predictions_match_batch"].description
