import pytest

from assay.shell.parsing import parse

TRAIN = ["train", "--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "ridge"]
TUNE = ["tune", *TRAIN[1:], "--output-uri", "best.json"]


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        parse(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_json_flags_become_values():
    flags = parse([*TUNE, "--tuning-config", '{"enabled": true, "search_space": {"C": {"type": "float"}}}'])
    assert flags.tuning_config == {"enabled": True, "search_space": {"C": {"type": "float"}}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"C": 0.5', "not valid JSON"),
        ("[1]", "a JSON object"),
        ('{"C": NaN}', "NaN is no number"),
        ('{"C": 1, "C": 2}', "repeated keys: C"),
    ],
)
def test_bad_json_names_its_flag(text, told, capsys):
    error = refused([*TRAIN, "--hyperparameters", text], capsys)
    assert "argument --hyperparameters: " in error
    assert told in error


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
    assert flags.source is None
    assert flags.model_name is None


def test_flags_are_not_abbreviated(capsys):
    assert "--target" in refused(["validate", "--target", "y", "--dataset-path", "a", "--report-uri", "r"], capsys)


def test_an_unknown_command_lists_the_known_ones(capsys):
    error = refused(["vallidate"], capsys)
    assert all(name in error for name in ("validate", "ingest", "tune", "train"))
