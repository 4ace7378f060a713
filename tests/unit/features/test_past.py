"""No row of a feature set may see rows that were not known yet: a planted look ahead is always named."""

import datetime as dt
import random

import pyarrow as pa
import pytest
from features_world import spec_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.data.source_rows import source_rows
from assay.errors import FeatureStepError, LaterRowsError
from assay.features.past import require_known_in_time
from assay.features.running import run_steps
from assay.specs.pipeline import PipelineSpec

ORIGIN = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - times without a zone
HONEST = (
    {"derive": {"b": "a * 2 + 1"}},
    {"filter": "a <> 3"},
    {"fill": {"a": 0}},
    {"clip": {"a": {"min": -50, "max": 50}}},
    {"aggregate": {"by": ["k"], "time": "t", "columns": {"n": "count(*)", "s": "sum(a)"}}},
    {"aggregate": {"time": "t", "over": "5 days", "delay": "1 day", "columns": {"m": "max(a)"}}},
    {"sql": "select *, lag(a) over (partition by k order by t) as last from rows"},
    {"sql": "select *, sum(a) over (order by t rows between unbounded preceding and current row) as running from rows"},
    {"sql": "select * from rows where a > -90"},
)
PLANTED = (
    {"sql": "select *, lead(t) over (order by t) as next from rows"},
    {"sql": "select *, avg(a) over () as mean from rows"},
    {"sql": "select *, count(*) over (partition by k) as n_all from rows"},
    {"sql": "select *, (select count(*) from rows) as size from rows"},
    {"sql": "select *, row_number() over (order by t desc) as place from rows"},
    {
        "sql": "select r.*, r.a - q.ahead as centred from rows r join (select k as j, avg(a) as ahead from rows group by k) q on r.k = q.j"
    },
    {"sql": "select * from rows r where exists (select 1 from rows l where l.t > r.t and l.k = r.k)"},
)


def pipeline(*steps, time=None):
    features = spec_of(*steps).model_copy(update={"time": time})
    made = PipelineSpec.model_validate(
        {"name": "p", "task": "regression", "dataset": {"source": "x.csv", "target": "a"}}, strict=False
    )
    return made.model_copy(update={"features": features})


def source(spec, rows=64, seed=0):
    draw = random.Random(seed)
    moments = draw.sample(range(10 * rows), rows)
    table = pa.table(
        {
            "k": [draw.choice("xy") for _ in range(rows)],
            "t": pa.array([ORIGIN + dt.timedelta(hours=each) for each in moments], pa.timestamp("us")),
            "a": [draw.randint(-99, 99) for _ in range(rows)],
        }
    )
    return source_rows(table, spec.source_dataset).partition(None, where="raw")


def checked(spec, rows):
    made = run_steps(rows.table, rows.schema, spec, where="p")
    return require_known_in_time(rows, made, spec, where="p")


@given(st.lists(st.sampled_from(HONEST), max_size=4), st.integers(0, 99))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_steps_that_look_back_pass(steps, seed):
    spec = pipeline({"derive": {"c": "a"}}, *steps, time="t")
    assert checked(spec, source(spec, seed=seed))


