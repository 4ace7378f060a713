"""Sources that are assets: another pipeline's feature set, and users' own, in Dagster and in the shell."""

import json
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_platform import MONTHLY, failure, monthly_rows, run_config, write_csv

from assay.data.dataset import Dataset
from assay.shell.main import main
from definitions import build_definitions
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import source_rows
from ml_assets.pipeline.asset import Phase
from ml_assets.planning import Planner
from ml_assets.stages import names_in

FEATURES = "features: {steps: [{derive: {half: x / 2.0, code: \"'2021-01-0' || (1 + x % 9)\", even: x % 2 = 0}}]}\n"
OVER = """\
name: over
task: regression
dataset:
  source: features://monthly
  partitions: {by: month, start: "2020-11", end: "2021-06"}
  target: y
split: {by: time, train_partitions: 2}
model: {candidates: [ridge]}
tuning: {enabled: false}
"""
MONTHS = ("2020-12", "2021-01", "2021-02", "2021-03")


@pytest.fixture
def two(platform):
    """A platform with a pipeline of features, and another one over them."""
    source = write_csv(platform.settings.pipelines_dir.parent / "monthly.csv", monthly_rows())
    platform.pipeline(MONTHLY + FEATURES.replace("{", "{{").replace("}", "}}"), source)
    (platform.settings.pipelines_dir / "over.yaml").write_text(OVER)
    return platform


def newest(platform, asset, partition):
    return platform.artifacts.log.newest(tuple(asset.split("/")), partition)


def table(platform, asset, partition):
    return platform.artifacts.read(newest(platform, asset, partition), Dataset).table


def ingest(platform, *pipelines, partition):
    names = ("raw_dataset", "feature_set", "validated_dataset")
    return platform.materialize(
        *(f"{pipeline}/{name}" for pipeline in pipelines for name in names), partition=partition
    )


def test_rows_dtypes_and_lineage_are_those_of_the_feature_set(two):
    result = ingest(two, "monthly", "over", partition="2021-01")
    assert result.success, failure(result)
    taken, made = newest(two, "over/raw_dataset", "2021-01"), newest(two, "monthly/feature_set", "2021-01")
    assert taken.data_version == made.data_version
    assert table(two, "over/raw_dataset", "2021-01").equals(table(two, "monthly/feature_set", "2021-01"))
    assert table(two, "over/raw_dataset", "2021-01").schema.field("code").type == pa.string()  # no dates by their looks
    assert taken.inputs == {"monthly/feature_set@2021-01": f"1:{made.data_version}"}
    graph = two.definitions.resolve_asset_graph()
    key = dg.AssetKey(["over", "raw_dataset"])
    assert graph.get(key).parent_keys == {dg.AssetKey(["monthly", "feature_set"])}


@pytest.mark.full
def test_a_range_reads_each_partition_by_its_key(two):
    names = ("monthly/raw_dataset", "monthly/feature_set", "over/raw_dataset", "over/validated_dataset")
    result = two.materialize_range(*names, first=MONTHS[0], last=MONTHS[-1])
    assert result.success, failure(result)
    for month in MONTHS:
        read = newest(two, "over/raw_dataset", month).inputs
        assert read == {f"monthly/feature_set@{month}": f"1:{newest(two, 'monthly/feature_set', month).data_version}"}


@pytest.mark.full
def test_what_was_changed_in_the_store_is_not_read(two):
    assert ingest(two, "monthly", partition="2021-01").success
    commit = newest(two, "monthly/feature_set", "2021-01")
    file = next((two.settings.home / "store" / item.key) for item in commit.objects if item.name == "data.parquet")
    pq.write_table(pq.read_table(file).slice(1), file)
    result = two.materialize("over/raw_dataset", partition="2021-01")
    assert "differ" in failure(result) or "digest" in failure(result)
    assert newest(two, "over/raw_dataset", "2021-01") is None


JOINED = """\
features:
  steps:
    - join: {table: others, source: features://monthly, on: [x], columns: {half: other_half}}
    - join: {table: own, source: asset://mine/grades, on: [x], columns: [grade]}
"""


@dg.asset(key=["mine", "grades"])
def grades() -> pd.DataFrame:
    return pd.DataFrame({"x": range(40), "grade": pd.Categorical(["good", "bad"] * 20)})


def with_own(platform, own):
    """Return the platform's definitions with a user's own."""
    return build_definitions(platform.settings, own=own)


