"""Errors of files: their names, and failures of parsers."""

import errno

import pytest

from assay.errors import EmptyDataError
from assay.reading.defects import Defect, defect_error, named, parser_error


def error_of(error):
    return parser_error(error, "it cannot be read", format_name="X", remedy="correct it")


@pytest.mark.parametrize(
    ("error", "defect"),
    [
        (ValueError("bad magic\nmore"), Defect.UNREADABLE),
        (OSError("Bad CRC-32"), Defect.CHECKSUM_MISMATCH),
        (OSError(errno.EINVAL, "Invalid argument"), Defect.UNREADABLE),
        (KeyError(), Defect.UNREADABLE),
    ],
)
def test_an_error_of_the_parser_becomes_one_of_the_file(error, defect):
    assert error_of(error).defect == defect
    assert "\n" not in error_of(error).found
    assert error_of(error).found


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "No space left on device")])
def test_the_machines_failures_are_not_blamed_on_the_file(error):
    with pytest.raises(type(error)) as caught:
        error_of(error)
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (EmptyDataError("no rows"), "s3://b/rows/"),
        (EmptyDataError("no rows", where="/k=1/part.parquet"), "s3://b/rows/k=1/part.parquet"),
        (defect_error(Defect.NUL_BYTE, "a NUL byte", row=3, column="x"), "s3://b/rows/, row 3, column 'x'"),
    ],
)
def test_an_error_names_its_file_before_the_location(error, where):
    with pytest.raises(type(error)) as caught, named("s3://b/rows/"):
        raise error
    assert caught.value.where == where
