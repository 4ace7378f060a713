"""Windows reach into earlier partitions: each partition's rows are those of one table that holds all partitions."""

import datetime as dt
import random

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from features_world import spec_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assay.data.source_rows import source_rows
from assay.errors import FeatureStepError, LaterRowsError, MissingColumnError
from assay.features.feature_set import feature_set_of
from assay.features.history import EarlierPartitions
from assay.features.prepared import PreparedSteps
from assay.features.reach import earlier_keys, most_earlier_keys, reach_of
from assay.specs.dataset import PartitionsSpec
from assay.specs.pipeline import PipelineSpec

ORIGIN = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - times without a zone
DAYS = {"by": "day", "column": "t", "start": "2021-01-01"}
WINDOW = {"aggregate": {"by": ["k"], "time": "t", "over": "30 hours", "columns": {"n": "count(*)", "s": "sum(a)"}}}
STEPS = (
    {"derive": {"a": "a * 2 + 1"}},
    {"filter": "a % 7 <> 3"},
    {"rename": {"u": "b"}},
    {"aggregate": {"time": "t", "over": "2 days", "delay": "5 hours", "columns": {"m": "max(t)", "c": "count(*)"}}},
    {"name": "of windows", "aggregate": {"by": ["k"], "time": "t", "over": "1 day", "columns": {"z": "sum(n)"}}},
    {"filter": "coalesce(n, 0) <> 2"},
    {"derive": {"n": "n + 1"}},
)


def pipeline(*steps, partitions=DAYS, **features):
    dataset = {"source": "x.csv", "target": "y", "partitions": partitions}
    made = PipelineSpec.model_validate({"name": "p", "task": "regression", "dataset": dataset}, strict=False)
    return made.model_copy(update={"features": spec_of(*steps).model_copy(update=features)})


def all_rows(seed=0, rows=90, days=5):
    draw = random.Random(seed)
    hours = sorted(draw.randint(0, 24 * days - 1) for _ in range(rows))
    return pa.table(
        {
            "k": [draw.choice("xy") for _ in hours],
            "t": pa.array([ORIGIN + dt.timedelta(hours=each) for each in hours], pa.timestamp("us")),
            "a": [draw.randint(-99, 99) for _ in hours],
            "y": [draw.random() for _ in hours],
            "u": [str(n) for n in range(rows)],
        }
    )


def cut(table, spec):
    """Return the raw rows of each partition."""
    read = source_rows(table, spec.source_dataset)
    days = sorted({each.date().isoformat() for each in table.column("t").to_pylist()})
    return {day: read.partition(day, where="raw") for day in days}


def earlier(raw, key, *, asked=None):
    def read(wanted, is_wanted):
        if asked is not None:
            asked.append((wanted, [name for name in raw[wanted].table.column_names if is_wanted(name)]))
        if wanted not in raw:
            return None
        table = raw[wanted].table
        return table.select([name for name in table.column_names if is_wanted(name)])

    return EarlierPartitions(key, read)


def made_of(raw, spec, key, **options):
    return feature_set_of(raw[key], spec, None, where="p", earlier=earlier(raw, key, **options))


def rounded(table):
    return [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in table.to_pylist()]


@given(st.lists(st.sampled_from(STEPS), unique_by=str, max_size=5), st.integers(0, 99))
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_each_partition_comes_out_as_in_one_table_of_all(steps, seed):
    spec = pipeline(WINDOW, *steps)
    table = all_rows(seed)
    whole = feature_set_of(
        source_rows(table, spec.source_dataset).partition(None, where="raw"), spec, None, where="p"
    ).rows.table
    raw = cut(table, spec)
    for key in raw:
        day = dt.date.fromisoformat(key)
        mine = whole.filter(pc.equal(whole.column("t").cast(pa.date32()), day))
        assert rounded(made_of(raw, spec, key).rows.table) == rounded(mine)


def test_a_plan_that_is_kept_is_of_one_number_of_earlier_rows():
    spec = pipeline(WINDOW)
    raw, limits = cut(all_rows(rows=40, days=3), spec), spec.dataset.limits
    shared = PreparedSteps(limits, {})
    for key in [*raw, *raw]:
        alone, again = (
            feature_set_of(raw[key], spec, None, where="p", earlier=earlier(raw, key), prepared=prepared).rows.table
            for prepared in (PreparedSteps(limits, {}), shared)
        )
        assert rounded(again) == rounded(alone)


def test_joins_and_selects_beside_a_window_are_as_in_one_table_of_all():
    levels = source_rows(
        pa.table({"j": ["x", "y"], "level": [2, 3]}),
        pipeline(WINDOW).source_dataset.model_copy(update={"partitions": PartitionsSpec()}),
    ).partition(None, where="levels")
    join = {"join": {"table": "levels", "source": "levels.csv", "on": {"k": "j"}}}
    weighed = {"aggregate": {"time": "t", "over": "1 day", "columns": {"w": "sum(a * level)"}}}
    spec = pipeline(join, weighed, WINDOW, {"sql": "select *, n + 1 as more from rows where a > 0"})
    table, joined = all_rows(), {"levels": levels}
    rows = source_rows(table, spec.source_dataset).partition(None, where="raw")
    whole = feature_set_of(rows, spec, None, where="p", joined=joined).rows.table
    raw = cut(table, spec)
    for key in ("2021-01-01", "2021-01-03"):
        mine = whole.filter(pc.equal(whole.column("t").cast(pa.date32()), dt.date.fromisoformat(key)))
        made = feature_set_of(raw[key], spec, None, where="p", joined=joined, earlier=earlier(raw, key))
        assert rounded(made.rows.table) == rounded(mine)
        assert mine.num_rows


