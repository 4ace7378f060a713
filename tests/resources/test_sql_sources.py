"""Queries of PostgreSQL, SQLite and DuckDB: values, types, bounds and refusals."""

import contextlib
import datetime as dt
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from assay.errors import (
    MalformedDataError,
    MissingCredentialsError,
    SourceError,
    SourceNotFoundError,
    SourceUnreachableError,
)
from assay.reading.files import mapped_table
from resources.sources.interface import Access
from resources.sources.opening import open_source
from resources.sources.query import Query

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"


def source_of(address, text, watermark=None, *, connections=None, seconds=60.0, **parameters):
    access = Access(None, connections=connections or {}, query_seconds=seconds)
    return open_source(address, access, Query(text, parameters, watermark))


def rows_of(folder, *asked, **how):
    source = source_of(*asked, **how)
    (item,) = source.objects()
    return mapped_table(source.fetch(item, folder).path)


@pytest.fixture
def shop(postgres):
    return {"connections": {"shop": postgres.url}}


@pytest.fixture
def sqlite_file(tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.executescript("create table t (a, b); insert into t values (1, 'x'), (2, 'y'), (3, 'z')")
    connection.close()
    return f"sqlite:///{tmp_path}/rows.db"


@pytest.fixture
def duckdb_file(tmp_path):
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
        connection.execute("create table t as select * from (values (1, 'x'), (2, 'y'), (3, 'z')) as v(a, b)")
    return f"duckdb:///{tmp_path}/rows.duckdb"


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def table(request):
    """A database with a table t of three rows: how it is asked."""
    if request.param != "postgres":
        return {"address": request.getfixturevalue(f"{request.param}_file"), "connections": {}}
    server = request.getfixturevalue("postgres")
    server.execute(
        "drop table if exists t", "create table t (a int, b text)", "insert into t values (1,'x'), (2,'y'), (3,'z')"
    )
    return {"address": "sql://shop", "connections": {"shop": server.url}}


def test_a_value_that_looks_like_sql_stays_a_value(table, tmp_path):
    for text in ("x' or 'a'='a", "x'; drop table t; --", "$1", ":b", "x\\' or true --", "%s"):
        assert rows_of(tmp_path, text="select a from t where b = :b", b=text, **table).num_rows == 0
    assert rows_of(tmp_path, text="select a from t", **table).num_rows == 3


def test_a_query_may_hold_percent_signs_quotes_comments_and_casts(table, tmp_path):
    query = """
        select a -- it's 100 % :-)
        /* don't; */ , a % 2 as odd, 'it''s %s 5%' as note, '{\\:b}' as braces, '%' as p from t
        where b like '%x%' and cast(a as varchar) = :one and b <> :b or b = :one
    """.replace("; */", " */")
    found = rows_of(tmp_path, text=query, one="1", b="z", **table).to_pylist()
    assert found == [{"a": 1, "odd": 1, "note": "it's %s 5%", "braces": "{:b}", "p": "%"}]


@pytest.mark.confined
def test_values_keep_their_types(table, tmp_path):
    query = "select a from t where a >= :least and a + 0.5 < :most and b <> :b"
    assert rows_of(tmp_path, text=query, least=2, most=3.5, b="2", **table).to_pydict() == {"a": [2]}


@pytest.mark.parametrize("file", ["sqlite_file", "duckdb_file"])
def test_only_a_watermark_starts_a_child_to_list_the_result(file, request, monkeypatch):
    asked = []

    def count(*given, **_):
        asked.append(given)
        raise SourceError("the child is not the matter", where="here")

    monkeypatch.setattr("resources.sources.confined_query.run_child", count)
    address = request.getfixturevalue(file)
    assert [item.version for item in source_of(address, "select a from t").objects()] == [""]
    assert not asked
    with pytest.raises(SourceError):
        source_of(address, "select a from t", "select max(a) from t").objects()
    assert len(asked) == 1


@pytest.mark.parametrize(
    "text", ["delete from t", "drop table t", "insert into t values (4, 'w')", "update t set a = 0"]
)
def test_nothing_is_written(table, tmp_path, text):
    with pytest.raises(SourceError):
        rows_of(tmp_path, text=text, **table)
    assert rows_of(tmp_path, text="select a from t order by a", **table).to_pydict() == {"a": [1, 2, 3]}


def test_no_rows_are_an_empty_table(table, tmp_path):
    assert rows_of(tmp_path, text="select a, b from t where a > 5", **table).num_rows == 0


def test_two_columns_of_one_name_are_refused(table, tmp_path):
    with pytest.raises(MalformedDataError) as caught:
        rows_of(tmp_path, text="select a, b as a from t", **table)
    assert (caught.value.defect, caught.value.location.column) == ("repeated_column", "a")


@pytest.mark.confined
def test_an_sql_error_has_the_database_s_message_without_values(table, tmp_path):
    with pytest.raises(SourceError, match="nope") as caught:
        rows_of(tmp_path, text="select nope from t where b = :b", b=SECRET, **table)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("table", ["duckdb", "postgres"], indirect=True)
def test_a_value_in_the_database_s_message_is_masked(table, tmp_path):
    with pytest.raises(SourceError, match=":b") as caught:
        rows_of(tmp_path, text="select cast(:b as int) as a from t", b=SECRET, **table)
    assert SECRET not in str(caught.value)


def test_bytes_are_refused_by_their_column(table, tmp_path):
    made = {"sqlite": "x'00ff'", "duckdb": "'a'::blob", "sql": "'a'::bytea"}[table["address"].split(":")[0]]
    with pytest.raises(MalformedDataError) as caught:
        rows_of(tmp_path, text=f"select a, {made} as raw from t", **table)
    assert caught.value.location.column == "raw"


def test_a_version_is_unknown_without_a_watermark_and_follows_query_values_and_watermark_with_one(table):
    def version(*asked, **values):
        return source_of(table["address"], *asked, connections=table["connections"], **values).objects()[0].version

    query, mark = "select a from t where a > :n", "select max(a) from t"
    assert version(query, n=1) == ""
    versions = [version(query, mark, n=1), version(query, mark, n=2), version(query + " ", mark, n=1)]
    versions += [version(query, "select min(a) from t", n=1), version(query, "select max(a) from t where a < :n", n=3)]
    assert len(set(versions)) == 5
    assert version(query, mark, n=1) == versions[0]


@pytest.mark.parametrize("mark", ["select a from t", "select a from t where a > 5", "select min(a), max(a) from t"])
def test_a_watermark_of_more_or_less_than_one_value_is_refused(table, mark):
    with pytest.raises(SourceError, match="not one value"):
        source_of(table["address"], "select a from t", mark, connections=table["connections"]).objects()


@pytest.mark.confined
def test_a_query_past_its_deadline_is_cancelled(table, tmp_path):
    text = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 2000000000) select count(*) from r"
    with pytest.raises(SourceError, match="longer than allowed"):
        rows_of(tmp_path, text=text, seconds=0.3, **table)


