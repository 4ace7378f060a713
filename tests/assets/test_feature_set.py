"""The stage between raw and validated rows, in Dagster: the gate, the model and batch predictions see what it makes."""

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from small_platform import ASSETS, BANK, failure, write_csv

from assay.data.dataset import Dataset
from assay.data.frames import feature_frame
from assay.results.trained_model import TrainedModel
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import source_rows
from ml_assets.pipeline.asset import Phase
from ml_assets.planning import Planner
from ml_assets.stages import names_in

TRIPS = """\
name: trips
task: regression
dataset:
  source: {source}
  target: minutes
  columns:
    pickup: {{role: datetime}}
    trip: {{role: identifier}}
features:
  steps:
    - derive:
        minutes: date_diff('second', pickup, dropoff) / 60.0
        route: start || '_' || stop
        hour: hour(pickup)
    - filter: {{shorter than a minute: minutes >= 1, longer than an hour: minutes <= 60}}
      name: plausible trips
      max_dropped: {most}
    - rename: {{start: zone}}
validation: {{min_rows: 50, ranges: {{minutes: {{min: 1, max: 60}}}}, unique: [[trip]]}}
split: {{by: random, test_size: 0.25}}
model: {{candidates: [ridge]}}
tuning: {{enabled: false}}
"""


def trips(rows=200, *, hours=1.0):
    draw = random.Random(5)
    made = []
    for number in range(rows):
        second = draw.randint(0, 80_000)
        start, stop = draw.choice("abc"), draw.choice("abc")
        length = 120 + 300 * abs(ord(start) - ord(stop)) + 7 * draw.randint(0, 90)
        length = 20 if number == 3 else int(length * hours)
        made.append(
            {
                "trip": f"t{number:04d}",
                "pickup": f"2021-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}",
                "dropoff": f"2021-01-0{1 + (second + length) // 86400}T{(second + length) // 3600 % 24:02d}:{(second + length) // 60 % 60:02d}:{(second + length) % 60:02d}",
                "start": start,
                "stop": stop,
            }
        )
    return made


def pipeline(platform, text=TRIPS, *, most=0.1, more="", **rows):
    source = write_csv(platform.settings.pipelines_dir.parent / "data" / "trips.csv", trips(**rows))
    (platform.settings.pipelines_dir / "trips.yaml").write_text(text.format(source=source, most=most) + more)


def newest(platform, asset):
    return platform.artifacts.log.newest(("trips", asset), None)


def test_the_gate_and_the_model_see_the_feature_set(platform):
    pipeline(platform)
    result = platform.materialize("trips/*")
    assert result.success, failure(result)
    [made] = result.asset_materializations_for_node("trips__feature_set")
    assert made.metadata["rows in"].value == 200
    assert made.metadata["rows out"].value == 199
    records = [record.data for record in made.metadata["rows dropped by step"].value.records]
    assert "read from" not in made.metadata  # it has no file of its own
    assert [(each["step"], each["reason"], each["dropped"]) for each in records] == [
        ("plausible trips", "shorter than a minute", 1),
        ("plausible trips", "longer than an hour", 0),
    ]
    known = next(each for each in result.get_asset_check_evaluations() if each.check_name == "features_known_in_time")
    assert known.passed
    file = Path(made.metadata["feature file"].value)
    assert file.relative_to(platform.settings.home).as_posix() == "store/features/trips/whole.parquet"
    stored = platform.artifacts.read(newest(platform, "feature_set"), Dataset).table
    assert pq.read_table(file).equals(stored)
    validated = newest(platform, "validated_dataset")
    assert set(validated.fingerprint.columns) == {
        "trip",
        "pickup",
        "dropoff",
        "zone",
        "stop",
        "minutes",
        "route",
        "hour",
    }
    assert newest(platform, "raw_dataset").properties["rows"] == 200
    features = yaml.safe_load((platform.settings.pipelines_dir / "schemas" / "trips.features.v1.yaml").read_text())
    assert {each["name"] for each in features["columns"] if each["role"] == "ignored"} == {"dropoff", "pickup"}
    assert "classes" not in features
    assert features["row_identity"] == ["trip", "pickup", "zone", "stop"]


