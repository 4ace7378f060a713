import pytest

from assay.errors import UnsupportedFormatError
from assay.shell.flags import Flags
from assay.shell.main import in_flags


def reported(remedy, **flags):
    return in_flags(UnsupportedFormatError("what", remedy=remedy), Flags(spelled=flags, **flags)).remedy


@pytest.mark.parametrize(
    ("setting", "flag"),
    [
        ("set dataset.member to one of them", "set --member to one of them"),
        ("set dataset.sheet to one of them", "set --sheet to one of them"),
        ("set dataset.format (or the run parameter data_format)", "set --data-format"),
        ("correct the row, or dataset.dialect", "correct the row, or --dialect"),
        ("set dataset.dialect.delimiter", 'set --dialect {"delimiter": ...}'),
        ("correct dataset.source", "correct the address"),
    ],
)
def test_a_remedy_names_the_flag(setting, flag):
    assert reported(setting) == flag


def test_limits_are_a_flag_of_some_commands():
    assert reported("raise dataset.limits", limits=None) == "raise --limits"
    assert reported("raise dataset.limits") == "raise dataset.limits"


def test_with_a_pipeline_file_its_settings_are_named():
    assert reported("set dataset.member", pipeline="bank.yaml") == "set dataset.member"
