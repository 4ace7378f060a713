"""Sources that are assets: what a file may say, and what is wrong between files."""

import pytest

from assay.errors import SpecError
from assay.specs import read_pipelines
from assay.specs.loading import parse_pipeline

PIPELINE = """\
name: {name}
task: regression
dataset:
  source: {source}
  partitions: {partitions}
  target: y
"""
STEPS = "features: {steps: [{filter: y > 0}]}\n"
MONTHLY = '{by: month, start: "2020-11"}'


@pytest.fixture
def broken(tmp_path):
    """Return a function that writes pipelines and gives the errors of those that cannot be used, by name."""

    def read(**files):
        for name, (source, partitions, more) in files.items():
            text = PIPELINE.format(name=name, source=source, partitions=partitions)
            (tmp_path / f"{name}.yaml").write_text(text + more)
        return {each.name: each.error for each in read_pipelines(tmp_path).broken}

    return read


def test_a_chain_of_feature_sets_is_accepted(broken):
    assert not broken(
        trips=("trips.csv", "{by: month, start: '2020-11', column: day}", STEPS),
        zones=("features://trips", MONTHLY, STEPS),
        model=("features://zones", MONTHLY, ""),
    )


def test_an_unknown_pipeline_is_named_with_its_line_and_the_nearest_name(broken):
    errors = broken(trips=("trips.csv", "{}", STEPS), model=("features://trip", "{}", ""))
    assert set(errors) == {"model"}
    assert "did you mean 'trips'" in errors["model"].what
    assert errors["model"].where.endswith("model.yaml:4 (dataset.source)")


def test_who_reads_a_pipeline_that_cannot_be_used_cannot_be_used_either(broken):
    errors = broken(
        trips=("trips.csv", "{}", STEPS + "splitt: {}"),
        zones=("features://trips", "{}", STEPS),
        model=("features://zones", "{}", ""),
        other=("other.csv", "{}", ""),
    )
    assert set(errors) == {"trips", "zones", "model"}
    assert errors["zones"].what.startswith("the pipeline 'trips' cannot be used")
    assert errors["model"].what.startswith("the pipeline 'zones' cannot be used")
    assert errors["model"].found.endswith("zones.yaml")


def test_circles_are_refused(broken):
    join = "features: {steps: [{join: {table: a, source: '%s', on: [k]}}]}\n"
    errors = broken(
        a=("features://b", "{}", STEPS),
        b=("b.csv", "{}", join % "features://a"),
        self=("features://self", "{}", STEPS),
        c=("c.csv", "{}", join % "asset://d/validated_dataset"),
        d=("features://c", "{}", STEPS),
    )
    assert {name: error.found for name, error in errors.items()} == {
        "a": "a reads b reads a",
        "b": "b reads a reads b",
        "self": "self reads self",
        "c": "c reads d reads c",
        "d": "d reads c reads d",
    }
    assert errors["b"].where.endswith("b.yaml:7 (features.steps.0.join.source)")


def test_a_pipeline_without_features_has_no_feature_set(broken):
    error = broken(trips=("trips.csv", "{}", ""), model=("features://trips", "{}", ""))["model"]
    assert "has no feature set" in error.what
    assert "asset://trips/validated_dataset" in str(error.remedy)


def test_a_key_of_a_pipeline_names_one_of_its_tables(broken):
    errors = broken(
        trips=("trips.csv", "{}", ""),
        model=("asset://trips/validated_datasets", "{}", ""),
        other=("asset://trips/feature_set", "{}", ""),
        good=("asset://trips/validated_dataset", "{}", ""),
        dbt=("asset://warehouse/orders", "{}", ""),
    )
    assert set(errors) == {"model", "other"}
    assert "did you mean 'validated_dataset'" in errors["model"].what
    assert errors["other"].expected == "one of raw_dataset, validated_dataset"


@pytest.mark.parametrize(
    "partitions",
    ["{}", '{by: month, start: "2020-12"}', '{by: day, start: "2020-11-01"}', "{by: object}"],
)
def test_other_partitions_are_refused(broken, partitions):
    errors = broken(trips=("trips.csv", MONTHLY, STEPS), model=("features://trips", partitions, ""))
    assert "partitions" in errors["model"].what


def test_a_join_takes_a_whole_feature_set_too(broken):
    join = "features: {steps: [{join: {table: a, source: 'features://zones', on: [k]}}]}\n"
    assert not broken(zones=("zones.csv", "{}", STEPS), trips=("trips.csv", MONTHLY, join))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dataset: {source: 'features://Trips', target: y}", "names a pipeline"),
        ("dataset: {source: 'features://a/b', target: y}", "names a pipeline"),
        ("dataset: {source: 'asset://', target: y}", "names an asset by its key"),
        ("dataset: {source: 'asset://a//b', target: y}", "names an asset by its key"),
        ("dataset: {source: 'asset://a/{partition}', target: y}", "names an asset by its key"),
        ("dataset: {source: 'features://trips', format: csv, target: y}", "format: the rows of an asset are no file"),
        ("dataset: {source: 'asset://a', query: select 1, target: y}", "a query needs a database"),
        ("dataset: {source: a.csv, target: y}\nscoring: {source: 'asset://a//b'}", "names an asset by its key"),
    ],
)
def test_an_address_that_names_no_asset_is_refused(line, said):
    with pytest.raises(SpecError) as caught:
        parse_pipeline(f"name: model\ntask: regression\n{line}", where="model.yaml")
    assert said in str(caught.value)


def test_tables_of_a_select_are_checked_too(broken):
    tables = "features: {tables: [{table: a, source: 'features://trip'}], steps: [{sql: select * from rows}]}\n"
    error = broken(trips=("trips.csv", "{}", STEPS), model=("model.csv", "{}", tables))["model"]
    assert error.where.endswith("model.yaml:7 (features.tables.0.source)")


def test_labels_of_served_rows_are_checked_and_may_be_the_pipelines_own_later_rows(broken):
    labels = "serving: {labels: {source: '%s', delay: 7d}}\n"
    errors = broken(
        trips=("trips.csv", MONTHLY, labels % "asset://trips/validated_dataset"),
        misspelt=("model.csv", "{}", labels % "asset://trips/validated_datasets"),
        model=("model.csv", "{}", labels % "features://trips"),
    )
    assert set(errors) == {"misspelt", "model"}
    assert errors["misspelt"].where.endswith("misspelt.yaml:7 (serving.labels.source)")
    assert "has no feature set" in errors["model"].what
