"""One run for a range of partitions gives each partition what a run of its own gives it."""

import dagster as dg
import mlflow
import pytest
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from small_platform import MONTHLY, failure, monthly_rows, write_csv

from assay.errors import DataContractError
from assay.reading.sandbox import transcribe_in_child
from ml_assets.pipeline.asset import Phase
from ml_assets.pipeline.verified_inputs import verified_split
from ml_assets.stages import names_in

MONTHS = ("2020-12", "2021-01", "2021-02", "2021-03")
DATA = tuple(f"monthly/{name}" for name in names_in(Phase.INGESTION))
MODELS = tuple(f"monthly/{name}" for name in names_in(Phase.LEARNING))
COMPARED = ("raw_dataset", "validated_dataset", "best_hyperparameters", "evaluation_report")


def versions(platform, asset, months=MONTHS):
    """The newest data version of each partition in the store and in Dagster, or None."""
    key = dg.AssetKey(["monthly", asset])
    found = {}
    for month in months:
        commit = platform.artifacts.log.newest(("monthly", asset), month)
        event = platform.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[month]), limit=1
        ).records
        tags = event[0].asset_materialization.tags if event else {}
        found[month] = (commit.data_version if commit else None, tags.get("dagster/data_version"))
    return found


@pytest.mark.confined
def test_a_range_is_one_run_with_each_partition_as_its_own_version(monthly, monkeypatch):
    files_read = []

    def transcribe(path, *rest, **options):
        files_read.append(path.name)
        return transcribe_in_child(path, *rest, **options)

    monkeypatch.setattr("assay.reading.source_files.transcribe_in_child", transcribe)
    result = monthly.materialize_range(*DATA, first="2020-12", last="2021-03")
    assert result.success, failure(result)
    assert len([event for event in result.all_events if event.is_step_start]) == 2
    assert files_read == ["monthly.csv"]
    found = versions(monthly, "validated_dataset")
    assert len(set(found.values())) == len(MONTHS)
    for month, (stored, recorded) in found.items():
        commit = monthly.artifacts.newest(("monthly", "validated_dataset"), month)
        assert stored == recorded == commit.receipt.data_digest
        assert set(commit.inputs) == {f"monthly/raw_dataset@{month}"}


@pytest.mark.full
def test_a_range_over_a_years_end_gives_what_single_runs_give(monthly):
    for month in MONTHS:
        assert monthly.materialize(*DATA, partition=month).success
    for month in MONTHS[2:]:
        result = monthly.materialize("monthly/*", partition=month)
        assert result.success, failure(result)
    alone = {asset: versions(monthly, asset) for asset in COMPARED}

    result = monthly.materialize_range("monthly/*", first="2020-12", last="2021-03")
    assert result.success, failure(result)
    assert {asset: versions(monthly, asset) for asset in COMPARED} == alone
    for asset in ("best_hyperparameters", "champion_model"):
        history = {month: len(monthly.artifacts.log.history(("monthly", asset), month)) for month in MONTHS}
        assert history == {"2020-12": 0, "2021-01": 0, "2021-02": 2, "2021-03": 2}
    model = monthly.artifacts.newest(("monthly", "trained_model"), "2021-02")
    assert {name.rpartition("@")[2] for name in model.inputs} == {"2020-12", "2021-01", "2021-02"}


