"""Columns of another source: of the row with the same key, or of the newest that was known at a row's time."""

import datetime as dt

import pyarrow as pa
import pytest
from features_world import spec_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from assay.errors import FeatureStepError
from assay.features.joined_tables import require_one_row_each
from assay.features.parsing import StepProblem

ORIGIN = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - times without a zone


def hours(*numbers, zone=None):
    values = [None if each is None else ORIGIN + dt.timedelta(hours=each) for each in numbers]
    return pa.array(values, pa.timestamp("us", zone))


def join(**more):
    return {"join": {"table": "weather", "source": "w.csv", **more}}


def joined(computed, step, weather, *after, **columns):
    count = len(next(iter(columns.values())))
    return computed(step, *after, tables={"weather": weather}, **columns, __row=pa.array(range(count)))


def test_rows_get_the_columns_of_their_key_in_their_own_order(computed):
    weather = pa.table({"zone": ["a", "b", None], "temp": [1.5, 2.5, 9.0], "wind": [3, 4, 9]})
    rows, _ = joined(computed, join(on=["zone"]), weather, zone=["b", "c", "a", "b", None])
    assert rows["temp"] == [2.5, None, 1.5, 2.5, None]
    assert rows["wind"] == [4, None, 3, 4, None]
    assert list(rows) == ["zone", "temp", "wind", "__row"]


def test_a_key_of_several_rows_that_nothing_refused_before_fails_at_the_join(computed):
    weather = pa.table({"zone": [0.0, -0.0], "temp": [1, 2]})
    failure = joined(computed, join(on=["zone"]), weather, zone=[1.0, 0.0])
    assert (failure.step, failure.text) == (0, "the step gives several rows for one, or none")


def test_an_inner_join_drops_and_counts_rows_that_find_none(computed):
    weather = pa.table({"zone": ["a", "b"], "temp": [1, 2]})
    step = join(on={"place": "zone"}, columns={"temp": "degrees"}, type="inner")
    rows, stay = joined(computed, step, weather, place=["b", "c", "a"])
    assert rows == {"place": ["b", "a"], "degrees": [2, 1], "__row": [0, 2]}
    assert stay == [[2]]


def test_an_as_of_join_finds_the_newest_row_that_was_known(computed):
    weather = pa.table({"zone": ["a", "a", "b"], "at": hours(0, 2, 1), "temp": [10, 12, 21]})
    step = join(on=["zone"], as_of={"left": "t", "right": "at"})
    rows, _ = joined(computed, step, weather, zone=["a", "a", "a", "b", "a"], t=hours(2, 1, 3, 0, None))
    assert rows["temp"] == [12, 10, 12, None, None]
    late = join(on=["zone"], as_of={"left": "t", "right": "at", "delay": "1 hour"})
    rows, _ = joined(computed, late, weather, zone=["a", "a", "a", "b"], t=hours(2, 0, 3, 2))
    assert rows["temp"] == [10, None, 12, 21]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), min_size=1, max_size=30),
    st.sets(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), min_size=1, max_size=20),
    st.integers(0, 3),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_as_of_join_is_that_of_plain_python(computed, rows, weather, delay):
    known = sorted(weather)
    other = pa.table(
        {"zone": [z for z, _ in known], "at": hours(*[t for _, t in known]), "place": list(range(len(known)))}
    )
    as_of = {"left": "t", "right": "at", **({"delay": f"{delay} hours"} if delay else {})}
    step = join(on=["zone"], as_of=as_of)
    found, _ = joined(computed, step, other, zone=[z for z, _ in rows], t=hours(*[t for _, t in rows]))
    expected = [
        max((n for n, (z, at) in enumerate(known) if z == zone and at <= t - delay), default=None) for zone, t in rows
    ]
    assert found["place"] == expected


def test_several_rows_of_one_key_are_refused_by_name():
    [step] = spec_of(join(on=["zone"])).steps
    with pytest.raises(FeatureStepError, match="1 key, such as zone = a"):
        require_one_row_each(step.join, pa.table({"zone": ["a", "b", "a", None, None]}), "here")
    [step] = spec_of(join(on=["zone"], as_of={"left": "t", "right": "at"})).steps
    table = pa.table({"zone": ["a", "a"], "at": hours(1, 2)})
    require_one_row_each(step.join, table, "here")


@pytest.mark.parametrize(
    ("step", "place", "text"),
    [
        (join(on=["zon"]), ("on",), "did you mean 'zone'"),
        (join(on={"zone": "zon"}), ("on",), "did you mean 'zone'"),
        (join(on=["n"]), ("on",), "not compared"),
        (join(on=["zone"], columns=["tmp"]), ("columns",), "did you mean 'temp'"),
        (join(on=["zone"], columns={"temp": "t"}), ("columns",), "is taken"),
        (join(on=["zone"], columns=["temp"], as_of={"left": "n", "right": "at"}), ("as_of",), "no times"),
        (join(on=["zone"], columns=["temp"], as_of={"left": "t", "right": "zoned"}), ("as_of",), "not compared"),
    ],
)
def test_what_cannot_be_joined_is_refused_where_it_stands(computed, step, place, text):
    weather = pa.table({"zone": ["a"], "temp": [1], "n": ["x"], "at": hours(0), "zoned": hours(0, zone="UTC")})
    with pytest.raises(StepProblem) as caught:
        joined(computed, step, weather, zone=["a"], n=[1], t=hours(1))
    assert caught.value.location[:3] == ("steps", 0, "join")
    assert caught.value.location[3:][: len(place)] == place
    assert text in caught.value.error.what


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "on or as_of is missing"),
        ({"on": ["a"], "table": "features"}, "a name of its own"),
        ({"on": ["a"], "query": "select 1"}, "a query needs a database"),
        ({"on": ["a"], "type": "outer"}, "left"),
    ],
)
def test_a_join_that_cannot_be_is_refused_by_the_file(more, text):
    with pytest.raises(ValidationError, match=text):
        spec_of(join(**more))
    with pytest.raises(ValidationError, match="two joins have the table"):
        spec_of(join(on=["a"]), join(on=["b"]))
