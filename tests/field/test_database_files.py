"""Reported: a SQLite source wrote files and outlived its time limit; a DuckDB view over Parquet was refused."""

import sqlite3
from pathlib import Path

import duckdb
import pytest

from assay.errors import SourceError
from assay.reading.files import mapped_table
from resources.sources.interface import Access
from resources.sources.opening import open_source
from resources.sources.query import Query
from resources.sources.sql_engines import engine_for, only_select, url_of


@pytest.fixture
def sqlite_file(tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.executescript("create table t (a, b); insert into t values (1, 'x'), (2, 'y')")
    connection.close()
    return f"sqlite:///{tmp_path}/rows.db"


def fetched(address: str, text: str, folder: Path, *, seconds: float = 60.0):
    access = Access(None, query_seconds=seconds, query_memory_mb=1024)
    source = open_source(address, access, Query(text, {}))
    (item,) = source.objects()
    return mapped_table(source.fetch(item, folder).path)


WRITES = [
    "attach database '{out}' as other",
    "vacuum into '{out}'",
    "create temp table x as select 1",
    "pragma query_only = off",
    "pragma journal_mode = wal",
    "pragma read_uncommitted = on",
    "select load_extension('{out}')",
    "delete from t",
]


@pytest.mark.parametrize("text", [pytest.param(WRITES[0], marks=pytest.mark.confined), *WRITES[1:]])
def test_a_sqlite_source_writes_nothing(sqlite_file, tmp_path, text):
    out = tmp_path / "written.db"
    with pytest.raises(SourceError):
        fetched(sqlite_file, text.format(out=out), tmp_path)

    assert not out.exists()


def test_a_text_that_is_not_utf8_is_named_as_the_cause(sqlite_file, tmp_path):
    """The remedy was to correct the query."""
    with pytest.raises(SourceError, match="a text of the database is not UTF-8") as caught:
        fetched(sqlite_file, "select a, cast(x'636166e9' as text) as place from t", tmp_path)
    assert "'place'" in caught.value.found


@pytest.mark.parametrize("text", WRITES)
def test_the_list_of_allowed_actions_refuses_them_alone(tmp_path, text):
    with sqlite3.connect(tmp_path / "writable.db") as connection:
        connection.execute("create table t (a)")
        connection.commit()
        getattr(connection, "enable_load_extension", lambda _: None)(True)  # not in every build of Python
        only_select(connection)
        with pytest.raises(sqlite3.DatabaseError, match=r"authoriz|prohibited|no such function"):
            connection.execute(text.format(out=tmp_path / "written.db"))


@pytest.mark.parametrize(
    "text", ["attach database '{out}' as other", "create temp table x as select 1", "delete from t"]
)
def test_the_read_only_connection_refuses_them_alone(sqlite_file, tmp_path, text):
    engine = engine_for(url_of(sqlite_file, {}), "x", 5.0)
    with engine.connect() as connection, pytest.raises(sqlite3.DatabaseError):
        connection.connection.driver_connection.execute(text.format(out=tmp_path / "written.db"))


@pytest.mark.confined
def test_a_recursive_query_with_json_is_still_a_query(sqlite_file, tmp_path):
    text = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select i from n"
    assert fetched(sqlite_file, text, tmp_path).column("i").to_pylist() == [1, 2, 3]
    [row] = fetched(sqlite_file, "select count(*) as n from json_each('[1,2]')", tmp_path).to_pylist()
    assert row == {"n": 2}


ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as x from n"
SLOW_FUNCTION = "select instr(zeroblob(8000000), cast(zeroblob(4000000) || x'01' as blob)) as x"


@pytest.mark.confined
@pytest.mark.parametrize("text", [pytest.param(ENDLESS, marks=pytest.mark.full), SLOW_FUNCTION])
def test_a_query_ends_at_its_time_limit_even_inside_one_function(sqlite_file, tmp_path, monkeypatch, text):
    monkeypatch.setattr("resources.sources.confined_query._GRACE_SECONDS", 4.0)
    with pytest.raises(SourceError, match="the query takes longer than allowed"):
        fetched(sqlite_file, text, tmp_path, seconds=1.0)  # without an end it takes hours


@pytest.mark.confined
@pytest.mark.parametrize(
    "text",
    [
        "select len(repeat('a', 2000000000)) as n",
        pytest.param("select len(range(1000000000)) as n", marks=pytest.mark.full),
    ],
)
def test_a_duckdb_query_takes_no_more_memory_than_it_may(tmp_path, text):
    duckdb.connect(str(tmp_path / "rows.duckdb")).close()
    with pytest.raises(SourceError, match="the query takes more memory than it may") as refused:
        fetched(f"duckdb:///{tmp_path}/rows.duckdb", text, tmp_path)
    assert "ASSAY_QUERY_MEMORY_MB" in refused.value.remedy, "the remedy was to correct the query"


@pytest.fixture
def views(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "outside.csv").write_text("a\n9\n")
    with duckdb.connect(str(data / "rows.duckdb")) as connection:
        connection.execute(f"copy (select 7 as a) to '{data}/own.parquet' (format parquet)")
        connection.execute(f"create view whole as select * from '{data}/own.parquet'")
        connection.execute(f"create view outside as select * from '{tmp_path}/outside.csv'")
    return f"duckdb:///{data}/rows.duckdb"


@pytest.mark.confined
def test_a_duckdb_view_over_the_users_own_parquet_is_read(views, tmp_path):
    assert fetched(views, "select a from whole", tmp_path).column("a").to_pylist() == [7]


@pytest.mark.confined
def test_a_duckdb_view_over_a_file_elsewhere_is_refused_with_a_remedy(views, tmp_path):
    with pytest.raises(SourceError, match="outside the database's folder") as refused:
        fetched(views, "select a from outside", tmp_path)
    assert "move the files" in refused.value.remedy
