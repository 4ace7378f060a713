import math

import pyarrow as pa
import pytest
from pydantic import ValidationError

NAN = float("nan")


def test_a_pattern_matches_the_whole_value(rule):
    result = rule(
        "values_match_pattern", {"code": ["AB1", "xAB1", "AB1x", "AB", None]}, matches={"code": "[A-Z]{2}[0-9]+"}
    )

    [failure] = result.failures
    assert failure.row_numbers == (1, 2, 3)
    assert failure.examples == ("'xAB1'", "'AB1x'", "'AB'")


@pytest.mark.parametrize("value", ["AB1\n", "x\nAB1", "AB1\nAB1"])
def test_a_line_end_does_not_end_the_value(rule, value):
    assert not rule("values_match_pattern", {"code": ["AB1", value]}, matches={"code": "[A-Z]{2}[0-9]+"}).passed


def test_alternatives_are_anchored_as_a_whole(rule):
    result = rule("values_match_pattern", {"code": ["a", "ax", "xb", "b"]}, matches={"code": "a|b"})

    assert result.failures[0].row_numbers == (1, 2)


def test_a_pattern_that_is_catastrophic_elsewhere_is_quick(rule):
    assert not rule("values_match_pattern", {"code": ["a" * 50_000 + "b"] * 2}, matches={"code": "(a+)+"}).passed


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "(?=a)", r"(a)\1", r"\Qa"])
def test_what_is_no_pattern_of_re2_is_refused_when_the_file_is_loaded(make_spec, pattern):
    with pytest.raises(ValidationError, match="a regular expression of RE2, which this is not"):
        make_spec(matches={"code": pattern})


def test_numbers_are_no_text_and_an_empty_column_has_nothing_to_match(rule):
    assert "is no text" in rule("values_match_pattern", {"code": [1, 2]}, matches={"code": "1"}).observed
    assert rule("values_match_pattern", {"code": pa.nulls(2)}, matches={"code": "1"}).passed
    assert "column missing" in rule("values_match_pattern", {"kode": ["a", "b"]}, matches={"code": "1"}).observed


def test_infinities_and_stored_nan_are_not_finite_and_null_is_neither(rule):
    result = rule("values_finite", {"x": [1.0, math.inf, None, NAN, -math.inf], "n": [1, 2, 3, 4, 5]}, finite=True)

    assert result.failures[0].row_numbers == (1, 3, 4)
    assert result.failures[0].column == "x"


def test_only_the_listed_columns_are_checked_and_must_exist(rule):
    columns = {"x": [1.0, 2.0], "z": [math.inf, 1.0], "n": [1, 2]}

    assert rule("values_finite", columns, finite=["x", "n"]).passed
    assert not rule("values_finite", columns, finite=["z"]).passed
    assert "column missing" in rule("values_finite", columns, finite=["w"]).observed
    assert not rule("values_finite", columns, finite=False).configured