# PostgreSQL


def test_every_type_is_exact(shop, tmp_path):
    query = """
        select 1::smallint as i, 9223372036854775807::bigint as big, 12.50::numeric(10, 2) as n, true as b, 'ü'::text t,
               timestamptz '2024-03-31 02:30:00.123456+02' as tz, timestamp '2024-03-31 02:30:00' as ts,
               date '0001-01-01' as d, time '23:59:59.5' as clock, 0.1::float8 as f, null::int as nothing,
               '6f1b7a34-0000-4000-8000-000000000000'::uuid as u
        union all
        select null, -9223372036854775808, -0.01, false, null, null, null, null, null, null, null, null
    """
    table = rows_of(tmp_path, "sql://shop", query, **shop)
    assert table.to_pylist()[0] == {
        "i": 1,
        "big": 2**63 - 1,
        "n": Decimal("12.50"),
        "b": True,
        "t": "ü",
        "tz": dt.datetime(2024, 3, 31, 0, 30, 0, 123456, tzinfo=dt.UTC),
        "ts": dt.datetime.fromisoformat("2024-03-31T02:30"),
        "d": dt.date(1, 1, 1),
        "clock": dt.time(23, 59, 59, 500000),
        "f": 0.1,
        "nothing": None,
        "u": "6f1b7a34-0000-4000-8000-000000000000",
    }
    assert table.to_pylist()[1]["big"] == -(2**63)
    assert {field.name: str(field.type) for field in table.schema} == {
        "i": "int64",
        "big": "int64",
        "n": "decimal128(38, 2)",
        "b": "bool",
        "t": "string",
        "tz": "timestamp[us, tz=UTC]",
        "ts": "timestamp[us]",
        "d": "date32[day]",
        "clock": "time64[us]",
        "f": "double",
        "nothing": "null",
        "u": "string",
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("null", "array[1, 2]"),
        ("null", "'{\"a\": 1}'::jsonb"),
        ("1.5", "'NaN'::numeric"),
        ("timestamp '2024-01-01'", "'infinity'::timestamp"),
        ("1e30::numeric", "1e-20::numeric"),
    ],
)
def test_an_unsupported_value_is_refused_by_row_and_column(shop, tmp_path, first, second):
    query = f"select {first} as x union all select {second}"
    with pytest.raises(MalformedDataError) as caught:
        rows_of(tmp_path, "sql://shop", query, **shop)
    assert (caught.value.location.row, caught.value.location.column) == (2, "x")