def with_zones(platform, text, columns):
    """Make the whole pipeline with sizes of zones from another source, `<zones>` in the text; return both files' rows."""
    new = [{name: value for name, value in row.items() if name != "dropoff"} for row in trips(20)]
    scored = write_csv(platform.settings.pipelines_dir.parent / "data" / "new.csv", new)
    zones = write_csv(scored.with_name("zones.csv"), [{"zone": zone, "size": size} for size, zone in enumerate("abc")])
    more = f"scoring: {{source: {scored}, columns: [{columns}]}}\n"
    pipeline(platform, text.replace("<zones>", str(zones)), more=more)
    result = platform.materialize("trips/*")
    assert result.success, failure(result)
    sizes = yaml.safe_load((platform.settings.pipelines_dir / "schemas" / "trips.zones.v1.yaml").read_text())
    assert [each["name"] for each in sizes["columns"]] == ["zone", "size"]
    made = platform.artifacts.read(newest(platform, "feature_set"), Dataset)
    assert made.table.column("size").to_pylist() == [
        "abc".index(zone) for zone in made.table.column("zone").to_pylist()
    ]
    assert made.notes["joined zones"].startswith("3 rows, fingerprint ")
    return new, zones


@pytest.mark.full
def test_rows_to_predict_go_through_the_steps_without_what_only_serves_the_target(platform):
    join = "    - join: {{table: zones, source: <zones>, on: [zone]}}\n"
    new, zones = with_zones(platform, TRIPS.replace("validation:", join + "validation:"), "trip, route, size")
    predictions = platform.artifacts.read(newest(platform, "batch_predictions"), Dataset).table
    assert predictions.column_names == ["trip", "route", "size", "prediction"]
    assert predictions.column("trip").to_pylist() == [row["trip"] for row in new]
    write_csv(zones, [{"zone": zone, "size": f"{zone} large"} for zone in "abc"])
    assert "column 'size' changed its dtype" in failure(platform.materialize("trips/feature_set"))


def test_a_step_that_drops_too_much_or_fails_publishes_nothing(platform):
    pipeline(platform, most=0.004)
    result = platform.materialize("trips/raw_dataset", "trips/feature_set", "trips/validated_dataset")
    assert "1 of 200 rows: 1 by shorter than a minute" in failure(result)
    pipeline(platform, TRIPS.replace("hour(pickup)", "1 / (hour(pickup) - 9)"))
    result = platform.materialize("trips/feature_set")
    assert "row 1 of the source's rows; pickup = 2021-01-01 09:" in failure(result), failure(result)
    assert newest(platform, "feature_set") is None
    assert newest(platform, "validated_dataset") is None


def test_a_step_that_sees_later_rows_fails_the_check_and_publishes_nothing(platform):
    leak = "    - {{sql: 'select *, avg(minutes) over () as mean from rows', name: leak}}\n  time: pickup\n"
    pipeline(platform, TRIPS.replace("    - rename: {{start: zone}}\n", leak))
    result = platform.materialize("trips/raw_dataset", "trips/feature_set", "trips/validated_dataset")
    assert "[features_see_later_rows]" in failure(result)
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("features_known_in_time", False)
    assert "leak" in check.description
    assert newest(platform, "feature_set") is None


def test_other_steps_freeze_the_schema_anew_and_rows_keep_their_side(platform):
    pipeline(platform)
    inputs = ("trips/raw_dataset", "trips/feature_set", "trips/validated_dataset")
    assert platform.materialize(*inputs).success
    file = platform.settings.pipelines_dir / "schemas" / "trips.features.v1.yaml"
    before = yaml.safe_load(file.read_text())
    pipeline(platform, TRIPS.replace("        hour:", "        late: hour(pickup) > 20\n        hour:"))
    result = platform.materialize("trips/best_hyperparameters", "trips/trained_model")
    assert "other rules than those of this run" in failure(result)
    assert platform.materialize(*inputs[1:]).success
    after = yaml.safe_load(file.read_text())
    assert after["steps"] != before["steps"]
    assert after["row_identity"] == before["row_identity"]
    assert {"late"} == {each["name"] for each in after["columns"]} - {each["name"] for each in before["columns"]}
    assert set(newest(platform, "validated_dataset").fingerprint.columns) >= {"late"}