@given(
    st.lists(st.sampled_from(HONEST), max_size=2),
    st.sampled_from(PLANTED),
    st.lists(st.sampled_from(HONEST[:6]), max_size=2),
    st.integers(0, 99),
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_planted_look_ahead_is_always_named(before, planted, after, seed):
    spec = pipeline(*before, {**planted, "name": "planted"}, *after, time="t")
    with pytest.raises(LaterRowsError) as caught:
        checked(spec, source(spec, seed=seed))
    assert caught.value.where == "p, features: planted"
    assert "not known yet" in caught.value.what


@pytest.mark.parametrize("planted", PLANTED[1:6])
def test_without_times_what_depends_on_other_rows_is_named(planted):
    spec = pipeline({**planted, "name": "planted"})
    with pytest.raises(LaterRowsError) as caught:
        checked(spec, source(spec))
    assert caught.value.where == "p, features: planted"
    assert "depend on others" in caught.value.what
    spec = pipeline({"sql": "select *, a * 2 as b from rows where a > 0"})
    assert "half" in checked(spec, source(spec))


def test_the_column_the_row_and_its_values_are_named():
    spec = pipeline({"sql": "select *, lead(a) over (order by t) as next from rows"}, time="t")
    rows = source(spec, rows=16)
    with pytest.raises(LaterRowsError) as caught:
        checked(spec, rows)
    first = min(range(16), key=lambda number: rows.table.column("t")[number].as_py())
    assert f"column 'next' of row {first + 1} (t = " in caught.value.found
    assert "is None" not in caught.value.found.split(" among ")[0]


def test_personal_values_are_not_shown():
    spec = pipeline({"sql": "select *, lead(a) over (order by t) as next from rows"}, time="t")
    spec = spec.model_copy(update={"validation": spec.validation.model_copy(update={"show_values": False})})
    with pytest.raises(LaterRowsError) as caught:
        checked(spec, source(spec))
    assert "is *** among all rows" in caught.value.found
    assert "t = 20" not in caught.value.found


def test_a_row_twice_is_refused():
    spec = pipeline({"sql": "select r.* from rows r join rows o on r.k = o.k"}, time="t")
    with pytest.raises(FeatureStepError, match="more than once"):
        checked(spec, source(spec))


def doubled(table):
    return table.append_column("double", pa.compute.multiply(table.column("a"), 2))


def centred(table):
    mean = pa.compute.mean(table.column("a"))
    return table.append_column("centred", pa.compute.subtract(table.column("a").cast(pa.float64()), mean))


def halved(table):
    return table.slice(0, table.num_rows // 2)


def test_a_function_of_python_computes_with_a_table_and_is_checked_alike():
    spec = pipeline({"filter": "a > 0"}, {"python": f"{__name__}:doubled"}, {"derive": {"c": "double + 1"}}, time="t")
    rows = source(spec)
    made = run_steps(rows.table, rows.schema, spec, where="p").table
    assert made.column("c").to_pylist() == [2 * a + 1 for a in made.column("a").to_pylist()]
    assert checked(spec, rows)
    spec = pipeline({"python": f"{__name__}:centred", "name": "mine"}, time="t")
    with pytest.raises(LaterRowsError, match="column 'centred'"):
        checked(spec, rows)
    with pytest.raises(FeatureStepError, match="same rows"):
        checked(pipeline({"python": f"{__name__}:halved"}), rows)


BY_DAY = (
    {"derive": {"day": "date_trunc('day', t)"}},
    {"aggregate": {"by": ["k", "day"], "columns": {"n": "count(*)", "s": "sum(a)"}}},
)


def test_groups_whose_rows_all_lie_before_a_moment_are_compared():
    spec = pipeline(*BY_DAY, {"derive": {"mean": "s / n"}}, {"rename": {"mean": "usual"}}, time="t")
    rows = source(spec)
    assert checked(spec, rows).startswith("every group of the same rows came out the same")
    for planted, column in (
        ({"sql": "select *, avg(s) over () as level from rows"}, "level"),
        ({"sql": "select *, lead(s) over (partition by k order by day) as next from rows"}, "next"),
    ):
        spec = pipeline(*BY_DAY, {**planted, "name": "planted"}, {"derive": {"c": "n + 1"}}, time="t")
        with pytest.raises(LaterRowsError, match=f"column '{column}' of row .* of the groups") as caught:
            checked(spec, rows)
        assert caught.value.where == "p, features: planted"
    spec = pipeline(*BY_DAY_OF_CENTRED, time="t")
    with pytest.raises(LaterRowsError) as caught:
        checked(spec, rows)
    assert caught.value.where == "p, features: planted"


BY_DAY_OF_CENTRED = (
    {"sql": "select *, a - avg(a) over () as centred from rows", "name": "planted"},
    BY_DAY[0],
    {"aggregate": {"by": ["k", "day"], "columns": {"s": "sum(centred)"}}},
)


@pytest.mark.parametrize("place", ["before", pytest.param("behind", marks=pytest.mark.full)])
def test_rows_and_groups_that_are_dropped_by_later_ones_are_found(place):
    by_key = {"aggregate": {"by": ["k", "d"], "columns": {"n": "sum(a)"}}}
    day = {"derive": {"d": "cast(t as date)"}}
    name = "a" if place == "before" else "n"
    drop = {"name": "planted", "sql": f"select * from rows where {name} >= (select avg({name}) from rows)"}
    steps = [day, drop, by_key] if place == "before" else [day, by_key, drop]
    spec = pipeline(*steps, time="t")
    with pytest.raises(LaterRowsError, match="planted"):
        checked(spec, source(spec))
    honest = pipeline(day, by_key, {"sql": "select * from rows where n >= 0"}, {"filter": "n > 5"}, time="t")
    assert checked(honest, source(honest)).startswith("every group of the same rows came out the same")


def test_groups_without_a_time_are_not_compared_and_that_is_said():
    spec = pipeline({"aggregate": {"by": ["k"], "columns": {"s": "sum(a)"}}})
    assert checked(spec, source(spec)) == "not comparable: the steps group rows, and features.time is not named"
