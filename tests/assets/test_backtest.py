"""A backfill is a backtest."""

import dagster as dg
import mlflow
import pytest
from small_platform import failure

from assay.backtesting.walk_forward import BacktestReport


@pytest.mark.drawn
def test_a_range_run_ends_with_the_backtest_and_leaves_the_registry_to_the_champion(monthly):
    result = monthly.materialize_range("monthly/*", first="2020-12", last="2021-03")
    assert result.success, failure(result)
    report = monthly.artifacts.load(("monthly", "backtest_report"), None, BacktestReport)
    assert [each.partition for each in report.results] == ["2021-02", "2021-03"]
    assert [each.trained_on for each in report.results] == [("2020-12", "2021-01"), ("2021-01", "2021-02")]
    assert [str(each.newest_training_row) for each in report.results] == ["2021-01-28 00:00:00", "2021-02-28 00:00:00"]
    assert (report.results[0].champion, report.results[0].stale) == (None, report.results[0].retrained)
    [reported] = monthly.instance.fetch_materializations(dg.AssetKey(["monthly", "backtest_report"]), limit=9).records
    assert "plot/walk_forward" in reported.asset_materialization.metadata
    [check] = [each for each in result.get_asset_check_evaluations() if each.check_name == "no_row_after_as_of"]
    assert check.passed

    client = mlflow.MlflowClient(monthly.settings.tracking_uri)
    before = client.get_model_version_by_alias("monthly", "champion").version
    again = monthly.materialize("monthly/backtest_report")
    assert again.success, failure(again)
    assert client.get_model_version_by_alias("monthly", "champion").version == before
    assert monthly.artifacts.load(("monthly", "backtest_report"), None, BacktestReport) == report