def materialize_with_own(platform, *assets, partition=None, names, resources=None):
    """Materialise pipelines' assets together with a user's own."""
    merged = with_own(platform, dg.Definitions(assets=list(assets), resources=resources or {}))
    keys = [dg.AssetKey(name.split("/")) for name in names]
    return merged.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=keys,
        partition_key=partition,
        instance=platform.instance,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            **run_config(None, experiment=False),
        },
        raise_on_error=False,
    )


def test_feature_sets_and_own_assets_are_joined_and_stand_in_the_lineage(two):
    assert ingest(two, "monthly", partition="2021-01").success
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + JOINED)
    unpartitioned = materialize_with_own(two, grades, names=["mine/grades"])
    assert unpartitioned.success, failure(unpartitioned)
    result = materialize_with_own(two, grades, names=["over/raw_dataset", "over/feature_set"], partition="2021-01")
    assert result.success, failure(result)
    made = table(two, "over/feature_set", "2021-01")
    assert made["other_half"].equals(made["half"])
    assert made["grade"].to_pylist() == ["bad" if x % 2 else "good" for x in made["x"].to_pylist()]
    inputs = newest(two, "over/feature_set", "2021-01").inputs
    assert (
        inputs["monthly/feature_set@2021-01"]
        == newest(two, "over/raw_dataset", "2021-01").inputs["monthly/feature_set@2021-01"]
    )
    assert inputs["mine/grades"].startswith("0:")


TIMED = """\
features:
  tables: [{table: whole, source: features://monthly, time: false}]
  steps:
    - derive: {day: day + interval 1 day}
    - join:
        table: known
        source: features://monthly
        on: [x]
        as_of: {left: day, right: day, delay: 1 second}
        columns: {half: known}
    - join:
        table: late
        source: features://monthly
        on: [x]
        as_of: {left: day, right: day, delay: 2 days}
        columns: {half: late}
    - sql: select rows.*, whole.half as looked_up from rows left join whole using (x)
  time: day
"""


@pytest.mark.full
def test_a_feature_set_is_joined_as_of_each_rows_time_and_read_by_a_select(two):
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + TIMED)
    assert ingest(two, "monthly", partition="2021-01").success
    result = two.materialize("over/raw_dataset", "over/feature_set", partition="2021-01")
    assert result.success, failure(result)
    made = table(two, "over/feature_set", "2021-01")
    assert made["known"].equals(made["half"])
    assert made["looked_up"].equals(made["half"])
    assert made["late"].null_count == made.num_rows


OWN = """\
name: orders
task: regression
dataset: {source: asset://shop/orders, target: spent}
split: {by: random}
model: {candidates: [ridge]}
tuning: {enabled: false}
"""


class OfAnotherLibrary:
    """A table as Polars and DuckDB offer theirs."""

    def __init__(self, rows):
        self.rows = rows

    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table(self.rows).__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("keeper", ["io_manager", "artifact_io_manager"])
@pytest.mark.parametrize("kind", [pa.table, pytest.param(pd.DataFrame, marks=pytest.mark.full), OfAnotherLibrary])
def test_a_users_own_asset_is_a_source_whoever_keeps_it(platform, keeper, kind):
    rows = {"customer": ["a", "b", "c"], "day": ["2024-01-01", "2024-01-02", None], "spent": [1.5, 2.5, 3.5]}

    @dg.asset(key=["shop", "orders"], io_manager_key=keeper)
    def orders():
        return kind(rows)

    (platform.settings.pipelines_dir / "orders.yaml").write_text(OWN)
    result = materialize_with_own(platform, orders, names=["shop/orders", "orders/raw_dataset"])
    assert result.success, failure(result)
    made = table(platform, "orders/raw_dataset", None)
    assert made.num_rows == 3
    assert str(made.schema.field("day").type).startswith("timestamp")  # read as from a file
    assert (platform.settings.pipelines_dir / "schemas" / "orders.v1.yaml").exists()
    [(name, version)] = newest(platform, "orders/raw_dataset", None).inputs.items()
    assert (name, version.split(":")[0]) == ("shop/orders", "0" if keeper == "io_manager" else "1")


def test_an_own_asset_that_is_no_table_is_refused(platform):
    @dg.asset(key=["shop", "orders"])
    def orders() -> str:
        return "rows"

    (platform.settings.pipelines_dir / "orders.yaml").write_text(OWN)
    result = materialize_with_own(platform, orders, names=["shop/orders", "orders/raw_dataset"])
    assert "the value of an asset is no table" in failure(result)