def test_jobs_and_plans_have_the_stage_only_where_the_file_has_steps(platform):
    pipeline(platform, more="automation: {schedule: '0 6 * * 0'}\n")
    platform.pipeline(BANK.replace("model:", "automation: {{schedule: '0 6 * * 0'}}\nmodel:"), "bank.csv")
    definitions = platform.definitions
    keys = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert "trips/feature_set" in keys
    assert "bank/feature_set" not in keys
    for name, count in (("trips", len(ASSETS) + 1), ("bank", len(ASSETS))):
        job = definitions.resolve_job_def(f"{name}_retrain_job")
        assert len(job.asset_layer.executable_asset_keys) == count


@pytest.mark.full
def test_fitted_steps_travel_in_the_model_and_what_outliers_dropped_is_shown(platform):
    new = [{name: value for name, value in row.items() if name != "dropoff"} for row in trips(20)]
    scored = write_csv(platform.settings.pipelines_dir.parent / "data" / "new.csv", new)
    steps = (
        "    - outliers: {{hour: {{quantiles: [0.1, 0.9]}}, minutes: {{iqr: 0.2}}}}\n      name: odd hours\n"
        "    - clip: {{hour: {{quantiles: [0.2, 0.8]}}}}\n"
    )
    more = f"scoring: {{source: {scored}, columns: [trip, hour]}}\n"
    pipeline(platform, TRIPS.replace("validation:", steps + "validation:"), more=more)
    result = platform.materialize("trips/*")
    assert result.success, failure(result)
    [made] = result.asset_materializations_for_node("trips__trained_model")
    dropped = [record.data for record in made.metadata["training rows dropped as outliers"].value.records]
    assert [(each["step"], each["column"]) for each in dropped] == [("odd hours", "hour"), ("odd hours", "minutes")]
    assert all(0 < each["dropped"] < each["rows in"] for each in dropped)
    fitted = [record.data for record in made.metadata["fitted on training rows"].value.records]
    assert [each["column"] for each in fitted] == ["hour", "minutes", "hour"]
    predictions = platform.artifacts.read(newest(platform, "batch_predictions"), Dataset).table
    assert predictions.num_rows == 20
    assert newest(platform, "feature_set").properties["rows"] == 199
    model = platform.artifacts.read(newest(platform, "trained_model"), TrainedModel)
    frame = feature_frame(
        platform.artifacts.read(newest(platform, "feature_set"), Dataset).table, model.manifest.features
    )
    far, near = (model.estimator.predict(frame.head(3).assign(hour=hour)) for hour in (99.0, 23.0))
    assert far.tolist() == near.tolist()


RAW = "raw: {{ranges: {{walk: {{max: 1}}}}, unique: [[trip]]}}, "


def test_rules_of_the_source_s_rows_are_checks_of_raw_dataset_and_block(platform):
    text = TRIPS.replace("    - derive:", "    - select: {{but: [walk]}}\n    - derive:").replace(
        "{{min_rows:", f"{{{{{RAW}min_rows:"
    )
    source = platform.settings.pipelines_dir.parent / "data" / "trips.csv"
    rows = [row | {"walk": number % 2} for number, row in enumerate(trips())]
    write_csv(source, rows)
    (platform.settings.pipelines_dir / "trips.yaml").write_text(text.format(source=source, most=0.1))
    made = platform.materialize("trips/raw_dataset", "trips/feature_set", "trips/validated_dataset")
    assert made.success, failure(made)
    checks = {
        each.check_name: each for each in made.get_asset_check_evaluations() if each.asset_key.path[-1] == "raw_dataset"
    }
    assert {"values_in_range", "rows_unique_by_key", "columns_present"} < set(checks)
    assert all(each.passed for each in checks.values())
    write_csv(source, [*rows[:-1], rows[-1] | {"walk": 9}])
    refused = platform.materialize("trips/raw_dataset", "trips/feature_set")
    assert "the data-quality gate rejected this data" in failure(refused)
    [failed] = [each for each in refused.get_asset_check_evaluations() if not each.passed]
    assert (failed.asset_key.path[-1], failed.check_name) == ("raw_dataset", "values_in_range")
    assert "walk" in failed.metadata["failures"].value
    assert newest(platform, "raw_dataset").status == "rejected"
    assert "values_in_range" in failure(platform.materialize("trips/feature_set"))  # later runs see the refusal