def test_a_partition_reads_the_columns_and_partitions_that_its_windows_need():
    spec, asked = pipeline(WINDOW, {"derive": {"v": "u || 'x'"}}), []
    made = made_of(cut(all_rows(), spec), spec, "2021-01-05", asked=asked)
    assert asked == [("2021-01-03", ["k", "t", "a"]), ("2021-01-04", ["k", "t", "a"])]
    assert made.rows.notes["earlier partitions"].endswith("rows of 2021-01-03, 2021-01-04")
    assert "window of aggregate (step 1)" not in made.rows.notes


def test_rows_of_earlier_partitions_are_not_counted():
    spec = pipeline({"filter": {"odd": "a % 2 = 0"}}, WINDOW, {"filter": {"few": "n > 1"}})
    raw = cut(all_rows(), spec)
    made = made_of(raw, spec, "2021-01-04")
    odd, few = made.counts
    assert odd.rows_in == made.rows_in == raw["2021-01-04"].table.num_rows
    assert odd.dropped == sum(each % 2 for each in raw["2021-01-04"].table.column("a").to_pylist())
    assert few.rows_in == odd.rows_in - odd.dropped
    assert made.rows.table.num_rows == few.rows_in - few.dropped


def test_missing_partitions_are_counted_and_block_where_the_file_asks():
    raw = cut(all_rows(), spec := pipeline(WINDOW))
    del raw["2021-01-03"]
    notes = made_of(raw, spec, "2021-01-05").rows.notes
    assert notes["earlier partitions"].endswith("rows of 2021-01-04; 1 missing: 2021-01-03")
    assert "rows look back to before 2021-01-04 00:00:00, where no rows are" in notes["window of aggregate (step 1)"]
    strict = pipeline(WINDOW, earlier_partitions="require")
    with pytest.raises(FeatureStepError, match="2021-01-03"):
        made_of(raw, strict, "2021-01-05")


def test_a_window_that_cannot_reach_says_why():
    ignored = pipeline(WINDOW, earlier_partitions="ignore")
    raw = cut(all_rows(), ignored)
    assert "features.earlier_partitions is ignore" in str(made_of(raw, ignored, "2021-01-05").rows.notes)
    endless = {"aggregate": {"by": ["k"], "time": "t", "columns": {"e": "count(*)"}}}
    both = made_of(raw, pipeline(endless, WINDOW), "2021-01-05").rows
    alone = made_of(raw, pipeline(endless), "2021-01-05").rows
    assert both.table.column("e").equals(alone.table.column("e"))
    assert "without `over`" in both.notes["window of aggregate (step 1)"]
    behind = pipeline({"sql": "select *, a as b from rows"}, WINDOW)
    assert "the rows of its partition alone" in str(made_of(raw, behind, "2021-01-05").rows.notes)


def test_a_failing_row_of_an_earlier_partition_is_named():
    spec = pipeline({"derive": {"q": "1 / (a - 500)"}}, WINDOW)
    table = all_rows()
    bad = pc.if_else(pc.equal(table.column("u"), "50"), 500, table.column("a"))
    raw = cut(table.set_column(2, "a", bad), spec)
    day = table.column("t")[50].as_py().date()
    with pytest.raises(FeatureStepError, match=f"the rows of earlier partitions .*{day}.*a = 500"):
        made_of(raw, spec, (day + dt.timedelta(days=1)).isoformat())


def test_the_check_finds_later_rows_beside_earlier_partitions():
    ahead = {"sql": "select *, lead(a) over (order by t) as next from rows"}
    raw = cut(all_rows(), spec := pipeline(WINDOW, ahead))
    with pytest.raises(LaterRowsError, match=r"sql \(step 2\), .*|column 'next'"):
        made_of(raw, spec, "2021-01-05")
    assert made_of(raw, pipeline(WINDOW), "2021-01-05").known_in_time.startswith("every row came out the same")


@pytest.mark.parametrize(
    ("steps", "days"),
    [
        ([WINDOW], 1.25),
        ([WINDOW, {"aggregate": {"time": "t", "over": "2 days", "columns": {"o": "sum(a)"}}}], 2),
        ([WINDOW, {"aggregate": {"time": "t", "over": "2 days", "columns": {"o": "sum(n)"}}}], 3.25),
        ([WINDOW, {"filter": "n > 1"}, {"aggregate": {"time": "t", "over": "2 days", "columns": {"o": "sum(a)"}}}], 3.25),
        ([WINDOW, {"rename": {"n": "p"}}, {"derive": {"q": "p + 1"}}, STEPS[4] | {"aggregate": STEPS[4]["aggregate"] | {"columns": {"z": "sum(q)"}}}], 2.25),
        ([{"python": "m:f"}, WINDOW], 0),
    ],
)  # fmt: skip
def test_windows_of_windows_reach_as_far_as_both(steps, days):
    spec = pipeline(*steps)
    assert reach_of(spec.features, spec.dataset.partitions).microseconds == days * 86_400_000_000