def test_partitions_of_an_own_asset_are_read_by_key_and_range(two):
    months = dg.MonthlyPartitionsDefinition("2020-11", end_date="2021-06", fmt="%Y-%m")

    @dg.asset(key=["shop", "orders"], partitions_def=months)
    def orders(context: dg.AssetExecutionContext) -> pd.DataFrame:
        return pd.DataFrame({"x": [1.0, 2.0], "month": [context.partition_key] * 2, "y": [1.0, 2.0]})

    (two.settings.pipelines_dir / "over.yaml").write_text(OVER.replace("features://monthly", "asset://shop/orders"))
    for month in MONTHS[:2]:
        result = materialize_with_own(two, orders, names=["shop/orders", "over/raw_dataset"], partition=month)
        assert result.success, failure(result)
    merged = with_own(two, dg.Definitions(assets=[orders]))
    result = merged.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["over", "raw_dataset"])],
        instance=two.instance,
        tags={"dagster/asset_partition_range_start": MONTHS[0], "dagster/asset_partition_range_end": MONTHS[1]},
        run_config=run_config(None, experiment=False),
        raise_on_error=False,
    )
    assert result.success, failure(result)
    for month in MONTHS[:2]:
        assert {str(day)[:7] for day in table(two, "over/raw_dataset", month)["month"].to_pylist()} == {month}


def test_the_shell_reads_the_same_rows(two, monkeypatch, capsys):
    assert ingest(two, "monthly", partition="2021-01").success
    monkeypatch.setenv("ASSAY_HOME", str(two.settings.home))
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + JOINED.partition("    - join: {table: own")[0])
    line = ["validate", "--pipeline", "pipelines/over.yaml", "--partition", "2021-01", "--report-uri", "report.json"]
    assert main(line) == 0
    assert capsys.readouterr().out == "report.json\n"
    report = json.loads(Path("report.json").read_text())
    assert {"half", "other_half", "code"} < {column["name"] for column in report["profile"]}
    assert main(["ingest", "--source", "features://monthly@2021-01", "--output-uri", "rows.parquet"]) == 0
    assert pq.read_table("rows.parquet").equals(table(two, "monthly/feature_set", "2021-01"))
    capsys.readouterr()
    assert main([*line[:4], "2021-02", *line[5:]]) == 2
    assert "the rows of this asset are not in the deployment's store" in capsys.readouterr().err


@pytest.mark.full
def test_a_plan_sees_other_rows_of_the_feature_set(two):
    def reasons():
        deployment = Deployment(two.settings)
        spec = deployment.pipeline("over")
        plan = Planner(spec, deployment.artifacts, source_rows(deployment, spec)).plan("2021-01")
        return {each.asset: each.reason for each in plan if each.partition == "2021-01"}

    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + JOINED.partition("    - join: {table: own")[0])
    assert ingest(two, "monthly", "over", partition="2021-01").success
    assert reasons()["raw_dataset"] == "version 1 is of the same code and inputs"
    assert reasons()["feature_set"] == "version 1 is of the same code and inputs"
    monthly = two.settings.pipelines_dir / "monthly.yaml"
    monthly.write_text(monthly.read_text().replace("x / 2.0", "x / 4.0"))
    assert two.materialize("monthly/feature_set", partition="2021-01").success
    assert reasons()["raw_dataset"] == "the source has other rows"
    assert two.materialize("over/raw_dataset", partition="2021-01").success
    assert reasons()["feature_set"] == "it was not made of the newest raw_dataset of 2021-01"


def requests_of(platform):
    """Return a function that evaluates the conditions and returns what is requested of the pipeline `over`."""
    cursor, definitions = None, platform.definitions

    def requested():
        nonlocal cursor
        result = dg.evaluate_automation_conditions(defs=definitions, instance=platform.instance, cursor=cursor)
        cursor = result.cursor
        return sorted(
            f"{one.key.path[-1]}@{key}"
            for one in result.results
            if one.key.path[0] == "over" and not one.true_subset.is_empty
            for key in one.true_subset.expensively_compute_partition_keys()
        )

    return requested


@pytest.mark.parametrize("trigger", ["retrain_on", pytest.param("ingest_on", marks=pytest.mark.full)])
def test_new_rows_of_the_feature_set_make_the_same_partition_once(two, trigger):
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + f"automation: {{{trigger}: [new_data]}}\n")
    requested = requests_of(two)
    names = names_in(Phase.INGESTION, *((Phase.LEARNING,) if trigger == "retrain_on" else ()))
    assert requested() == []
    assert ingest(two, "monthly", partition="2021-01").success
    assert requested() == sorted(f"{name}@2021-01" for name in names)
    assert [requested() for _ in range(2)] == [[], []]
    assert ingest(two, "monthly", partition="2021-01").success  # the same rows
    assert requested() == []
    assert not any("over_new_data" in sensor.name for sensor in two.definitions.sensors or ())


