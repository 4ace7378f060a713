# ruff: noqa: DTZ001 - times without a zone
"""What each kind of step makes of rows, computed in this process."""

import datetime as dt
import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import AssayError
from assay.features.parsing import StepProblem

NINE, TEN = dt.datetime(2021, 1, 1, 9), dt.datetime(2021, 1, 1, 10, 30)


def problem(computed, *steps, **columns):
    with pytest.raises(StepProblem) as caught:
        computed(*steps, **columns)
    assert isinstance(caught.value.error, AssayError)
    return caught.value


def test_durations_parts_of_texts_and_joined_categories_are_derived(computed):
    rows, _ = computed(
        {"derive": {"y": "date_diff('second', a, b) / 60.0", "z": "s || '_' || upper(s)", "hour": "hour(b)"}},
        a=[NINE],
        b=[TEN],
        s=["x"],
    )
    assert rows == {"a": [NINE], "b": [TEN], "s": ["x"], "y": [90.0], "z": ["x_X"], "hour": [10]}


def test_a_derived_column_may_name_those_before_it_and_replace_one(computed):
    rows, _ = computed({"derive": {"twice": "a * 2", "a": "twice + 1", "last": "a"}}, a=[1, 2])
    assert rows == {"a": [3, 5], "twice": [2, 4], "last": [3, 5]}


def test_exact_decimals_of_literals_become_floats(computed):
    rows, _ = computed({"derive": {"b": "a * 1.5"}}, a=[2])
    assert rows["b"] == [3.0]
    assert isinstance(rows["b"][0], float)


def test_rows_stay_for_which_each_condition_is_true(computed):
    rows, stay = computed(
        {"filter": {"low": "a > 1", "odd": "a % 2 = 0"}},
        {"derive": {"b": "10 / (a - 1)"}},
        {"filter": "b < 10"},
        a=[1, 2, 3, 4, None, 6],
    )
    assert rows == {"a": [4, 6], "b": [10 / 3, 2.0]}
    assert stay == [[4, 3], [2]]


def test_a_condition_is_not_computed_for_rows_that_one_before_it_drops(computed):
    rows, stay = computed({"filter": {"zero": "a <> 0", "small": "1 / a < 1"}}, {"filter": "a < 9"}, a=[0, 1, 2, 0, 9])
    assert rows == {"a": [2]}
    assert stay == [[3, 2], [1]]


@given(st.lists(st.integers(-5, 5), max_size=30), st.integers(-5, 5), st.integers(-5, 5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_of_conditions_are_those_of_plain_python(computed, values, low, high):
    rows, stay = computed({"filter": {"low": f"a > {low}"}}, {"filter": f"a < {high}"}, a=pa.array(values, pa.int64()))
    above = [value for value in values if value > low]
    assert rows["a"] == [value for value in above if value < high]
    assert stay == [[len(above)], [len(rows["a"])]]


def test_columns_are_renamed_where_they_are_and_may_swap(computed):
    rows, _ = computed({"rename": {"a": "b", "b": "a", "C": "d"}}, a=[1], b=[2], c=[3])
    assert list(rows.items()) == [("b", [1]), ("a", [2]), ("d", [3])]


def test_columns_are_selected_or_left_out(computed):
    assert computed({"select": ["c", "a"]}, a=[1], b=[2], c=[3])[0] == {"c": [3], "a": [1]}
    assert computed({"select": {"but": ["b"]}}, a=[1], B=[2], c=[3])[0] == {"a": [1], "c": [3]}


def test_missing_values_are_filled_in_the_columns_own_type(computed):
    rows, _ = computed(
        {"fill": {"a": 0, "b": "none", "c": 0.5, "d": False}}, a=[None, 1], b=[None, "x"], c=[None, 1], d=[None, True]
    )
    assert rows == {"a": [0, 1], "b": ["none", "x"], "c": [0.5, 1.0], "d": [False, True]}
    assert isinstance(rows["a"][0], int)


def test_values_beyond_bounds_become_the_bounds(computed):
    rows, _ = computed(
        {"clip": {"a": {"min": 0, "max": 2}, "b": {"max": 0.5}}}, a=[-1, 1, 9, None], b=[0.1, 0.7, None, 0.5]
    )
    assert rows == {"a": [0, 1, 2, None], "b": [0.1, 0.5, None, 0.5]}


@pytest.mark.parametrize(
    ("to", "values", "expected"),
    [
        ("number", [" 1.5", "2e3", None], [1.5, 2000.0, None]),
        ("integer", ["12", "-3.00", None], [12, -3, None]),
        ("integer", [2.0, None], [2, None]),
        ("number", [3, None], [3.0, None]),
        ("text", [1.5, 2.0], ["1.5", "2.0"]),
        ("boolean", ["true", "false"], [True, False]),
        ("date", ["2021-01-02", None], [dt.date(2021, 1, 2), None]),
        ("time", ["2021-01-02 03:04:05"], [dt.datetime(2021, 1, 2, 3, 4, 5)]),
        ("date", [dt.datetime(2021, 1, 2)], [dt.date(2021, 1, 2)]),
    ],
)
def test_a_conversion_keeps_every_value(computed, to, values, expected):
    rows, _ = computed({"convert": {"a": to}}, a=values)
    assert rows["a"] == expected


@pytest.mark.parametrize(
    ("to", "value"),
    [
        ("number", "12 km"),
        ("integer", "1.5"),
        ("integer", "00123"),
        ("integer", 1.5),
        ("number", 2**53 + 1),
        ("number", "1e999"),
        ("date", "2021-01-02 03:04"),
        ("date", dt.datetime(2021, 1, 2, 3)),
        ("boolean", 2.0),
        ("time", "yesterday"),
    ],
)
def test_a_value_that_a_conversion_would_change_is_an_error_with_its_row(computed, to, value):
    failure = computed({"convert": {"a": to}}, a=[None, value])
    assert (failure.step, failure.column, failure.row) == (0, "a", 1)


def test_a_lossy_conversion_rounds_and_cuts(computed):
    lossy = {"convert": {"a": {"to": "integer", "lossy": True}, "b": {"to": "date", "lossy": True}}}
    assert computed(lossy, a=[1.6, "1.6"][:1], b=[TEN])[0] == {"a": [2], "b": [TEN.date()]}


def test_words_become_missing_only_where_the_file_says_so(computed):
    step = {"convert": {"a": {"to": "number", "missing": ["", "NA", "?"]}}}
    assert computed(step, a=["1", " ", "NA", " ? "])[0] == {"a": [1.0, None, None, None]}
    assert computed(step, a=["1", "na"]).row == 1


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("1 / a", [1, 0, 0]),
        ("1 // a", [1, 0, 0]),
        ("5 % a", [1, 0, 0]),
        ("ln(a)", [1, 0, 0]),
        ("1e308 * (a * 1e308)", [0, 1, 1]),
        ("9223372036854775807 + a", [0, 1, 1]),
        ("cast(cast(a as text) || 'x' as int) + a", [None, 1, 1]),
    ],
)
def test_what_cannot_be_computed_is_named_with_its_row(computed, sql, values):
    failure = computed({"derive": {"ok": "a + 1"}}, {"derive": {"fine": "a", "b": sql}}, a=pa.array(values, pa.int64()))
    assert (failure.step, failure.column, failure.row) == (1, "b", 1)


