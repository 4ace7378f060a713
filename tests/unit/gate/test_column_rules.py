import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from assay.gate.outcome import union_of

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("integer", pa.array([1, None]), pa.array([1.0, 2.0])),
        ("integer", pa.array([1, 2], pa.uint8()), pa.array(["1", "2"])),
        ("float", pa.array([1.0, None]), pa.array([1, 2])),
        ("number", pa.array([1, 2]), pa.array([True, False])),
        ("number", pa.array([1.5, 2]), pa.array(["a", "b"])),
        ("boolean", pa.array([True, None]), pa.array([0, 1])),
        ("string", pa.array(["a", None]), pa.array([1, 2])),
        ("string", pa.array(["a", "b"]).dictionary_encode(), pa.array([1, 2]).dictionary_encode()),
        ("string", pa.array([None, None], pa.string()), pa.nulls(2)),
        ("datetime", pa.array([dt.datetime(2020, 1, 1), None]), pa.array(["2020-01-01", "2020-01-02"])),  # noqa: DTZ001
        ("datetime", pa.array([dt.date(2020, 1, 1), None]), pa.array([1, 2])),
    ],
)
def test_a_column_has_its_declared_type_or_fails(rule, dtype, good, bad):
    assert rule("dtypes_as_declared", {"x": good}, dtypes={"x": dtype}).passed

    result = rule("dtypes_as_declared", {"x": bad}, dtypes={"x": dtype})

    assert not result.passed
    assert result.failures[0].expected == f"type {dtype}"


@pytest.mark.parametrize("missing", [None, NAN])
def test_a_missing_target_fails(rule, missing):
    assert rule("no_missing_target", {"y": [0.0, 1.0, 0.0, 1.0]}).passed

    result = rule("no_missing_target", {"y": [0.0, 1.0, missing, 1.0]})

    assert not result.passed
    assert result.failures[0].row_numbers == (2,)


@pytest.mark.parametrize(
    "values",
    [[1, None], ["a", None], [1.0, NAN], [True, None], [dt.datetime(2020, 1, 1), None]],  # noqa: DTZ001
)
def test_a_missing_value_fails_not_null_whatever_the_type(rule, values):
    assert rule("columns_not_null", {"x": values[:1]}, not_null=["x"]).passed

    result = rule("columns_not_null", {"x": values}, not_null=["x"])

    assert (result.passed, result.failing_rows, result.failing_share) == (False, 1, 0.5)
    assert result.failures[0].row_numbers == (1,)
    assert "missing values" in result.observed


def test_a_column_key_repeats_or_does_not(rule):
    assert rule("rows_unique_by_key", {"id": [1, 2, 3]}, unique=[["id"]]).passed

    result = rule("rows_unique_by_key", {"id": [1, 2, 1]}, unique=[["id"]])

    assert result.failures[0].row_numbers == (0, 2)
    assert result.failing_rows == 2


def test_a_key_of_two_columns_fails_only_where_both_repeat(rule):
    columns = {"day": ["a", "a", "b", "b"], "flight": [1, 2, 1, 1]}

    result = rule("rows_unique_by_key", columns, unique=[["day", "flight"]])

    assert result.failures[0].column == "day, flight"
    assert result.failures[0].row_numbers == (2, 3)
    assert result.failures[0].examples == ("day='b', flight=1",)


def test_each_of_several_keys_is_checked(rule):
    result = rule("rows_unique_by_key", {"a": [1, 1, 2], "b": [1, 2, 2]}, unique=[["a"], ["b"], ["a", "b"]])

    assert [failure.column for failure in result.failures] == ["a", "b"]
    assert result.failing_rows == 3


def test_missing_parts_of_a_key_are_equal(rule):
    assert not rule("rows_unique_by_key", {"a": [None, None], "b": [1, 1]}, unique=[["a", "b"]]).passed