def test_a_question_mark_is_allowed_without_parameters_only(shop, tmp_path):
    query = "select '?' as a, '{\"a\": 1}'::jsonb ? 'a' as b"
    assert rows_of(tmp_path, "sql://shop", query, **shop).to_pylist() == [{"a": "?", "b": True}]
    with pytest.raises(SourceError, match="jsonb_exists"):
        rows_of(tmp_path, "sql://shop", query + " where 1 = :one", one=1, **shop)


def test_rows_and_their_version_are_of_one_snapshot(postgres, shop, tmp_path):
    postgres.execute("drop table if exists moment", "create table moment as select 1 as a")
    source = source_of("sql://shop", "select a from moment", "select sum(a) from moment", **shop)
    (item,) = source.objects()
    postgres.execute("insert into moment values (2)")
    fetched = source.fetch(item, tmp_path)
    assert mapped_table(fetched.path).num_rows == 2
    assert fetched.version == source.objects()[0].version != item.version


def test_the_transaction_cannot_write_through_a_function(postgres, shop, tmp_path):
    postgres.execute(
        "drop table if exists written",
        "create table written (a int)",
        "create or replace function writes() returns int language sql as 'insert into written values (1) returning a'",
    )
    with pytest.raises(SourceError, match="read-only"):
        rows_of(tmp_path, "sql://shop", "select writes() as a", **shop)


def test_a_refused_login_is_an_error_without_the_password(postgres, tmp_path):
    for url in (
        f"postgresql://owner:{SECRET}@127.0.0.1:{postgres.port}/postgres",
        f"postgresql://nobody:{SECRET}@127.0.0.1:{postgres.port}/postgres",
        f"postgresql://owner@127.0.0.1:{postgres.port}/postgres",
    ):
        with pytest.raises(MissingCredentialsError) as caught:
            rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": url})
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_server_that_is_down_is_unreachable(tmp_path):
    url = f"postgresql://owner:{SECRET}@127.0.0.1:9/postgres"
    with pytest.raises(SourceUnreachableError) as caught:
        rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": url})
    assert SECRET not in str(caught.value)


