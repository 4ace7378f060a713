"""Steps that run again and again in one process: quick, and nothing of one call reaches the next."""

import gc
import os
import threading
import weakref

import numpy as np
import pyarrow as pa
import pytest
from features_world import spec_of

from assay.data.source_rows import source_rows
from assay.errors import AssayError, FeatureStepError
from assay.features import prepared as module
from assay.features import running
from assay.features.prepared import PreparedSteps
from assay.features.running import run_steps
from assay.specs.pipeline import PipelineSpec

STEPS = (
    {"derive": {"each": "size / rooms", "hour": "hour(seen::timestamp)"}},
    {"join": {"table": "areas", "source": "areas.csv", "on": ["area"]}},
    {"fill": {"income": 7.0}},
    {"derive": {"dear": "coalesce(size * income, 0) > 900"}},
)
AREAS = pa.table({"area": ["north", "south"], "income": [30.0, float("nan")]})


def pipeline(*steps):
    described = {"name": "p", "task": "regression", "dataset": {"source": "x.csv", "target": "rent"}}
    made = PipelineSpec.model_validate(described, strict=False)
    return made.model_copy(update={"features": spec_of(*(steps or STEPS))})


def prepared_for(spec):
    joined = {"areas": AREAS} if spec.features.joins else {}
    return PreparedSteps.of(spec.dataset.limits, spec.features, joined, "rows")


def rows(draw=None, **changed):
    draw, count = draw or np.random.default_rng(1), changed.pop("count", 3)
    found = {
        "size": pa.array(draw.normal(50, 20, count).tolist(), mask=draw.random(count) < 0.2),
        "rooms": draw.integers(1, 6, count),
        "area": draw.choice(["north", "south", "west"], count),
        "seen": ["2024-01-01 09:00:00"] * count,
        "unused": draw.normal(size=count),
    }
    return pa.table(found | changed)


def made(spec, table, prepared):
    schema = source_rows(table, spec.source_dataset, None).partition(None, where="rows").schema
    return run_steps(table, schema, spec, where="rows", labelled=False, prepared=prepared).table


@pytest.fixture
def connections(monkeypatch):
    """The connections that are opened to compile steps or to run them."""
    found = []

    def counted(kind, opened):
        def open_one(*arguments, **settings):
            found.append(kind)
            return opened(*arguments, **settings)

        return open_one

    monkeypatch.setattr(running, "engine_connection", counted("compile", running.engine_connection))
    monkeypatch.setattr(module, "engine_with", counted("run", module.engine_with))
    return found


def test_rows_of_the_same_columns_need_one_plan_and_one_connection(connections):
    spec = pipeline()
    prepared = prepared_for(spec)
    for seed in range(5):
        made(spec, rows(np.random.default_rng(seed)), prepared)
    assert connections == ["compile", "run"]


def test_results_are_those_of_steps_that_are_prepared_anew():
    spec = pipeline()
    prepared = prepared_for(spec)
    for seed in range(8):
        draw = np.random.default_rng(seed)
        table = rows(draw, count=int(draw.integers(1, 40)))
        if seed % 3 == 1:
            table = table.drop_columns("unused")
        if seed % 4 == 1:
            table = table.set_column(0, "size", table.column("size").cast(pa.float32()))
        assert made(spec, table, prepared).equals(made(spec, table, prepared_for(spec)))


