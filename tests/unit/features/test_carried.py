"""Columns that no step computes with stay out of the engine, and their rows are those of the results."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from features_world import spec_of

from assay.data.source_rows import source_rows
from assay.features import step_engine
from assay.features.past import require_known_in_time
from assay.features.running import run_steps
from assay.specs.pipeline import PipelineSpec

ROWS = 500


def rows():
    draw = np.random.default_rng(0)
    start = dt.datetime(2021, 1, 1)  # noqa: DTZ001 - times without a zone
    return pa.table(
        {
            "t": pa.array(
                [start + dt.timedelta(hours=int(each)) for each in draw.permutation(ROWS)], pa.timestamp("us")
            ),
            "k": pa.array(draw.choice(["x", "y"], ROWS)),
            "a": draw.integers(-50, 50, ROWS),
            "other": np.where(np.arange(ROWS) % 7, np.arange(ROWS) / 3, np.nan),
            "fine": pa.array(range(ROWS), pa.timestamp("ns")),
            "seconds": pa.array(range(ROWS), pa.timestamp("s")),
        }
    )


def pipeline(*steps):
    described = {"name": "p", "task": "regression", "dataset": {"source": "x.csv", "target": "a"}}
    made = PipelineSpec.model_validate(described, strict=False)
    return made.model_copy(update={"features": spec_of(*steps).model_copy(update={"time": "t"})})


@pytest.fixture
def handed(monkeypatch):
    """The columns of each table that is handed to the engine."""
    found, write = [], step_engine.write_arrow

    def recorded(table, path):
        found.append(table.column_names)
        write(table, path)

    monkeypatch.setattr(step_engine, "write_arrow", recorded)
    return found


STEPS = (
    {"filter": "a > 0"},
    {"derive": {"b": "a * 2"}},
    {"rename": {"other": "another"}},
    {"aggregate": {"by": ["k"], "time": "t", "over": "2 days", "columns": {"n": "count(*)"}}},
    {"select": {"but": ["seconds"]}},
)


def test_unnamed_columns_stay_out_and_have_the_rows_of_the_results(handed):
    table, spec = rows(), pipeline(*STEPS)
    source = source_rows(table, spec.source_dataset).partition(None, where="raw")
    made = run_steps(source.table, source.schema, spec, where="p")
    assert handed == [["t", "k", "a", "__row"]]
    kept = source.table.filter(pa.compute.greater(source.table.column("a"), 0))
    assert made.table.column_names == ["t", "k", "a", "another", "fine", "b", "n"]
    another = [None if each != each else each for each in kept.column("other").to_pylist()]  # noqa: PLR0124 - NaN
    assert made.table.column("another").to_pylist() == another
    assert made.table.column("fine").equals(kept.column("fine"))
    seen = list(zip(kept.column("k").to_pylist(), kept.column("t").to_pylist(), strict=True))
    expected = [sum(key == k and t - dt.timedelta(days=2) <= s < t for key, s in seen) for k, t in seen]
    assert made.table.column("n").to_pylist() == expected
    assert require_known_in_time(source, made, spec, where="p").startswith("every row came out the same")
    assert {tuple(names) for names in handed[1:]} == {("t", "k", "a", "__row")}


def test_a_whole_select_is_handed_every_column(handed):
    spec = pipeline(
        {"sql": "select *, other * 0 as fine from (select * exclude (fine) from rows)"}, {"derive": {"b": "a"}}
    )
    source = source_rows(rows(), spec.source_dataset).partition(None, where="raw")
    made = run_steps(source.table, source.schema, spec, where="p").table
    assert set(handed[0]) == {*source.table.column_names, "__row"}
    assert set(made.column("fine").to_pylist()) == {0.0, None}


def test_a_row_that_fails_far_behind_the_first_is_named(computed):
    rows = 400_000
    failure = computed({"derive": {"b": "1 / a"}}, a=np.arange(rows, 0, -1) - 1)
    assert (failure.column, failure.row) == ("b", rows - 1)
