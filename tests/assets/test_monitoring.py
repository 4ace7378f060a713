"""The champion watched: drift, wear, predictions, and what they start."""

import csv
from pathlib import Path

import dagster as dg
import pytest
from champions import promote_the_same_files_again
from small_platform import MONTHLY, failure, monthly_rows, write_csv

from assay.data.dataset import Dataset
from assay.monitoring.drift import PREDICTIONS, DriftReport
from assay.monitoring.performance import PerformanceReport
from assay.reporting.drift_page import DriftDrawings
from assay.results.trained_model import TrainedModel
from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in

MONTHS = tuple(f"2021-{month:02d}" for month in range(1, 10))
WATCHED = (
    MONTHLY.replace('end: "2021-06"', 'end: "2021-10"')
    + """\
scoring: {{columns: [day]}}
monitoring:
  drift: {{}}
  performance: {{max_loss: 50}}
automation: {{retrain_on: [drift, performance]}}
"""
)
LEARNING = tuple(f"monthly/{name}" for name in names_in(Phase.LEARNING))
GATED = tuple(f"monthly/{name}" for name in names_in(Phase.INGESTION))
BEGINS = "no_drift_alarm_begins"
REPORTS = ("monthly/drift_report", "monthly/performance_report")


def rows(shift_from="9999"):
    draw_from = {month: 300 * number for number, month in enumerate(MONTHS)}
    made = []
    for row in monthly_rows(("2020-12", *MONTHS)):
        month = row["day"][:7]
        moved = 3.0 if month >= shift_from else 0.0
        z = row["z"] + moved
        x = (row["x"] * 7 + draw_from.get(month, 0)) % 40
        made.append({**row, "x": x, "z": z, "y": 3 * x + row["z"] - 40 * moved})
    return made


def _watch(platform):
    platform.pipeline(WATCHED, write_csv(Path("data/monthly.csv"), rows(shift_from="2021-07")))
    for month in ("2020-12", "2021-01", "2021-02"):
        assert platform.materialize(*GATED, partition=month).success
    assert platform.materialize(*LEARNING, partition="2021-02").success


@pytest.fixture
def watched(copied):
    """A platform whose champion learned from the first months, before anything moved in July."""
    with copied("watched", _watch) as platform:
        yield platform


def judged(platform, month):
    result = platform.materialize(*GATED, *REPORTS, partition=month)
    assert result.success, failure(result)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    drift = platform.artifacts.load(("monthly", "drift_report"), month, DriftReport)
    performance = platform.artifacts.load(("monthly", "performance_report"), month, PerformanceReport)
    return drift, performance, checks


def test_a_window_has_a_page_that_its_metadata_link_to_and_figures_to_draw(watched):
    judged(watched, "2021-05")
    judged(watched, "2021-07")
    key = dg.AssetKey(["monthly", "drift_report"])
    event = watched.instance.get_latest_materialization_event(key).asset_materialization
    shown = {name: entry.value for name, entry in event.metadata.items()}
    assert shown["page"] == "http://localhost:8090/monthly/drift_page/1/drift.html?partition=2021-07"
    assert shown["over time"] == "http://localhost:8090/monthly/history"
    assert 0 < shown["share drifted"] <= 1
    assert shown["effect of z"] > 0.3
    page = watched.artifacts.load(("monthly", "drift_page"), "2021-07", DriftDrawings)
    assert [each.partition for each in page.windows] == ["2021-05", "2021-07"]
    assert page.windows[-1].share_drifted == shown["share drifted"]
    assert "z" in {each.name for each in page.histograms}


