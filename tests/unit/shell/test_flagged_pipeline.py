import pytest

from assay.errors import SpecError
from assay.shell.main import parse
from assay.shell.pipeline_flags import pipeline_of
from assay.specs.pipeline import Task

FILE = """\
name: bank
task: binary_classification
dataset: {source: rows.csv, format: csv, dialect: {delimiter: ";"}, target: y}
model: {candidates: [ridge, logistic_regression], hyperparameters: {C: 1.0}}
split: {test_size: 0.3}
"""


def train(*more, source="data/bank-full.csv"):
    return parse(["train", "--train-data-path", source, "--target-column", "y", "--model-name", "ridge", *more])


def test_flags_alone_make_a_pipeline():
    spec = pipeline_of(train("--test-size", "0.15", "--random-state", "7", "--hyperparameters", '{"alpha": 2}'))
    assert (spec.dataset.source, spec.dataset.target) == ("data/bank-full.csv", "y")
    assert spec.model.candidates == ("ridge",)
    assert spec.model.hyperparameters == {"alpha": 2}
    assert (spec.split.test_size, spec.split.seed, spec.training.seed) == (0.15, 7, 7)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("s3://bucket/data/bank-full.csv.gz", "bank_full"),
        ("2024 rows.csv", "data_2024_rows"),
        ("/data/parts/*.parquet", "data"),
        ("x" * 90 + ".csv", "x" * 63),
    ],
)
def test_the_pipeline_is_named_after_the_data(source, name):
    assert pipeline_of(train(source=source)).name == name


@pytest.mark.parametrize(("task", "split"), [(Task.REGRESSION, "random"), (Task.MULTICLASS, "stratified")])
def test_classes_are_split_by_class(task, split):
    spec = pipeline_of(train("--model-name", "random_forest"), task)
    assert (spec.task, spec.split.by) == (task, split)


def test_the_flag_task_wins_over_the_data():
    assert pipeline_of(train("--task", "regression"), Task.BINARY).task is Task.REGRESSION


@pytest.mark.parametrize(
    ("given", "applied"),
    [("full", "full"), ("full_train", "full"), ("incremental", "incremental"), ("incremental_train", "incremental")],
)
def test_both_spellings_of_a_scenario_are_taken(given, applied):
    assert pipeline_of(train("--training-scenario", given)).training.scenario == applied


def test_a_dialect_is_detected_unless_one_is_given():
    assert pipeline_of(train()).dataset.dialect.detect
    given = pipeline_of(train("--dialect", '{"delimiter": ";"}')).dataset.dialect
    assert (given.delimiter, given.detect) == (";", False)


def test_flags_win_over_the_pipeline_file(tmp_path):
    path = tmp_path / "bank.yaml"
    path.write_text(FILE)
    spec = pipeline_of(parse(["train", "--pipeline", str(path), "--model-name", "logistic_regression"]))
    assert spec.model.candidates == ("logistic_regression",)
    assert (spec.split.test_size, spec.dataset.dialect.delimiter) == (0.3, ";")


@pytest.mark.parametrize(
    ("flags", "where", "reported"),
    [
        (["--test-size", "2"], "--test-size", "less than 1"),
        (["--random-state", "-1"], "--random-state", "greater than or equal to 0"),
        (["--dialect", '{"delimter": ";"}'], "--dialect, delimter", "delimiter"),
        (["--validation-config", '{"max_mising": 1}'], "--validation-config, max_mising", "max_missing"),
    ],
)
def test_what_is_not_acceptable_names_its_flag(flags, where, reported):
    with pytest.raises(SpecError) as refused:
        pipeline_of(train(*flags))
    assert refused.value.where == where
    assert reported in refused.value.what + refused.value.expected