def test_a_silent_server_is_unreachable(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.sources.sql_engines.CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://owner:x@127.0.0.1:{silent.getsockname()[1]}/postgres"
        with pytest.raises(SourceUnreachableError):
            rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": url}, seconds=0.1)


def test_a_server_without_tls_is_refused_where_the_url_requires_it(postgres, tmp_path):
    with pytest.raises(SourceUnreachableError, match="SSL"):
        rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": f"{postgres.url}?sslmode=require"})


def test_the_log_holds_neither_values_nor_passwords(postgres, shop, tmp_path, caplog, monkeypatch):
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "sqlalchemy"]:
        # other libraries' set-up of logs disables some and bounds others
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        caplog.set_level(logging.INFO, name)
    with caplog.at_level(logging.INFO), caplog.at_level(logging.INFO, "sqlalchemy"), pytest.raises(SourceError):
        rows_of(tmp_path, "sql://shop", "select cast(:b as int) as a", b=SECRET, **shop)
    assert "cast" in caplog.text
    assert SECRET not in caplog.text
    assert postgres.password not in caplog.text


def test_no_connection_stays_open(postgres, shop, tmp_path):
    rows_of(tmp_path, "sql://shop", "select 1 as a", **shop)
    with pytest.raises(SourceError):
        rows_of(tmp_path, "sql://shop", "select nope", **shop)
    others = "select count(*) as n from pg_stat_activity where application_name = 'assay' and pid <> pg_backend_pid()"
    assert rows_of(tmp_path, "sql://shop", others, **shop).to_pydict() == {"n": [0]}


STREAM = textwrap.dedent("""
    import resource, sys, tempfile
    from pathlib import Path
    from resources.sources.interface import Access
    from resources.sources.opening import open_source
    from resources.sources.query import Query

    def fetched(rows):
        query = Query("select g as a, g * 0.5::float8 as b, 'text ' || repeat('x', 80) || g as c, g % 2 = 0 as d "
                      "from generate_series(1, :rows) as g", {"rows": rows})
        source = open_source("sql://shop", Access(None, connections={"shop": sys.argv[1]}), query)
        with tempfile.TemporaryDirectory() as folder:
            fetched = source.fetch(source.objects()[0], Path(folder))
            return fetched.path.stat().st_size

    fetched(50_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = fetched(200_000)
    print(size >> 10, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
""")


def test_memory_does_not_grow_with_the_rows(postgres):
    command = [sys.executable, "-c", STREAM, postgres.url]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    size, grown = map(int, done.stdout.split())
    assert grown < size / 2, f"{grown} KiB more for {size} KiB of rows"


# SQLite


def test_rows_of_one_column_with_different_types_are_refused_by_row(tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.executescript("create table t (a); insert into t values (1), (null), ('two'), (3)")
    connection.close()
    with pytest.raises(MalformedDataError) as caught:
        rows_of(tmp_path, f"sqlite:///{tmp_path}/rows.db", "select a from t")
    assert (caught.value.defect, caught.value.location.row, caught.value.location.column) == ("mixed_types", 3, "a")


@pytest.mark.confined
def test_a_relative_sqlite_path_and_a_name_with_special_characters_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("a b#c%20.db")) as connection:
        connection.executescript("create table t (a); insert into t values (1)")
    assert rows_of(tmp_path, "sqlite:///a b#c%20.db", "select a from t").num_rows == 1


# DuckDB


def test_duckdb_reads_files_of_its_own_folder_only_and_writes_none(duckdb_file, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "other.csv").write_text("a\n1\n")
    (tmp_path / "link.csv").symlink_to(elsewhere / "other.csv")
    for text in (
        f"select * from read_csv('{elsewhere}/other.csv')",
        f"select * from read_csv('{tmp_path}/link.csv')",
        f"select * from read_csv('{tmp_path}/../{elsewhere.name}/other.csv')",
        f"copy t to '{tmp_path}/out.csv'",
        f"attach '{tmp_path}/other.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
    ):
        with pytest.raises(SourceError):
            rows_of(tmp_path, duckdb_file, text)
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "other.duckdb").exists()