def test_rows_judged_by_other_raw_rules_are_refused(platform):
    text = TRIPS.replace("{{min_rows:", "{{raw: {{unique: [[trip]]}}, min_rows:")
    pipeline(platform, text)
    assert platform.materialize("trips/raw_dataset", "trips/feature_set").success
    pipeline(platform, text.replace("unique: [[trip]]}}, min", "not_null: [trip]}}, min"))
    assert "not judged by the present rules" in failure(platform.materialize("trips/feature_set"))
    assert "not judged by the present rules" in failure(platform.materialize("trips/validated_dataset"))
    assert platform.materialize("trips/raw_dataset", "trips/feature_set", "trips/validated_dataset").success


@pytest.mark.full
def test_a_plan_sees_other_rows_of_a_joined_source(platform):
    zones = [{"zone": zone, "crowd": number} for number, zone in enumerate("abc")]
    source = write_csv(platform.settings.pipelines_dir.parent / "data" / "zones.csv", zones)
    join = f"    - join: {{{{table: zones, source: {source}, on: [zone]}}}}\n"
    pipeline(platform, TRIPS.replace("validation:", f"{join}validation:"))
    assert platform.materialize("trips/raw_dataset", "trips/feature_set").success

    def reason():
        deployment = Deployment(platform.settings)
        spec = deployment.pipeline("trips")
        plan = Planner(spec, deployment.artifacts, source_rows(deployment, spec)).plan(None)
        return next(each.reason for each in plan if each.asset == "feature_set")

    assert reason() == "version 1 is of the same code and inputs"
    write_csv(source, [*zones[:2], {"zone": "c", "crowd": 20}])
    assert reason() == "the joined source zones has other rows"
    assert platform.materialize("trips/feature_set").success
    assert reason() == "version 2 is of the same code and inputs"


@pytest.mark.full
def test_a_select_reads_tables_that_are_fetched_and_frozen_like_any_source(platform):
    sql = "    - sql: select r.*, z.size from rows r left join zones z using (zone)\n"
    text = TRIPS.replace("  steps:", "  tables: [{{table: zones, source: <zones>}}]\n  steps:")
    new, zones = with_zones(platform, text.replace("validation:", sql + "validation:"), "trip, size")
    predictions = platform.artifacts.read(newest(platform, "batch_predictions"), Dataset).table
    assert predictions.column("size").to_pylist() == ["abc".index(row["start"]) for row in new]
    intake = platform.artifacts.read(newest(platform, "trained_model"), TrainedModel).manifest.intake
    assert list(intake.tables) == ["zones"]
    assert str(zones) not in intake.model_dump_json()


def test_a_restored_version_is_what_the_file_holds(platform):
    pipeline(platform)
    assert platform.materialize("trips/raw_dataset", "trips/feature_set").success
    file = platform.settings.home / "store" / "features" / "trips" / "whole.parquet"
    first = pq.read_table(file)
    pipeline(platform, TRIPS.replace("hour: hour(pickup)", "late: hour(pickup) > 20"))
    assert platform.materialize("trips/feature_set").success
    assert "late" in pq.read_schema(file).names
    config = {"ops": {"restore_version": {"config": {"asset": "trips/feature_set", "version": 1}}}}
    job = platform.definitions.resolve_job_def("artifact_restore_job")
    assert job.execute_in_process(instance=platform.instance, run_config=config).success
    assert pq.read_table(file).equals(first)
    assert pq.read_schema(file).metadata[b"assay.commit"] == b"3"