@pytest.mark.parametrize(
    ("by", "start", "key", "hours", "expected", "most"),
    [
        ("month", "2021-01", "2021-03", 720, ["2021-01", "2021-02"], 2),
        ("month", "2021-01", "2021-05", 720, ["2021-04"], 2),
        ("week", "2021-01-03", "2021-01-17", 24, ["2021-01-10"], 1),
        ("year", "2020", "2021", 24, ["2020"], 1),
        ("hour", "2021-01-01-00:00", "2021-01-01-02:00", 3, ["2021-01-01-00:00", "2021-01-01-01:00"], 3),
        ("day", "2021-01-01", "2021-01-01", 24, [], 1),
    ],
)
def test_the_partitions_that_a_window_needs(by, start, key, hours, expected, most):
    window = {"aggregate": {"time": "t", "over": f"{hours} hours", "columns": {"n": "count(*)"}}}
    partitions = PartitionsSpec(by=by, start=start)
    reach = reach_of(spec_of(window), partitions)
    assert list(earlier_keys(partitions, key, reach)) == expected
    assert most_earlier_keys(partitions, reach) == most


def test_a_day_of_a_zone_may_have_23_hours():
    partitions = PartitionsSpec(by="day", start="2021-01-01", timezone="Europe/Berlin")
    reach = reach_of(spec_of({"aggregate": {"time": "t", "over": "1 day", "columns": {"n": "count(*)"}}}), partitions)
    assert list(earlier_keys(partitions, "2021-03-29", reach)) == ["2021-03-27", "2021-03-28"]
    assert most_earlier_keys(partitions, reach) == 2


def test_rows_that_a_select_drops_are_counted():
    odd = {"name": "odd", "sql": "select * from rows where a % 2 = 0", "max_dropped": 0.9}
    spec = pipeline({"filter": "a > -90"}, odd, {"filter": "a < 90"})
    rows = source_rows(all_rows(), spec.source_dataset).partition(None, where="raw")
    made = feature_set_of(rows, spec, None, where="p")
    assert [each.reason for each in made.counts] == ["not: a > -90", "not selected", "not: a < 90"]
    left = made.rows_in
    for count in made.counts:
        assert count.rows_in == left
        left -= count.dropped
    assert left == made.rows.table.num_rows
    assert made.counts[1].dropped > 0
    strict = pipeline({**odd, "max_dropped": 0.1})
    with pytest.raises(FeatureStepError, match="more rows are dropped than allowed"):
        feature_set_of(rows, strict, None, where="p")


def test_rows_to_predict_see_earlier_targets_and_are_not_filtered():
    steps = [
        {"derive": {"y": "date_diff('minute', t, till) / 1.0"}},
        {"filter": "y > 10"},
        {"aggregate": {"by": ["k"], "time": "t", "over": "2 days", "columns": {"usual": "avg(y)", "n": "count(*)"}}},
        {"filter": "y < 50"},
        {"derive": {"more": "n + 1"}},
    ]
    spec, table = pipeline(*steps), all_rows().drop_columns(["y", "a"])
    till = [t + dt.timedelta(minutes=n % 61) for n, t in enumerate(table.column("t").to_pylist())]
    raw = cut(table.append_column("till", pa.array(till, pa.timestamp("us"))), spec)
    new = raw.pop("2021-01-05").table.drop_columns(["till"])
    batch = source_rows(new, spec.source_dataset, labelled=False).partition(None, where="raw")
    found = feature_set_of(batch, spec, None, where="p", labelled=False, earlier=earlier(raw, None)).rows
    assert found.table.column_names == ["k", "t", "u", "usual", "n", "more"]
    assert found.table.num_rows == new.num_rows
    first = found.table.to_pylist()[0]
    begin = new.column("t")[0].as_py() - dt.timedelta(days=2)
    known = [
        row for part in raw.values() for row in part.table.to_pylist() if row["k"] == first["k"] and row["t"] >= begin
    ]
    minutes = [(row["till"] - row["t"]).seconds / 60 for row in known]
    kept = [each for each in minutes if each > 10]
    assert (first["n"], round(first["usual"], 6)) == (len(kept), round(sum(kept) / len(kept), 6))
    assert "missing" not in found.notes["earlier partitions"]
    lacking = source_rows(new.drop_columns(["k"]), spec.source_dataset, labelled=False).partition(None, where="raw")
    with pytest.raises(MissingColumnError, match="no column 'k'"):
        feature_set_of(lacking, spec, None, where="p", labelled=False, earlier=earlier(raw, None))
