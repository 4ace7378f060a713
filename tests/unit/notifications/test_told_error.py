"""What is read back from the text of an error."""

from assay.errors import MalformedDataError, PartitionsFailedError, SourceNotFoundError
from assay.notifications.wording import ToldError, told_error


def as_kept(error):
    """The text that Dagster keeps of an error."""
    return f"{type(error).__module__}.{type(error).__name__}: {error}\n"


def test_the_innermost_typed_error_is_told_without_the_offending_value():
    error = MalformedDataError("a field too many", defect="ragged", where="a.csv:3", found="4711", remedy="mend it")
    chain = ["dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred\n", as_kept(error)]
    told = told_error(chain)
    assert told == ToldError("data_malformed: ragged", "a field too many", "a.csv:3", "mend it")
    assert "4711" not in repr(told)


def test_of_two_typed_errors_the_cause_is_told():
    chain = [as_kept(SourceNotFoundError("a partition failed")), as_kept(MalformedDataError("a field too many"))]
    assert told_error(chain).what == "a field too many"


def test_an_error_that_quotes_others_is_told_with_its_own_place_and_remedy():
    quoted = SourceNotFoundError("no such file", where="a.csv", remedy="check the path")
    error = PartitionsFailedError(
        "1 of 2 failed", where="m/champion", found=f"2021-01: {quoted}", remedy="make 2021-01 again"
    )
    assert told_error([as_kept(error)]) == ToldError(
        "partitions_failed", "1 of 2 failed", "m/champion", "make 2021-01 again"
    )


def test_a_typed_error_s_untyped_cause_is_not_told():
    error = SourceNotFoundError("no such file", where="a.csv")
    assert told_error([as_kept(error), "FileNotFoundError: a.csv\n"]).code == "source_not_found"


def test_of_another_error_only_the_class_is_told():
    assert told_error(["x.StepError: y", "builtins.ValueError: could not convert 'Ann'\n"]) == ToldError("ValueError")
    assert told_error(["KeyError"]).code == "KeyError"
    assert told_error([""]).code == "error"
