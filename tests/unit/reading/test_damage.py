"""Errors of parsers."""

import errno

import pytest

from assay.reading.defects import Defect, damaged


def told(error):
    return damaged(error, "it cannot be read", "a.x", format_name="X", remedy="mend it")


@pytest.mark.parametrize(
    ("error", "defect"),
    [
        (ValueError("bad magic\nmore"), Defect.UNREADABLE),
        (OSError("Bad CRC-32"), Defect.CHECKSUM_MISMATCH),
        (OSError(errno.EINVAL, "Invalid argument"), Defect.UNREADABLE),
        (KeyError(), Defect.UNREADABLE),
    ],
)
def test_what_the_parser_says_is_told_of_the_file(error, defect):
    assert told(error).defect == defect
    assert "\n" not in told(error).found
    assert told(error).found


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device")])
def test_the_machines_failures_are_not_blamed_on_the_file(error):
    with pytest.raises(type(error)) as caught:
        told(error)
    assert caught.value is error