def test_a_condition_that_cannot_be_computed_is_named_with_its_row(computed):
    failure = computed({"filter": "a > 0"}, {"filter": "1 / (a - 3) > 0"}, a=[0, 3, 2, 1])
    assert (failure.step, failure.column, failure.row) == (1, "", 1)


def test_a_guarded_division_is_no_error(computed):
    assert computed({"derive": {"b": "1 / nullif(a, 0)"}}, a=[2, 0])[0]["b"] == [0.5, None]


def test_nan_is_missing(computed):
    rows, _ = computed({"filter": "a > 1"}, a=[math.nan, 2.0])
    assert rows == {"a": [2.0]}


@pytest.mark.parametrize(
    ("step", "location", "text"),
    [
        ({"derive": {"b": "ab + 1"}}, ("derive", "b"), "did you mean 'abc'"),
        ({"derive": {"b": "abc +"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "random()"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "now()"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "(select 1)"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "sum(abc)"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "read_text('/etc/passwd')"}}, ("derive", "b"), "not a SQL expression"),
        ({"derive": {"b": "hour(abc)"}}, ("derive", "b"), "does not fit"),
        ({"derive": {"b": "t - t"}}, ("derive", "b"), "span of time"),
        ({"derive": {"ABC": "1"}}, ("derive", "ABC"), "case alone"),
        ({"filter": "abc + 1"}, ("filter",), "neither true nor false"),
        ({"filter": {"why": "abd > 1"}}, ("filter", "why"), "did you mean 'abc'"),
        ({"rename": {"abd": "x"}}, ("rename", "abd"), "did you mean 'abc'"),
        ({"rename": {"abc": "t"}}, ("rename",), "is taken"),
        ({"select": ["abd"]}, ("select",), "did you mean 'abc'"),
        ({"select": {"but": ["abc", "t", "s"]}}, ("select", "but"), "no column is left"),
        ({"convert": {"abd": "text"}}, ("convert", "abd"), "did you mean 'abc'"),
        ({"convert": {"t": "number"}}, ("convert", "t"), "does not fit"),
        ({"clip": {"s": {"min": 0}}}, ("clip", "s"), "does not fit"),
        ({"fill": {"abc": "none"}}, ("fill", "abc"), "does not fit"),
        ({"fill": {"s": 1}}, ("fill", "s"), "does not fit"),
    ],
)
def test_what_is_wrong_whatever_the_rows_is_named_before_any_is_read(computed, step, location, text):
    found = problem(computed, {"filter": "true"}, step, abc=[1], t=[NINE], s=["x"])
    assert found.location == ("steps", 1, *location)
    assert text in found.error.what + found.error.found


def test_columns_that_differ_by_case_alone_are_refused(computed):
    assert "case alone" in problem(computed, {"filter": "true"}, a=[1], A=[2]).error.what