def test_an_alarm_rises_once_when_features_move_and_stay_moved(watched):
    seen = {month: judged(watched, month) for month in ("2021-06", "2021-07", "2021-08")}
    drifts = {month: drift for month, (drift, _, _) in seen.items()}
    assert {month: "z" in drift.drifted for month, drift in drifts.items()} == {
        "2021-06": False, "2021-07": True, "2021-08": True,
    }  # fmt: skip
    assert [month for month, drift in drifts.items() if drift.alarm_start] == ["2021-08"]
    assert set(drifts["2021-08"].alarm_features) == {"z", "y"}  # the target moved too
    assert [checks["features_not_drifted"].passed for _, _, checks in seen.values()] == [True, True, False]
    (begins,) = [checks[BEGINS] for _, _, checks in seen.values() if not checks[BEGINS].passed]
    assert begins.description == seen["2021-08"][2]["features_not_drifted"].description
    assert all(
        not check.blocking for _, _, checks in seen.values() for check in checks.values() if "drift" in check.check_name
    )
    degraded = [month for month, (_, performance, _) in seen.items() if performance.degraded]
    assert degraded == ["2021-07", "2021-08"]
    assert [month for month, (_, performance, _) in seen.items() if performance.alarm_start] == ["2021-07"]


@pytest.mark.full
def test_rows_that_the_champion_learned_from_are_not_compared_with_themselves(watched):
    assert judged(watched, "2021-02")[0].status == "judged"  # the champion's holdout
    drift, performance, checks = judged(watched, "2021-01")
    assert drift.status == "trained_on"
    assert checks["features_not_drifted"].passed
    assert performance.loss is None


@pytest.mark.full
def test_each_alarm_starts_one_retraining_whose_training_rows_hold_the_window_of_the_alarm(watched):
    """Drift begins in August, the second of three windows, so no window trains on it yet; the loss begins in July."""
    result, _ = requested(watched, None, *LEARNING)
    asked = []
    for month in ("2021-03", "2021-04", "2021-05", "2021-06", "2021-07", "2021-08", "2021-09"):
        judged(watched, month)
        for _ in range(2):
            result, _ = requested(watched, result.cursor, *LEARNING)
            asked += [
                f"{one.key.to_user_string()}@{key}"
                for one in result.results
                for key in one.true_subset.expensively_compute_partition_keys()
            ]
    assert asked == [f"{asset}@{month}" for month in ("2021-08", "2021-09") for asset in LEARNING]


@pytest.mark.full
def test_labels_that_come_late_are_used_where_they_are_known(platform, tmp_path):
    """April has no target yet: its features and predictions are judged, and March's target."""
    made = [row if row["day"] < "2021-04" else {**row, "y": None} for row in rows(shift_from="2021-03")]
    text = WATCHED.replace("monitoring:", "monitoring:\n  label_delay: 1")
    platform.pipeline(text, write_csv(tmp_path / "data" / "monthly.csv", made))
    for month in ("2020-12", "2021-01", "2021-02", "2021-03"):
        assert platform.materialize(*GATED, partition=month).success
    assert platform.materialize(*LEARNING, partition="2021-03").success
    model = platform.artifacts.load(("monthly", "trained_model"), "2021-03", TrainedModel)
    assert sorted(model.manifest.data_digests) == ["2020-12", "2021-01", "2021-02"]
    drift, performance, _ = judged(platform, "2021-04")
    assert {feature.name: feature.drifted for feature in drift.features} == {
        "x": False, "z": True, "y": True, PREDICTIONS: False,
    }  # fmt: skip
    assert (drift.target_partition, performance.labelled_partition, performance.rows) == ("2021-03", "2021-03", 40)
    assert performance.degraded_by == ("loss", "calibration")


def test_without_a_champion_nothing_can_be_judged_or_predicted(platform, tmp_path):
    platform.pipeline(WATCHED, write_csv(tmp_path / "data" / "monthly.csv", rows()))
    assert platform.materialize(*GATED, partition="2021-01").success
    for asset in ("monthly/drift_report", "monthly/performance_report"):
        assert "there is no champion" in failure(platform.materialize(asset, partition="2021-01"))
    assert "materialise monthly/champion_model first" in failure(platform.materialize("monthly/batch_predictions"))


