"""Predictions of each partition: of its rows, with its own checks, in single and in range runs."""

import dagster as dg
import pytest
from small_platform import MONTHLY, failure, monthly_rows, write_csv

from assay.data.dataset import Dataset
from assay.errors import SpecError
from assay.specs import load_pipeline

PARTITIONED = MONTHLY + "scoring: {{partitioned: true}}\n"


@pytest.fixture
def months(learned_months):
    """A platform with a champion and validated months, whose pipeline predicts each of them."""
    pipeline = (learned_months.settings.pipelines_dir / "monthly.yaml").read_text()
    (learned_months.settings.pipelines_dir / "monthly.yaml").write_text(
        pipeline + "scoring: {partitioned: true, columns: [day]}\n"
    )
    return learned_months


def scored_by_source(platform, source):
    path = platform.settings.pipelines_dir / "monthly.yaml"
    path.write_text(path.read_text().replace("partitioned: true", f"partitioned: true, source: {source}"))


def predicted(platform, month):
    artifacts = platform.artifacts
    commit = artifacts.log.newest(("monthly", "batch_predictions"), month)
    return None if commit is None else artifacts.read(commit, Dataset).table


def days(table):
    return table.column("day").to_pylist()


def validated(platform, month):
    commit = platform.artifacts.log.newest(("monthly", "validated_dataset"), month)
    return platform.artifacts.read(commit, Dataset).table


def test_a_month_has_predictions_of_its_own_rows(months):
    result = months.materialize("monthly/batch_predictions", partition="2021-02")
    assert result.success, failure(result)
    assert days(predicted(months, "2021-02")) == days(validated(months, "2021-02"))
    assert predicted(months, "2021-03") is None
    checks = result.get_asset_check_evaluations()
    assert {each.partition for each in checks} == {"2021-02"}
    assert len(checks) == 6
    assert all(each.passed for each in checks)


def test_one_run_predicts_a_range_of_months(months):
    result = months.materialize_range("monthly/batch_predictions", first="2021-01", last="2021-03")
    assert result.success, failure(result)
    for month in ("2021-01", "2021-02", "2021-03"):
        assert days(predicted(months, month)) == days(validated(months, month))


def test_a_month_that_was_not_validated_names_itself(months):
    result = months.materialize("monthly/batch_predictions", partition="2021-05")
    assert not result.success
    assert "2021-05" in failure(result)


def test_a_source_of_its_own_is_cut_into_the_same_months(months):
    rows = [{name: row[name] for name in ("day", "x", "z")} for row in monthly_rows(("2021-02", "2021-03", "2021-04"))]
    path = write_csv(months.settings.pipelines_dir.parent / "new.csv", rows[:110])
    scored_by_source(months, path)
    result = months.materialize("monthly/batch_predictions", partition="2021-04")
    assert result.success, failure(result)
    assert predicted(months, "2021-04").num_rows == 30
    assert predicted(months, "2021-02") is None


def test_a_new_month_is_predicted_once(months):
    asset = months.definitions.resolve_asset_graph().get(dg.AssetKey(["monthly", "batch_predictions"]))
    assert (
        asset.partitions_def
        == months.definitions.resolve_asset_graph().get(dg.AssetKey(["monthly", "validated_dataset"])).partitions_def
    )
    first = dg.evaluate_automation_conditions(months.definitions, months.instance)
    write_csv(
        months.settings.pipelines_dir.parent / "data" / "monthly.csv",
        monthly_rows(("2020-12", "2021-01", "2021-02", "2021-03", "2021-04")),
    )
    made = months.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition="2021-04")
    assert made.success, failure(made)
    second = dg.evaluate_automation_conditions(months.definitions, months.instance, cursor=first.cursor)
    assert second.get_requested_partitions(asset.key) == {"2021-04"}
    third = dg.evaluate_automation_conditions(months.definitions, months.instance, cursor=second.cursor)
    assert third.get_requested_partitions(asset.key) == set()


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (
            'partitions: {{by: month, column: day, start: "2020-11", end: "2021-06"}}',
            "partitions: {{by: none}}",
            "have no",
        ),
        (
            'partitions: {{by: month, column: day, start: "2020-11", end: "2021-06"}}',
            "partitions: {{by: object}}",
            "objects of one source",
        ),
    ],
)
def test_partitions_that_the_data_have_not_are_refused(tmp_path, old, new, word):
    text = PARTITIONED.replace(old, new).replace("{{by: time, train_partitions: 2}}", "{{by: random}}")
    if "object" in new:
        text = text.replace("partitioned: true", "partitioned: true, source: other.csv")
    path = tmp_path / "monthly.yaml"
    path.write_text(text.format(source="rows.csv"))
    with pytest.raises(SpecError, match=word) as refused:
        load_pipeline(path)
    assert "scoring" in refused.value.where or "line" in refused.value.where
