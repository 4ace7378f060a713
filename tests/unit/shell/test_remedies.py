import pytest

from assay.errors import Remedy, UnsupportedFormatError
from assay.shell.main import in_flags, parse

VALIDATE = ["validate", "--dataset-path", "a.csv", "--target-column", "y", "--report-uri", "r.json"]
INGEST = ["ingest", "--source", "a.csv", "--output-uri", "b.parquet"]


def reported(remedy, arguments):
    return in_flags(UnsupportedFormatError("what", remedy=remedy), parse(arguments)).remedy


@pytest.mark.parametrize("command", [VALIDATE, INGEST])
@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("dataset.member", "--member"),
        ("dataset.sheet", "--sheet"),
        ("dataset.orient", "--orient"),
        ("dataset.format", "--data-format"),
        ("dataset.dialect", "--dialect"),
        ("dataset.dialect.delimiter", '--dialect {"delimiter": ...}'),
        ("dataset.source", "the address"),
    ],
)
def test_a_remedy_names_the_flag(command, field, flag):
    assert reported(Remedy("set {} and run again", field), command) == f"set {flag} and run again"
    assert str(Remedy("set {} and run again", field)) == f"set {field} and run again"


def test_limits_are_a_flag_of_some_commands_and_part_of_another_one_elsewhere():
    remedy = Remedy("raise {}", "dataset.limits.seconds")
    assert reported(remedy, INGEST) == 'raise --limits {"seconds": ...}'
    assert reported(remedy, VALIDATE) == 'raise --ingestion-config {"limits": {"seconds": ...}}'
    assert reported(Remedy("set {}", "dataset.partitions.start"), VALIDATE) == "set dataset.partitions.start"


def test_with_a_pipeline_file_its_settings_are_named():
    assert reported(Remedy("set {}", "dataset.member"), [*VALIDATE, "--pipeline", "b.yaml"]) == "set dataset.member"


def test_other_texts_are_left_as_they_are():
    assert reported("see dataset.member in the documentation", INGEST) == "see dataset.member in the documentation"