@pytest.mark.full
def test_new_rows_of_a_joined_feature_set_make_the_same_partition_once(two):
    joined = "features: {steps: [{join: {table: half, source: features://monthly, on: [x], columns: {half: h}}}]}\n"
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + joined + "automation: {ingest_on: [joined_data]}\n")
    assert ingest(two, "monthly", partition="2021-01").success
    assert ingest(two, "over", partition="2021-01").success
    requested = requests_of(two)
    assert requested() == []
    monthly = two.settings.pipelines_dir / "monthly.yaml"
    monthly.write_text(monthly.read_text().replace("x / 2.0", "x / 4.0"))
    assert ingest(two, "monthly", partition="2021-01").success
    assert ingest(two, "monthly", partition="2021-02").success  # over's was not made
    assert requested() == ["feature_set@2021-01", "validated_dataset@2021-01"]
    assert requested() == []


@pytest.mark.full
def test_rows_to_predict_join_the_newest_feature_set(two):
    new = [{name: row[name] for name in ("day", "x", "z")} for row in monthly_rows(("2021-02",))]
    new = [row | {"half": row["x"] / 2, "code": "a", "even": "true"} for row in new]
    scored = write_csv(two.settings.pipelines_dir.parent / "new.csv", new)
    scoring = f"scoring: {{source: {scored}, columns: [x, other_half]}}\n"
    (two.settings.pipelines_dir / "over.yaml").write_text(
        OVER + JOINED.partition("    - join: {table: own")[0] + scoring
    )
    over = [f"over/{name}" for name in names_in(Phase.INGESTION, Phase.LEARNING)]
    made = ("monthly/raw_dataset", "monthly/feature_set", "over/feature_set", *over)
    result = two.materialize_range(*made, first=MONTHS[0], last=MONTHS[2])
    assert result.success, failure(result)
    result = two.materialize("over/batch_predictions")
    assert result.success, failure(result)
    predicted = table(two, "over/batch_predictions", None)
    assert predicted["other_half"].to_pylist() == [row["half"] for row in new]
    read = newest(two, "over/batch_predictions", None).inputs
    joined = {"monthly/feature_set@2021-02": f"1:{newest(two, 'monthly/feature_set', '2021-02').data_version}"}
    assert read == joined
    over = two.settings.pipelines_dir / "over.yaml"
    over.write_text(over.read_text().replace(str(scored), "features://monthly"))
    result = two.materialize("over/batch_predictions")
    assert result.success, failure(result)
    newest_rows = table(two, "monthly/feature_set", "2021-02")
    assert table(two, "over/batch_predictions", None)["x"].equals(newest_rows["x"])
    assert newest(two, "over/batch_predictions", None).inputs == joined
    graph = two.definitions.resolve_asset_graph()
    assert dg.AssetKey(["monthly", "feature_set"]) in graph.get(dg.AssetKey(["over", "batch_predictions"])).parent_keys


def test_an_own_asset_takes_what_a_pipeline_makes_also_of_several_partitions(two):
    seen = []
    months = two.definitions.resolve_assets_def(["monthly", "feature_set"]).partitions_def
    ins = {"rows": dg.AssetIn(key=["monthly", "feature_set"])}

    @dg.asset(key=["mine", "all"], partitions_def=months, backfill_policy=dg.BackfillPolicy.single_run(), ins=ins)
    def all_months(rows: dict[str, pd.DataFrame]) -> None:
        seen.append({month: len(frame) for month, frame in rows.items()})

    @dg.asset(key=["mine", "one"], partitions_def=months, ins=ins)
    def one_month(rows) -> None:
        seen.append(rows)

    for month in MONTHS[:2]:
        assert ingest(two, "monthly", partition=month).success
    merged = with_own(two, dg.Definitions(assets=[all_months, one_month]))
    job = merged.resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": MONTHS[0], "dagster/asset_partition_range_end": MONTHS[1]}
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(["mine", "all"])], instance=two.instance, tags=tags, raise_on_error=False
    )
    assert result.success, failure(result)
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(["mine", "one"])],
        instance=two.instance,
        partition_key=MONTHS[0],
        raise_on_error=False,
    )
    assert result.success, failure(result)
    assert seen[0] == dict.fromkeys(MONTHS[:2], 40)
    assert isinstance(seen[1], Dataset)


