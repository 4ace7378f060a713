"""Steps that see other rows: aggregates over earlier rows, groups and whole SELECTs."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.features.parsing import StepProblem

ORIGIN = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - times without a zone


def days(*numbers):
    return pa.array(
        [None if each is None else ORIGIN + dt.timedelta(days=each) for each in numbers], pa.timestamp("us")
    )


def made(computed, step, **columns):
    count = len(next(iter(columns.values())))
    return computed(step, **columns, __row=pa.array(range(count)))[0]


def looking_back(columns, **more):
    return {"aggregate": {"by": ["k"], "time": "t", "columns": columns, **more}}


def test_aggregates_see_the_rows_of_the_key_strictly_before_each_row(computed):
    step = looking_back({"n": "count(*)", "spent": "sum(a)", "most": "max(a)"})
    rows = made(computed, step, k=["x", "y", "x", "x", "x"], t=days(3, 1, 1, 3, 2), a=[1, 2, 4, 8, None])
    assert rows["n"] == [2, 0, 0, 2, 1]
    assert rows["spent"] == [4.0, None, None, 4.0, 4.0]
    assert rows["most"] == [4, None, None, 4, 4]
    assert rows["k"] == ["x", "y", "x", "x", "x"]


def test_rows_beyond_the_span_or_within_the_delay_do_not_count(computed):
    step = looking_back({"n": "count(*)"}, over="3 days", delay="1 day")
    assert made(computed, step, k=["x"] * 5, t=days(0, 1, 2, 3, 4))["n"] == [0, 0, 1, 2, 2]


def test_rows_without_a_time_neither_count_nor_get_aggregates(computed):
    assert made(computed, looking_back({"n": "count(*)"}), k=["x"] * 3, t=days(1, None, 2))["n"] == [0, None, 1]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 6), st.integers(-9, 9)), min_size=1, max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_aggregates_are_those_of_plain_python(computed, rows):
    keys, moments, values = zip(*rows, strict=True)
    found = made(computed, looking_back({"s": "sum(a)"}, over="2 days"), k=keys, t=days(*moments), a=values)
    expected = [
        [v for k, t, v in rows if k == key and moment - 2 <= t < moment]
        for key, moment in zip(keys, moments, strict=True)
    ]
    assert found["s"] == [float(sum(each)) if each else None for each in expected]


def test_filters_and_several_aggregates_follow_each_other(computed):
    rows, stay = computed(
        {"filter": "a > 0"},
        looking_back({"n": "count(*)"}),
        {"derive": {"m": "n * 10"}},
        looking_back({"before": "max(m)"}),
        {"filter": {"first": "n > 0"}},
        k=["x"] * 4,
        t=days(4, 1, 2, 3),
        a=[1, 1, 0, 1],
        __row=pa.array(range(4)),
    )
    assert (rows["n"], rows["before"], rows["__row"]) == ([2, 1], [10, 0], [0, 3])
    assert stay == [[3], [2]]


def test_one_row_of_each_key(computed):
    step = {"aggregate": {"by": ["k"], "columns": {"n": "count(*)", "mean": "avg(a)"}}}
    rows = made(computed, step, k=["y", "x", "y"], a=[1, 2, 4])
    assert len(set(rows.pop("__group"))) == 2
    assert rows == {"k": ["x", "y"], "n": [1, 2], "mean": [2.0, 2.5], "__row": [0, 1]}


@pytest.mark.parametrize(
    ("sql", "expected", "numbers"),
    [
        ("select a * 2 as b from rows", {"b": [6, 2, 4]}, [0, 1, 2]),
        ("select *, lag(a) over (order by a) as b from rows", {"a": [3, 1, 2], "b": [2, None, 1]}, [0, 1, 2]),
        ("select * from rows where a > 1 order by a", {"a": [3, 2]}, [0, 2]),
        (
            "with q as (select max(a) as m from rows) select a, m from rows, q",
            {"a": [3, 1, 2], "m": [3, 3, 3]},
            [0, 1, 2],
        ),
        ("select a % 2 as odd, count(*) as n from rows group by all", {"odd": [0, 1], "n": [1, 2]}, [0, 1]),
        ("select distinct a > 1 as b from rows", {"b": [False, True]}, [0, 1]),
        ("select a from rows union all select a from rows where a = 1", {"a": [1, 1, 2, 3]}, [0, 1, 2, 3]),
        ("select sum(a) as s from rows -- all", {"s": [6.0]}, [0]),
    ],
)
def test_a_select_gives_its_rows_in_the_order_of_the_source_or_sorted(computed, sql, expected, numbers):
    assert made(computed, {"sql": sql}, a=[3, 1, 2]) == {**expected, "__row": numbers}


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('x')",
        "select * from 'x.csv'",
        "select random() from rows",
        "select now() from rows",
        "select 1; select 2",
        "drop table rows",
        "select * from other",
        "select * from information_schema.tables",
        "select first(a) from rows",
        "select * from rows using sample 3",
    ],
)
def test_a_select_reads_the_rows_alone(computed, sql):
    with pytest.raises(StepProblem) as caught:
        made(computed, {"sql": sql}, a=[1])
    assert caught.value.location == ("steps", 0, "sql")


@pytest.mark.parametrize(
    ("step", "place"),
    [
        (looking_back({"n": "sum(a) + 1"}), ("columns", "n")),
        (looking_back({"n": "sum(b)"}), ("columns", "n")),
        (looking_back({"n": "a"}), ("columns", "n")),
        ({"aggregate": {"by": ["q"], "columns": {"n": "count(*)"}}}, ("by",)),
        ({"aggregate": {"by": ["k"], "time": "a", "columns": {"n": "count(*)"}}}, ("time",)),
        ({"aggregate": {"by": ["k"], "columns": {"K": "count(*)"}}}, ("columns", "K")),
    ],
)
def test_what_is_no_aggregate_is_refused_where_it_stands(computed, step, place):
    with pytest.raises(StepProblem) as caught:
        made(computed, step, k=["x"], t=days(1), a=[1])
    assert caught.value.location == ("steps", 0, "aggregate", *place)
