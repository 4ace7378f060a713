"""Errors that Dagster keeps are read back as typed errors."""

import itertools
import sys

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo
from dagster_shared.serdes import deserialize_value, serialize_value

from assay.errors import MalformedDataError, SerialisedError, SourceNotFoundError
from ml_assets.step_errors import error_chain, error_text, root_error


def kept(*errors):
    """Return what Dagster keeps of errors, each the cause of the one before."""
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    try:
        raise errors[0]
    except type(errors[0]):
        info = serializable_error_info_from_exc_info(sys.exc_info())
    return deserialize_value(serialize_value(info), SerializableErrorInfo)


def test_a_typed_error_keeps_its_fields():
    error = MalformedDataError(
        "a field too many", defect="ragged_row", where="a.csv:3", found="4711", remedy="correct it"
    )
    assert error_chain(kept(error)) == [SerialisedError.of(error)]


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([RuntimeError("step"), SourceNotFoundError("a partition"), MalformedDataError("a field")], "data_malformed"),
        ([RuntimeError("step"), SourceNotFoundError("a file"), FileNotFoundError("a.csv")], "source_not_found"),
        ([RuntimeError("step"), ValueError("could not convert 'Ann'")], "ValueError"),
    ],
)
def test_the_root_is_the_innermost_typed_error_or_else_the_innermost_one(errors, code):
    root = root_error(error_chain(kept(*errors)))
    assert root.code == code
    assert "Ann" not in repr(root)


def test_no_error_has_no_root():
    assert root_error(error_chain(None)) is None


def test_the_text_for_people_is_the_outermost_typed_error_s_or_else_the_innermost_one_s():
    typed = kept(RuntimeError("step"), SourceNotFoundError("no such file"), MalformedDataError("a field"))
    assert "[source_not_found] no such file" in error_text(typed)
    assert "could not" in error_text(kept(RuntimeError("step"), ValueError("could not convert")))