HOSTILE = {
    "no time": {"seen": ["2024-01-01 09:00:00", "tomorrow", "x'; DROP TABLE source_rows; --"]},
    "no rooms": {"rooms": pa.array([1, 0, 2])},
    "infinite": {"size": [1e308, 1e308, float("inf")], "rooms": pa.array([1, 0, 1])},
    "a text for a number": {"size": ["1", "2", "many"]},
    "a huge text": {"seen": ["2024-01-01 09:00:00", "9" * 1_000_000, ""]},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_row_that_fails_changes_nothing_for_the_next(case):
    spec = pipeline()
    prepared = prepared_for(spec)
    good = rows()
    before = made(spec, good, prepared)
    with pytest.raises(AssayError) as first:
        made(spec, rows(**HOSTILE[case]), prepared)
    assert made(spec, good, prepared).equals(before)
    with pytest.raises(AssayError) as again:
        made(spec, rows(**HOSTILE[case]), prepared)
    assert str(again.value) == str(first.value)


def test_an_error_names_the_row_of_its_own_request():
    spec = pipeline()
    prepared = prepared_for(spec)
    for position in (2, 0, 1):
        rooms = [1, 1, 1]
        rooms[position] = 0
        with pytest.raises(FeatureStepError, match="rooms = 0") as refused:
            made(spec, rows(rooms=pa.array(rooms)), prepared)
        assert (refused.value.location.row, refused.value.location.column) == (position + 1, "each")


def test_no_row_stays_with_a_kept_connection():
    spec = pipeline()
    prepared = prepared_for(spec)
    table = rows(area=["secret-area"] * 3)
    gone = weakref.ref(table)
    result = weakref.ref(made(spec, table, prepared))
    del table
    gc.collect()
    assert gone() is None
    assert result() is None
    [(_, connection)] = prepared._idle
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert (views, tables) == ([("joined areas",)], [])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/copied'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "SET temp_directory = '/tmp'",
        "SET memory_limit = '100GB'",
    ],
)
def test_a_kept_connection_is_locked(statement):
    import duckdb

    spec = pipeline()
    prepared = prepared_for(spec)
    made(spec, rows(), prepared)
    [(_, connection)] = prepared._idle
    with pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_threads_get_their_own_rows_back():
    spec = pipeline()
    prepared = prepared_for(spec)
    tables = [rows(np.random.default_rng(seed), count=seed % 5 + 1) for seed in range(24)]
    expected = [made(spec, table, prepared_for(spec)) for table in tables[:6]]
    found, start = {}, threading.Barrier(6)

    def work(number):
        start.wait()
        for seed in range(number, 24, 6):
            found[seed] = made(spec, tables[seed], prepared)
            with pytest.raises(FeatureStepError, match="rooms = 0"):
                made(spec, rows(rooms=pa.array([0, 1, 1])), prepared)

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == list(range(24))
    assert all(found[seed].equals(table) for seed, table in enumerate(expected))
    assert all(found[seed].num_rows == tables[seed].num_rows for seed in found)
    assert len(prepared._idle) <= 4


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MOST_PLANS", 3)
    spec = pipeline({"derive": {"each": "size / rooms"}})
    prepared = prepared_for(spec)
    for number in range(5):
        made(spec, rows(**{f"further_{number}": [1, 2, 3]}), prepared)
    assert len(prepared._plans) == 3


def test_a_forked_process_takes_no_connection_of_its_parent(monkeypatch, connections):
    spec = pipeline()
    prepared = prepared_for(spec)
    made(spec, rows(), prepared)
    own = os.getpid()
    monkeypatch.setattr(module.os, "getpid", lambda: own + 1)
    made(spec, rows(), prepared)
    assert connections.count("run") == 2


def test_what_exceeds_the_memory_may_spill(monkeypatch):
    """A kept connection writes no file; a computation that needs to gets one of its own."""
    spec = pipeline()
    prepared = prepared_for(spec)
    answer_of, spilled = module.answer_of, []

    def scarce(connection, request, layers):
        [[folder]] = connection.execute("SELECT current_setting('temp_directory')").fetchall()
        spilled.append(folder.startswith(request["folder"]))
        return answer_of(connection, request, layers) if spilled[-1] else {"limit": "memory"}

    monkeypatch.setattr(module, "answer_of", scarce)
    assert made(spec, rows(), prepared).num_rows == 3
    assert spilled == [False, True]
    assert not prepared._idle


def test_a_run_notes_nothing_in_the_plan_of_the_next():
    spec = pipeline()
    prepared = prepared_for(spec)
    made(spec, rows(), prepared)
    [kept] = prepared._plans.values()
    lent = prepared.plan(next(iter(prepared._plans)), lambda: None)
    lent.lineage.version_of("a name of one request")
    assert not kept.lineage.named_for_the_target("a name of one request")
    assert lent.lineage._names > kept.lineage._names