@pytest.mark.full
def test_every_training_of_a_range_is_one_mlflow_run_and_every_check_is_of_its_partition(monthly):
    result = monthly.materialize_range("monthly/*", first="2020-12", last="2021-03")
    assert result.success, failure(result)
    checks = [check for check in result.get_asset_check_evaluations() if check.check_name == "better_model_is_champion"]
    assert {check.partition: check.passed for check in checks} == {
        "2021-02": True,
        "2021-03": True,
    }  # the second one is kept
    client = mlflow.MlflowClient(monthly.settings.tracking_uri)
    [experiment] = [found for found in client.search_experiments() if found.name == "assay/monthly"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["partition"] for run in runs) == ["2021-02", "2021-03"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_range_whose_history_is_too_short_everywhere_is_refused_with_the_number_of_months(monthly, tmp_path):
    monthly.pipeline(MONTHLY.replace('"2020-11"', '"2020-12"'), tmp_path / "data" / "monthly.csv")
    assert monthly.materialize_range(*DATA, first="2020-12", last="2021-01").success
    result = monthly.materialize_range("monthly/best_hyperparameters", first="2020-12", last="2021-01")
    assert not result.success
    assert "2020-12: [data_contract_broken] 2 partitions are missing" in failure(result)
    assert "2021-01: [data_contract_broken] 1 partition is missing" in failure(result)


def test_a_refused_month_fails_the_run_and_costs_only_what_would_learn_from_it(monthly, tmp_path):
    months = (*MONTHS, "2021-04", "2021-05")
    bad = [row | {"x": -1} if row["day"].startswith("2021-01") else row for row in monthly_rows(months)]
    write_csv(tmp_path / "data" / "monthly.csv", bad)
    result = monthly.materialize_range("monthly/*", first="2020-12", last="2021-05")
    assert not result.success
    message = failure(result)
    assert "[partitions_failed] 3 of 6 partitions failed" in message
    assert "2021-01: [gate_rejected] the data-quality gate rejected this data" in message
    assert "failed rules: values_in_range" in message
    assert "2021-03: [gate_rejected]" in message

    newest = monthly.artifacts.log.newest
    states = {month: newest(("monthly", "validated_dataset"), month).status for month in months}
    assert [month for month, status in states.items() if status == "rejected"] == ["2021-01"]
    assert [month for month in months if newest(("monthly", "champion_model"), month)] == ["2021-04", "2021-05"]
    events = monthly.instance.fetch_materializations(dg.AssetKey(["monthly", "validated_dataset"]), limit=10).records
    assert sorted(record.partition_key for record in events) == [month for month in months if month != "2021-01"]
    checks = [check for check in result.get_asset_check_evaluations() if check.check_name == "values_in_range"]
    assert {check.partition: check.passed for check in checks} == {month: month != "2021-01" for month in months}


@pytest.mark.full
def test_months_that_a_backfill_adds_are_skipped_until_they_have_rows(monthly):
    assert monthly.materialize_range(*DATA, first="2020-12", last="2021-03").success
    asked_for(monthly, "backfill", "2020-12", "2021-01", "2021-02", "2021-03")
    by_dagster = {"dagster/backfill": "backfill"}  # two months train, so that two more months would learn from these
    result = monthly.materialize_range(*MODELS, first="2020-12", last="2021-05", tags=by_dagster)
    assert result.success, failure(result)
    assert [month for month, version in versions(monthly, "champion_model").items() if version[0]] == list(MONTHS[2:])

    result = monthly.materialize_range(*MODELS, first="2021-02", last="2021-05")
    assert not result.success
    assert "[partitions_failed] 2 of 4 partitions failed" in failure(result)


def test_a_backfill_of_nothing_but_months_without_history_is_refused(monthly):
    assert monthly.materialize(*DATA, partition="2020-12").success
    asked_for(monthly, "backfill", "2020-12")
    tags = {"dagster/backfill": "backfill"}
    result = monthly.materialize_range(*MODELS, first="2020-12", last="2021-02", tags=tags)
    assert not result.success
    assert "[partitions_failed] 3 of 3 partitions failed" in failure(result)


@pytest.mark.full
def test_a_month_that_failed_stays_failed_when_the_run_is_resumed(monthly, monkeypatch):
    assert monthly.materialize_range("monthly/*", first="2020-12", last="2021-03").success

    def refuses_february(window, spec, context):
        if context.partition_key == "2021-02":
            raise DataContractError("February is odd")
        return verified_split(window, spec, context)

    def killed(*_):
        raise RuntimeError("the machine died")

    with monkeypatch.context() as broken:
        broken.setattr("ml_assets.assets.best_hyperparameters.verified_split", refuses_february)
        broken.setattr("ml_assets.assets.trained_model.verified_split", killed)
        first = monthly.materialize_range("monthly/*", first="2020-12", last="2021-03")
    assert not first.success
    again = monthly.resumed(first.run_id)
    assert next(event.step_key for event in again.all_events if event.is_step_start) == "monthly__trained_model"
    assert not again.success
    assert "2021-02: [data_contract_broken] February is odd" in failure(again)
    made = {month: len(monthly.artifacts.log.history(("monthly", "trained_model"), month)) for month in MONTHS[2:]}
    assert made == {"2021-02": 1, "2021-03": 2}

    assert monthly.materialize("monthly/best_hyperparameters", partition="2021-02").success
    resumed = monthly.resumed(first.run_id)
    assert resumed.success, failure(resumed)


def asked_for(platform, name, *months):
    """Keep a backfill of all assets as the user interface asks for it, so that Dagster finds out what it makes."""
    graph, instance = platform.definitions.resolve_asset_graph(), platform.instance
    keys = [dg.AssetKey(key.split("/")) for key in (*DATA, *MODELS)]
    made = AssetBackfillData.from_asset_partitions(graph, months, keys, instance, 0.0, all_partitions=False)
    backfill = PartitionBackfill(name, BulkActionStatus.REQUESTED, False, {}, 0.0, asset_backfill_data=made)
    instance.add_backfill(backfill)
