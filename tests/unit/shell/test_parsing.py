import json

import click
import pytest

from assay.shell.flags import COMMANDS
from assay.shell.main import main, parse
from assay.shell.pipeline_flags import reading_of
from assay.specs.overrides import RUN_PARAMETERS

TRAIN = ["train", "--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "ridge"]
TUNE = ["tune", *TRAIN[1:], "--output-uri", "best.json"]


def refused(arguments, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_json_flags_become_values():
    flags = parse([*TUNE, "--tuning-config", '{"enabled": true, "search_space": {"C": {"type": "float"}}}'])
    assert flags.tuning == {"enabled": True, "search_space": {"C": {"type": "float"}}}


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ('{"C": 0.5', "not valid JSON"),
        ("[1]", "a JSON object"),
        ('{"C": NaN}', "NaN is no number"),
        ('{"C": 1, "C": 2}', "repeated keys: C"),
    ],
)
def test_bad_json_names_its_flag(text, reported, capsys):
    error = refused([*TRAIN, "--hyperparameters", text], capsys)
    assert "'--hyperparameters'" in error
    assert reported in error


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["validate", "--target-column", "y", "--report-uri", "r.json"], "--dataset-path"),
        (["validate", "--dataset-path", "a.csv", "--report-uri", "r.json"], "--target-column"),
        (["train", "--train-data-path", "a.csv", "--target-column", "y"], "--model-name"),
        (["ingest", "--source", "a.csv"], "--output-uri"),
    ],
)
def test_a_missing_flag_is_named(arguments, flag, capsys):
    assert flag in refused(arguments, capsys)


def test_a_pipeline_file_stands_in_for_data_and_model():
    flags = parse(["train", "--pipeline", "bank.yaml", "--target-output-path", "out"])
    assert flags.data_source is None
    assert flags.model_name is None


def test_flags_are_not_abbreviated(capsys):
    assert "--target" in refused(["validate", "--target", "y", "--dataset-path", "a", "--report-uri", "r"], capsys)


def test_every_missing_flag_is_named_at_once(capsys):
    error = refused(["tune", "--target-column", "y"], capsys)
    assert "--train-data-path, --model-name, --output-uri (or --pipeline FILE)" in error


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--tets-size", "0.3"], "Did you mean '--test-size'"),
        (["--data-format", "cvs"], "did you mean 'csv'"),
        (["--training-scenario", "incremntal"], "did you mean 'incremental'"),
        (["--test-size", "nan"], "a finite number is expected"),
        (["--random-state", "1.5"], "'--random-state'"),
    ],
)
def test_a_flag_that_cannot_be_used_is_explained(flags, expected, capsys):
    assert expected in refused([*TRAIN, *flags], capsys)


def test_an_unknown_command_suggests_the_nearest(capsys):
    assert "did you mean 'validate'" in refused(["vallidate"], capsys)


def test_every_run_parameter_but_the_schemas_version_is_a_flag_with_its_description():
    options = {one.name: one for name in ("train", "tune") for one in COMMANDS[name]("").params}
    assert {*RUN_PARAMETERS} - {*options} == {"input_schema_version"}
    assert RUN_PARAMETERS["test_size"].description in options["test_size"].help


def test_addresses_to_write_to_are_known_before_the_command_runs():
    flags = parse(["ingest", "--source", "a", "--output-uri", "b.parquet", "--quarantine-uri", "s3://q"])
    assert flags.targets == ["b.parquet", "s3://q"]


def test_usage_errors_are_clicks():
    with pytest.raises(click.UsageError):
        parse(["train"])


def test_an_unknown_command_lists_the_known_ones(capsys):
    error = refused(["vallidate"], capsys)
    assert all(name in error for name in ("validate", "ingest", "tune", "train"))


PAYLOAD = {
    "data_source": "people.csv",
    "target_column": "y",
    "model_name": "logistic_regression",
    "model_version": 7,
    "input_schema_version": 1,
    "hyperparameters": {"C": 2},
    "test_size": 0.3,
    "training_scenario": "full_train",
    "target_output_path": None,
}


def payload(tmp_path, values):
    path = tmp_path / "payload.json"
    path.write_text(json.dumps(values))
    return str(path)


def test_a_file_of_run_parameters_stands_for_flags(tmp_path):
    flags = parse(["train", "--conf", payload(tmp_path, PAYLOAD), "--test-size", "0.4"])
    assert (flags.data_source, flags.target_column, flags.model_version) == ("people.csv", "y", "7")
    assert flags.hyperparameters == {"C": 2}
    assert flags.test_size == 0.4
    assert flags.target_output_path is None


def test_one_file_of_run_parameters_serves_several_commands(tmp_path):
    conf = payload(tmp_path, PAYLOAD)
    flags = parse(["validate", "--conf", conf, "--report-uri", "report.json"])
    assert (flags.data_source, flags.target_column, flags.model_name) == ("people.csv", "y", "logistic_regression")
    assert parse(["tune", "--conf", conf, "--output-uri", "best.json"]).hyperparameters == {"C": 2}


def test_ingest_takes_from_the_same_file_what_it_needs(tmp_path):
    reading = {"format": "json", "orient": "split", "limits": {"seconds": 3}, "dialect": {"delimiter": ";"}}
    payload_of_all = PAYLOAD | {"ingestion_config": reading}
    flags = parse(["ingest", "--conf", payload(tmp_path, payload_of_all), "--output-uri", "rows.parquet"])
    source, found = reading_of(flags, flags.data_source)
    assert (source, found.format, found.orient, found.limits.seconds) == ("people.csv", "json", "split", 3)
    assert (found.dialect.delimiter, found.dialect.detect) == (";", True)


def test_a_flag_wins_over_what_a_file_says_of_reading(tmp_path):
    conf = payload(tmp_path, PAYLOAD | {"ingestion_config": {"format": "json", "orient": "split", "sheet": "s"}})
    given = ["--orient", "index", "--data-format", "xlsx", "--output-uri", "rows.parquet"]
    _, found = reading_of(parse(["ingest", "--conf", conf, *given]), "people.json")
    assert (found.format, found.orient, found.sheet) == ("xlsx", "index", "s")


def test_a_partition_of_a_feature_set_is_an_address():
    flags = parse(["ingest", "--source", "features://monthly@2021-01", "--output-uri", "rows.parquet"])
    assert reading_of(flags, flags.data_source)[0] == "features://monthly@2021-01"


def test_the_object_of_a_store_stands_for_the_address(tmp_path):
    stored = {"ingestion_config": {"object_storage": {"bucket": "b", "object_key": "k.csv"}}}
    flags = parse(["ingest", "--conf", payload(tmp_path, stored), "--output-uri", "rows.parquet"])
    assert flags.data_source == "s3://b/k.csv"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ingestion_config": {"cache": 1}}, "'cache' is not one of them"),
        ({"tets_size": 0.3}, "there is no run parameter 'tets_size'; did you mean 'test_size'?"),
        ({"test_size": "many"}, "a finite number is expected"),
        ({"training_scenario": "half"}, "'half' is not one of"),
        ({"hyperparameters": 3}, "a JSON object"),
        ([1], "a JSON object such as"),
    ],
)
def test_a_file_of_run_parameters_that_cannot_be_used_is_explained(values, said, tmp_path, capsys):
    assert said in refused([*TRAIN, "--conf", payload(tmp_path, values)], capsys)


def test_a_file_of_run_parameters_that_is_missing_is_named(capsys):
    assert "nowhere.json" in refused([*TRAIN, "--conf", "nowhere.json"], capsys)