@pytest.mark.confined
def test_a_duckdb_file_that_another_process_writes_is_unreachable(duckdb_file, tmp_path):
    path = duckdb_file.removeprefix("duckdb:///")
    code = f"import duckdb, sys; c = duckdb.connect({path!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(SourceUnreachableError, match="another process"):
            rows_of(tmp_path, duckdb_file, "select a from t")
        other.stdin.close()
        other.wait()
    assert rows_of(tmp_path, duckdb_file, "select a from t").num_rows == 3


def test_a_duckdb_file_may_be_read_by_others_meanwhile(duckdb_file, tmp_path):
    path = duckdb_file.removeprefix("duckdb:///")
    code = (
        f"import duckdb, sys; c = duckdb.connect({path!r}, read_only=True); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"open\n"
        assert rows_of(tmp_path, duckdb_file, "select a from t").num_rows == 3
        other.stdin.close()
        other.wait()


def test_a_file_that_is_no_duckdb_is_a_source_error(tmp_path):
    (tmp_path / "rows.duckdb").write_text("a,b\n1,2\n" * 1000)
    with pytest.raises(SourceError):
        rows_of(tmp_path, f"duckdb:///{tmp_path}/rows.duckdb", "select 1 as a")


def test_duckdb_times_are_in_utc(duckdb_file, tmp_path):
    table = rows_of(tmp_path, duckdb_file, "select timestamptz '2024-01-01 02:00:00+02' as moment")
    assert table.schema.field("moment").type == pa.timestamp("us", "UTC")
    assert table["moment"][0].as_py() == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


# connections and schemes


def test_an_unknown_connection_names_the_known_ones_and_the_variable(tmp_path):
    with pytest.raises(SourceNotFoundError) as caught:
        source_of("sql://ware-house", "select 1", connections={"warehouse": f"postgresql://me:{SECRET}@h/db"})
    assert "did you mean 'warehouse'" in caught.value.what
    assert "ASSAY_SQL_WARE_HOUSE" in caught.value.remedy
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "package"),
    [
        (f"snowflake://me:{SECRET}@account/db", "snowflake-sqlalchemy"),
        ("bigquery://project/dataset", "sqlalchemy-bigquery"),
        (f"mysql+nothere://me:{SECRET}@h/db", "nothere"),
        (f"postgresql+psycopg2cffi://me:{SECRET}@h/db", "psycopg2cffi"),
    ],
)
def test_a_missing_package_is_named(url, package, tmp_path):
    with pytest.raises(SourceError, match=package) as caught:
        rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": url})
    assert package in caught.value.remedy
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"not a url {SECRET}",
        f"postgresql://me:{SECRET}@h:port/db",
        f"postgresql://me:{SECRET}@h/db?sslmod=x",
        f"postgresql://me:{SECRET}@127.0.0.1:9/db?sslmode=requier",
    ],
)
def test_an_unusable_url_is_an_error_that_does_not_show_it(url, tmp_path):
    with pytest.raises(SourceError) as caught:
        rows_of(tmp_path, "sql://shop", "select 1 as a", connections={"shop": url})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("address", ["sql://shop", "sqlite:///rows.db", "duckdb:///rows.duckdb"])
def test_a_database_without_a_query_and_a_file_with_one_are_refused(address):
    with pytest.raises(SourceError, match="needs a query"):
        open_source(address, Access(None))
    with pytest.raises(SourceError, match="for databases"):
        open_source("rows.csv", Access(None), Query("select 1", {}))


@pytest.mark.confined
def test_sources_can_be_read_from_several_threads(duckdb_file, sqlite_file, tmp_path):
    found = []

    def read(number, address):
        (tmp_path / f"{number}").mkdir()
        found.append(rows_of(tmp_path / f"{number}", address, "select a from t").num_rows)

    threads = [threading.Thread(target=read, args=pair) for pair in enumerate([duckdb_file, sqlite_file])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3] * 2