def test_what_a_condition_starts_before_the_first_champion_ends_without_a_failure(platform, tmp_path):
    platform.pipeline(WATCHED, write_csv(tmp_path / "data" / "monthly.csv", rows()))
    assert platform.materialize(*GATED, partition="2021-01").success
    started = {"dagster/from_automation_condition": "true"}
    for asset, checks in (("monthly/drift_report", 3), ("monthly/performance_report", 4)):
        result = platform.materialize(asset, partition="2021-01", tags=started)
        assert result.success, failure(result)
        assert not result.asset_materializations_for_node(asset.replace("/", "__"))
        reported = [each.description for each in result.get_asset_check_evaluations() if each.passed]
        assert reported == ["not judged: there is no champion"] * checks
    result = platform.materialize("monthly/batch_predictions", tags=started)
    assert result.success, failure(result)
    assert not result.asset_materializations_for_node("monthly__batch_predictions")


def test_the_newest_rows_that_passed_are_predicted(watched):
    assert watched.materialize(*GATED, partition="2021-03").success
    result = watched.materialize("monthly/batch_predictions")
    assert result.success, failure(result)
    predictions = watched.artifacts.load(("monthly", "batch_predictions"), None, Dataset).table
    assert predictions.column_names == ["day", "prediction"]
    assert predictions.num_rows == 40
    assert {str(day)[:7] for day in predictions["day"].to_pylist()} == {"2021-03"}


@pytest.mark.full
def test_a_roll_back_asks_for_predictions_once_and_they_are_of_the_former_champion(watched):
    asset = "monthly/batch_predictions"
    assert promote_the_same_files_again(watched.resources["model_registry"], "monthly") == "2"
    looked, _ = requested(watched, None, asset)
    config = {"ops": {"roll_back_champion": {"config": {"pipeline": "monthly"}}}}
    job = watched.definitions.resolve_job_def("champion_rollback_job")
    assert job.execute_in_process(instance=watched.instance, run_config=config).success
    looked, count = requested(watched, looked.cursor, asset)
    assert count == 1
    result = watched.materialize(asset)
    (made,) = result.asset_materializations_for_node("monthly__batch_predictions")
    assert made.metadata["champion version"].value == "1"
    for _ in range(3):
        looked, count = requested(watched, looked.cursor, asset)
        assert count == 0


def test_rows_without_a_target_are_predicted_from_their_own_source(watched, tmp_path):
    unlabelled = tmp_path / "data" / "new.csv"
    with unlabelled.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["day", "x", "z"])
        writer.writeheader()
        writer.writerows({"day": "2022-01-01T00:00:00", "x": n, "z": 0.5} for n in range(7))
    text = WATCHED.replace("scoring: {{columns: [day]}}", f"scoring: {{{{source: {unlabelled}, columns: [x]}}}}")
    watched.pipeline(text, tmp_path / "data" / "monthly.csv")
    result = watched.materialize("monthly/batch_predictions")
    assert result.success, failure(result)
    predictions = watched.artifacts.load(("monthly", "batch_predictions"), None, Dataset).table
    assert predictions["x"].to_pylist() == list(range(7))
    assert predictions["prediction"].to_pylist() == sorted(predictions["prediction"].to_pylist())


def requested(platform, cursor, *assets):
    definitions = platform.definitions
    result = dg.evaluate_automation_conditions(
        definitions,
        platform.instance,
        cursor=cursor,
        asset_selection=dg.AssetSelection.assets(*[dg.AssetKey(asset.split("/")) for asset in assets]),
    )
    return result, result.total_requested


@pytest.mark.full
def test_predictions_are_asked_for_once_for_each_change_and_not_while_rows_are_refused(watched):
    asset = "monthly/batch_predictions"
    cursor, count = requested(watched, None, asset)
    assert watched.materialize(asset).success
    cursor, _ = requested(watched, cursor.cursor, asset)
    for _ in range(3):
        cursor, count = requested(watched, cursor.cursor, asset)
        assert count == 0
    assert watched.materialize(*GATED, partition="2021-03").success
    cursor, count = requested(watched, cursor.cursor, asset)
    assert count == 1
    for _ in range(3):
        cursor, count = requested(watched, cursor.cursor, asset)
        assert count == 0
