import datetime as dt

import pyarrow as pa
import pytest

from assay.gate.gate import run_gate

AS_OF = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def fresh(make_dataset, make_spec):
    """Judge times by `freshness: {column: t, max_age_hours: 48, ...}` as of 1 February 2024."""

    def judge(times, *, as_of=AS_OF, pii=(), **settings):
        column = times if isinstance(times, pa.Array) else pa.array(times)
        table = pa.table({"t": column, "y": [row % 2 for row in range(len(column))]})
        spec = make_spec(freshness={"column": "t", "max_age_hours": 48, **settings})
        report = run_gate(make_dataset(table, pii), spec, where="here", as_of=as_of).report
        return next(result for result in report.rules if result.name == "data_is_fresh")

    return judge


def test_the_newest_value_counts_and_the_others_may_be_old(fresh):
    assert fresh([AS_OF - 2 * DAY, AS_OF - 400 * DAY]).passed
    assert not fresh([AS_OF - 2.01 * DAY, AS_OF - 400 * DAY]).passed


def test_a_month_that_is_checked_years_later_is_checked_as_of_its_own_end(fresh):
    assert fresh([AS_OF - DAY, None]).passed
    assert not fresh([AS_OF - DAY, None], as_of=dt.datetime(2026, 2, 1, tzinfo=dt.UTC)).passed


def test_without_a_moment_it_is_now(fresh):
    now = dt.datetime.now(dt.UTC)
    assert fresh([now, now], as_of=None).passed
    assert not fresh([now - 3 * DAY] * 2, as_of=None).passed


def test_naive_times_and_dates_are_utc_and_zones_are_followed(fresh):
    naive = (AS_OF - 2 * DAY).replace(tzinfo=None)
    east = pa.array([naive, naive], pa.timestamp("us")).cast(pa.int64()).cast(pa.timestamp("us", "Asia/Tokyo"))

    assert fresh([naive, naive]).passed
    assert fresh(east).passed
    assert fresh([naive.date()] * 2).passed
    assert not fresh([naive - dt.timedelta(seconds=1)] * 2).passed


def test_rows_too_far_in_the_future_are_shown(fresh):
    times = [AS_OF, AS_OF + DAY, AS_OF + 2 * DAY, None]

    assert fresh(times).failures[0].row_numbers == (2,)
    assert fresh(times, max_future_hours=0).failures[0].row_numbers == (1, 2)
    assert fresh(times, max_future_hours=48).passed


@pytest.mark.parametrize(
    ("times", "reported"), [(["a", "b"], "is no time"), ([None, None], "no value"), ([1, 2], "is no time")]
)
def test_what_has_no_age_is_not_fresh(fresh, times, reported):
    assert reported in fresh(times).observed


def test_a_missing_column_and_a_hidden_value(fresh, rule):
    assert (
        "column missing" in rule("data_is_fresh", {"x": [1, 2]}, freshness={"column": "t", "max_age_hours": 1}).observed
    )
    assert "2024" not in fresh([AS_OF - DAY] * 2, pii=("t",)).observed