ZONES = """\
name: zones
task: regression
dataset: {source: SOURCE, target: y}
features: {steps: [{derive: {group: x % 3}}]}
"""


@pytest.mark.full
def test_a_whole_feature_set_is_joined_in_each_partition_of_a_range(two):
    source = write_csv(two.settings.pipelines_dir.parent / "zones.csv", [{"x": n, "y": 2 * n} for n in range(40)])
    (two.settings.pipelines_dir / "zones.yaml").write_text(ZONES.replace("SOURCE", str(source)))
    join = "features: {steps: [{join: {table: zones, source: 'features://zones', on: [x], columns: [group]}}]}\n"
    (two.settings.pipelines_dir / "over.yaml").write_text(OVER + join)
    assert two.materialize("zones/raw_dataset", "zones/feature_set").success
    names = ("monthly/raw_dataset", "monthly/feature_set", "over/raw_dataset", "over/feature_set")
    result = two.materialize_range(*names, first=MONTHS[0], last=MONTHS[1])
    assert result.success, failure(result)
    version = newest(two, "zones/feature_set", None).data_version
    for month in MONTHS[:2]:
        assert newest(two, "over/feature_set", month).inputs["zones/feature_set"] == f"1:{version}"
        assert table(two, "over/feature_set", month)["group"].to_pylist() == [n % 3 for n in range(40)]


class Daily(dg.IOManager):
    """Gives one row for each day, as an IO manager of files gives several partitions."""

    def handle_output(self, context, obj):
        """Keep nothing."""

    def load_input(self, context):
        return {day: pd.DataFrame({"x": [1.0], "day": [day], "y": [1.0]}) for day in context.asset_partition_keys}


def test_finer_partitions_are_read_together_and_refused_in_a_range(two):
    days = dg.DailyPartitionsDefinition("2021-01-01", end_date="2021-03-01")

    @dg.asset(key=["shop", "orders"], partitions_def=days)
    def orders() -> None:
        pass

    (two.settings.pipelines_dir / "over.yaml").write_text(OVER.replace("features://monthly", "asset://shop/orders"))
    own = dg.Definitions(assets=[orders], resources={"io_manager": Daily()})
    job = with_own(two, own).resolve_implicit_global_asset_job_def()
    asked = {
        "asset_selection": [dg.AssetKey(["over", "raw_dataset"])],
        "instance": two.instance,
        "raise_on_error": False,
    }
    result = job.execute_in_process(**asked, partition_key="2021-02")
    assert result.success, failure(result)
    read = table(two, "over/raw_dataset", "2021-02")["day"].to_pylist()
    assert [str(day)[:10] for day in read] == days.get_partition_keys()[31:]
    tags = {"dagster/asset_partition_range_start": "2021-01", "dagster/asset_partition_range_end": "2021-02"}
    assert "materialise one partition in each run" in failure(job.execute_in_process(**asked, tags=tags))


@pytest.mark.full
def test_an_experiment_reads_the_feature_set_of_production(two):
    assert ingest(two, "monthly", partition="2021-01").success
    names = ("over/raw_dataset", "over/validated_dataset")
    result = two.materialize(*names, partition="2021-01", parameters={"random_state": 7}, experiment=True)
    assert result.success, failure(result)
    assert newest(two, "over/raw_dataset", "2021-01") is None
    (space,) = two.settings.home.joinpath("store", "@spaces").iterdir()
    assert [*space.joinpath("over", "raw_dataset").rglob("*-data.parquet")]


def test_an_unknown_asset_breaks_its_pipeline_alone(two):
    @dg.asset(key=["shop", "order"], ins={"rows": dg.AssetIn(key=["orders", "validated_dataset"])})
    def order(rows) -> None:
        """Read what a broken pipeline would make."""

    (two.settings.pipelines_dir / "orders.yaml").write_text(OWN)
    definitions = with_own(two, dg.Definitions(assets=[order]))
    keys = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert {"orders/broken_pipeline", "shop/order", "over/raw_dataset"} < keys
    assert "orders/raw_dataset" not in keys
    (broken,) = definitions.resolve_assets_def(["orders", "broken_pipeline"]).specs
    assert "did you mean 'shop/order'?" in broken.description
    assert "orders.yaml:3 (dataset.source)" in broken.description
    assert definitions.resolve_implicit_global_asset_job_def()
    assert two.definitions.resolve_implicit_global_asset_job_def()