@pytest.mark.parametrize(
    ("bounds", "failing"),
    [
        ({"min": 1}, ()),
        ({"min": 1, "strict": True}, (0,)),
        ({"max": 3}, ()),
        ({"max": 3, "strict": True}, (2,)),
        ({"min": 1, "max": 3, "strict": True}, (0, 2)),
        ({"min": 2, "max": 2}, (0, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [pa.int64(), pa.float64()])
def test_bounds_are_part_of_the_range_unless_strict(rule, dtype, bounds, failing):
    result = rule("values_in_range", {"x": pa.array([1, 2, 3, None], dtype)}, ranges={"x": bounds})

    assert result.passed is not bool(failing)
    assert (result.failures[0].row_numbers if failing else ()) == failing


@pytest.mark.parametrize("infinite", [INF, -INF])
@pytest.mark.parametrize("bounds", [{"min": -1}, {"max": 9}])
def test_infinite_values_fail_every_range(rule, infinite, bounds):
    result = rule("values_in_range", {"x": [1.0, infinite, NAN]}, ranges={"x": bounds})

    assert result.failures[0].row_numbers == (1,)


@pytest.mark.parametrize("values", [["1", "2"], [True, False]])
def test_a_range_on_a_column_without_numbers_fails_and_says_why(rule, values):
    result = rule("values_in_range", {"x": values}, ranges={"x": {"min": 0}})

    assert not result.passed
    assert "is no number" in result.observed


@pytest.mark.parametrize(
    ("values", "allowed", "failing"),
    [
        ([0, 1, 1], [0, 1], ()),
        ([0, 1, 2], [0, 1], (2,)),
        ([0, 1, None], [0.0, 1.0], ()),
        ([2**53, 2**53 + 1], [0.5, 2**53], (1,)),
        ([0.0, 1.0, NAN], [0, 1], ()),
        ([0.5, 1.0], [0, 1], (0,)),
        (["a", "b", None], ["a", "b"], ()),
        (["a", " a"], ["a"], (1,)),
        ([True, None, False], [True], (2,)),
    ],
)
def test_allowed_values_compare_by_the_type_of_the_column(rule, values, allowed, failing):
    result = rule("values_allowed", {"x": values}, allowed={"x": allowed})

    assert result.passed is not bool(failing)
    assert (result.failures[0].row_numbers if failing else ()) == failing


@pytest.mark.parametrize(("values", "allowed"), [(["0", "1"], [0, 1]), ([0, 1], ["0", "1"]), ([0, 1], [False, True])])
def test_allowed_values_of_another_type_fail_and_say_so(rule, values, allowed):
    result = rule("values_allowed", {"x": values}, allowed={"x": allowed})

    assert not result.passed
    assert "write values of its type" in result.failures[0].found


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("dtypes_as_declared", {"dtypes": {"nope": "integer"}}),
        ("columns_not_null", {"not_null": ["nope"]}),
        ("rows_unique_by_key", {"unique": [["x", "nope"]]}),
        ("values_in_range", {"ranges": {"nope": {"min": 0}}}),
        ("values_allowed", {"allowed": {"nope": [1]}}),
    ],
)
def test_a_rule_on_a_missing_column_is_missing_column_and_does_not_pass(rule, name, given):
    result = rule(name, {"x": [1, 2]}, **given)

    assert not result.passed
    assert "not checked: column missing" in result.failures[0].found


def test_a_column_without_any_value_has_nothing_to_judge(rule):
    columns = {"x": pa.nulls(4)}

    assert rule("values_in_range", columns, ranges={"x": {"min": 0}}).passed
    assert rule("values_allowed", columns, allowed={"x": ["a"]}).passed
    assert not rule("columns_not_null", columns, not_null=["x"]).passed


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b"], pa.string_view()),
        pa.array(["a", "b"], pa.large_string()),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])),
    ],
)
def test_strings_are_strings_however_they_are_laid_out(rule, column):
    given = {"allowed": {"x": ["a", "b"]}, "unique": [["x"]], "dtypes": {"x": "string"}}

    for name in ("values_allowed", "rows_unique_by_key", "dtypes_as_declared"):
        assert rule(name, {"x": column}, **given).passed


@pytest.mark.parametrize(("parts", "expected"), [([], []), ([[]], []), ([[3, 1], [1]], [1, 3]), ([[], [0]], [0])])
def test_the_union_of_rows_is_sorted_and_without_repeats(parts, expected):
    assert union_of([np.array(part, dtype=np.int64) for part in parts]).tolist() == expected