DAILY = """\
name: daily
task: regression
dataset:
  source: {source}
  partitions: {{by: day, column: day, start: "2021-01-01", end: "2021-01-05"}}
  target: y
  columns: {{n: {{role: identifier}}}}
features:
  steps:
    - aggregate: {{by: [k], time: day, over: 2 days, columns: {{seen: sum(x)}}}}
validation: {{min_rows: 2}}
scoring: {{source: {new}, columns: [n, seen], checks: {{severity: warn}}}}
model: {{candidates: [ridge]}}
tuning: {{enabled: false}}
"""


def days(*numbers, known=True):
    rows = [
        {"n": f"{day}-{hour}", "day": f"2021-01-0{day}T{hour:02d}:00:00", "k": "ab"[hour % 2], "x": day * 100 + hour}
        for day in numbers
        for hour in range(1, 24)
    ]
    return [row | {"y": row["x"] % 100} for row in rows] if known else rows


def daily(platform, *numbers):
    folder = platform.settings.pipelines_dir.parent / "data"
    write_csv(folder / "daily.csv", days(*numbers))
    write_csv(folder / "new.csv", days(4, known=False)[:5])
    text = DAILY.format(source=folder / "daily.csv", new=folder / "new.csv")
    (platform.settings.pipelines_dir / "daily.yaml").write_text(text)


def seen_on(platform, day):
    table = platform.artifacts.load(("daily", "feature_set"), f"2021-01-0{day}", Dataset).table
    return dict(zip(table.column("n").to_pylist(), table.column("seen").to_pylist(), strict=True))


def plan_of(platform, day):
    deployment = Deployment(platform.settings)
    spec = deployment.pipeline("daily")
    plan = Planner(spec, deployment.artifacts, source_rows(deployment, spec)).plan(f"2021-01-0{day}")
    return {(each.asset, each.partition): (each.action, each.reason) for each in plan}


def test_a_window_sees_earlier_partitions_that_are_stored(platform):
    daily(platform, 1, 2, 3)
    materialize = [f"daily/{name}" for name in ("raw_dataset", "feature_set")]
    result = platform.materialize(*materialize, partition="2021-01-03")
    assert result.success, failure(result)
    [made] = result.asset_materializations_for_node("daily__feature_set")
    assert "2 missing: 2021-01-01, 2021-01-02" in str(made.metadata)
    assert seen_on(platform, 3)["3-1"] is None
    for day in (2, 1):
        assert platform.materialize(*materialize, partition=f"2021-01-0{day}").success
    action, reason = plan_of(platform, 3)["feature_set", "2021-01-03"]
    assert (action, reason) == ("run", "it was not made of the newest raw_dataset of 2021-01-01")
    result = platform.materialize("daily/feature_set", partition="2021-01-03")
    assert result.success, failure(result)
    own = sum(100 + hour for hour in range(1, 24, 2)) + sum(200 + hour for hour in range(1, 24, 2))
    assert seen_on(platform, 3)["3-1"] == own
    commit = platform.artifacts.log.newest(("daily", "feature_set"), "2021-01-03")
    assert set(commit.inputs) == {f"daily/raw_dataset@2021-01-0{day}" for day in (1, 2, 3)}
    assert plan_of(platform, 3)["feature_set", "2021-01-03"][0] == "unchanged"


def odd_hours(*numbers):
    return sum(day * 100 + hour for day in numbers for hour in range(1, 24, 2))


@pytest.mark.full
def test_a_range_and_rows_to_predict_see_earlier_partitions(platform):
    daily(platform, 1, 2, 3)
    made = ["daily/raw_dataset", "daily/feature_set", "daily/validated_dataset"]
    result = platform.materialize_range(*made, first="2021-01-01", last="2021-01-03")
    assert result.success, failure(result)
    assert (seen_on(platform, 2)["2-1"], seen_on(platform, 3)["3-1"]) == (odd_hours(1), odd_hours(1, 2))
    learning = [f"daily/{name}" for name in names_in(Phase.LEARNING)]
    result = platform.materialize(*learning, partition="2021-01-03")
    assert result.success, failure(result)
    result = platform.materialize("daily/batch_predictions")
    assert result.success, failure(result)
    scored = platform.artifacts.load(("daily", "batch_predictions"), None, Dataset).table
    assert scored.column("seen")[0].as_py() == odd_hours(2, 3)
