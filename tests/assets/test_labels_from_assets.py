"""Labels of served predictions that are an asset: a user's own, of any IO manager, or another pipeline's rows."""

import dagster as dg
import pandas as pd
import pytest
from small_platform import MONTHLY, failure, monthly_rows, run_config, write_csv

from assay.data.dataset import Dataset
from definitions import build_definitions

LOANS = """\
name: loans
task: binary_classification
dataset: {source: data/loans.csv, target: late}
model: {candidates: [logistic_regression]}
tuning: {enabled: false}
serving:
  labels: {source: %s, delay: 5d}
"""
ANSWERS = {"a": "yes", "b": "no"}


@pytest.fixture
def loans(platform):
    """Return a function that writes the pipeline with a source of labels."""

    def write(source):
        (platform.settings.pipelines_dir / "loans.yaml").write_text(LOANS % source)
        return platform

    return write


def outcomes_of(answers, keeper="io_manager"):
    @dg.asset(key=["bank", "outcomes"], io_manager_key=keeper)
    def outcomes():
        return pd.DataFrame({"request_id": [*answers], "late": [*answers.values()]})

    return outcomes


def run(platform, *assets, names, partition=None):
    defs = build_definitions(platform.settings, own=dg.Definitions(assets=[*assets]))
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(name.split("/")) for name in names],
        partition_key=partition,
        instance=platform.instance,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            **run_config(None, experiment=False),
        },
        raise_on_error=False,
    )


def versions(platform):
    """Return what is stored: key and label of each version, and the inputs of the newest commit."""
    commit = platform.artifacts.log.newest(("loans", "served_labels"), None)
    table = platform.artifacts.read(commit, Dataset).table
    return [*zip(table["label_key"].to_pylist(), table["label_class"].to_pylist(), strict=True)], commit.inputs


@pytest.mark.parametrize("keeper", ["io_manager", pytest.param("artifact_io_manager", marks=pytest.mark.full)])
def test_labels_of_an_own_asset_are_read_once_corrected_and_named_as_an_input(loans, keeper):
    platform = loans("asset://bank/outcomes")
    both = ("bank/outcomes", "loans/served_labels")
    corrected = {"a": "no", "b": "no", "c": "yes"}
    for answers in (ANSWERS, ANSWERS, corrected):
        result = run(platform, outcomes_of(answers, keeper), names=both)
        assert result.success, failure(result)
    stored, inputs = versions(platform)
    assert sorted(stored[:2]) == [("a", "yes"), ("b", "no")]
    assert sorted(stored[2:]) == [("a", "no"), ("c", "yes")]
    [(name, version)] = inputs.items()
    assert (name, version.split(":")[0]) == ("bank/outcomes", "0" if keeper == "io_manager" else "3")
    assert (platform.settings.pipelines_dir / "schemas" / "loans.labels.v1.yaml").exists()


def test_the_graph_has_the_dependency_and_a_new_version_requests_a_reading(loans):
    platform = loans("asset://bank/outcomes")
    outcomes = outcomes_of(ANSWERS)
    defs = build_definitions(platform.settings, own=dg.Definitions(assets=[outcomes]))
    labels = dg.AssetKey(["loans", "served_labels"])
    node = defs.resolve_asset_graph().get(labels)
    assert node.parent_keys == {dg.AssetKey(["bank", "outcomes"])}
    spec = next(each for each in defs.resolve_all_asset_specs() if each.key == labels)
    condition = spec.automation_condition

    @dg.asset(key=labels, deps=[outcomes], automation_condition=condition)
    def served_labels():
        return None

    alone = dg.Definitions([outcomes, served_labels])

    def requested(cursor=None):
        return dg.evaluate_automation_conditions(alone, platform.instance, cursor=cursor)

    first = requested()
    dg.materialize([outcomes], instance=platform.instance)
    second = requested(first.cursor)
    third = requested(second.cursor)
    assert [each.total_requested for each in (first, second, third)] == [0, 1, 0]


def test_a_feature_set_gives_the_labels_of_the_partitions_that_are_made(platform):
    source = write_csv(platform.settings.pipelines_dir.parent / "monthly.csv", monthly_rows())
    features = "features: {{steps: [{{derive: {{request_id: \"strftime(day, '%Y-%m') || '-' || x\"}}}}]}}\n"
    platform.pipeline(MONTHLY + features, source)
    served = "name: served\ntask: regression\ndataset: {source: data/served.csv, target: y}\n"
    labels = "serving: {labels: {source: 'features://monthly', delay: 1d}}\n"
    (platform.settings.pipelines_dir / "served.yaml").write_text(served + labels)

    def read():
        result = platform.materialize("served/served_labels")
        assert result.success, failure(result)
        commit = platform.artifacts.log.newest(("served", "served_labels"), None)
        return platform.artifacts.read(commit, Dataset).table, commit.inputs

    table, inputs = read()
    assert (table.num_rows, inputs) == (0, {})  # there are no labels yet
    for number, month in enumerate(("2020-12", "2021-01"), start=1):
        made = platform.materialize("monthly/raw_dataset", "monthly/feature_set", partition=month)
        assert made.success, failure(made)
        table, inputs = read()
        assert table.num_rows == 40 * number
        assert f"monthly/feature_set@{month}" in inputs
    assert table["label_value"].null_count == 0
