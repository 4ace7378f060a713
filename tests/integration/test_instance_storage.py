"""Dagster's SQLite storage as `dagster.yaml` configures it; that eight first runs end right is tested with those runs."""

import contextlib
import re
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Engine, event

from resources import instance_storage
from resources.instance_storage import IndexedSqliteEventLog, SafeSqliteStorage

CHECKS = 20


@dg.asset(check_specs=[dg.AssetCheckSpec(f"check_{number}", asset="rows") for number in range(CHECKS)])
def rows():
    yield dg.Output(1)
    for number in range(CHECKS):
        yield dg.AssetCheckResult(check_name=f"check_{number}", passed=number != 7)


@pytest.fixture
def instance(tmp_path) -> Iterator[dg.DagsterInstance]:
    config = {"base_dir": str(tmp_path)}
    storage = {"custom": {"module": "resources.instance_storage", "class": "SafeSqliteStorage", "config": config}}
    with dg.instance_for_test(overrides={"storage": storage}) as instance:
        yield instance


@pytest.fixture
def opened() -> Iterator[Counter[str]]:
    """How often each database file was opened."""
    files: Counter[str] = Counter()

    def count(connection, _record):
        files[Path(connection.execute("PRAGMA database_list").fetchone()[2]).name] += 1

    event.listen(Engine, "connect", count)
    yield files
    event.remove(Engine, "connect", count)


def test_the_index_is_not_opened_for_each_event(instance, opened):
    result = dg.materialize([rows], instance=instance)

    assert result.success
    assert opened[f"{result.run_id}.db"] > CHECKS
    assert opened["index.db"] <= 2


def test_what_is_written_is_read_by_others_and_by_dagsters_own_storage(instance, tmp_path):
    result = dg.materialize([rows], instance=instance)

    stock = {"module": "dagster._core.storage.sqlite_storage", "class": "DagsterSqliteStorage"}
    for storage in (stock, {"module": "resources.instance_storage", "class": "SafeSqliteStorage"}):
        found = {"storage": {"custom": {**storage, "config": {"base_dir": str(tmp_path)}}}}
        with dg.instance_for_test(overrides=found) as other:
            assert other.get_latest_materialization_event(dg.AssetKey("rows")).run_id == result.run_id
            records = other.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey("rows"), "check_7"), limit=5
            )
            assert [record.event.dagster_event.asset_check_evaluation_data.passed for record in records] == [False]


def test_a_page_that_follows_a_run_sees_its_events_as_they_come(instance):
    seen = threading.Event()
    with dg.DagsterInstance.from_ref(instance.get_ref()) as page:
        assert isinstance(page.event_log_storage, IndexedSqliteEventLog)
        run = instance.create_run_for_job(dg.Definitions(assets=[rows]).resolve_implicit_global_asset_job_def())
        instance.report_engine_event("first", run)
        page.watch_event_logs(run.run_id, None, lambda *_: seen.set())
        instance.report_engine_event("second", run)

        assert seen.wait(30)


def test_several_threads_read_and_write_at_once(instance):
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for version in range(10):
                instance.report_runless_asset_event(dg.AssetMaterialization(f"rows_{number}"))
                key = dg.AssetKey(f"rows_{number}")
                assert len(instance.fetch_materializations(key, limit=100).records) == version + 1
        except Exception as error:  # noqa: BLE001 - asserted below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_every_database_waits_half_a_minute_for_a_writer(instance):
    """Sqlite's own 5 s end one of eight runs on a busy machine."""
    run_id = dg.materialize([rows], instance=instance).run_id
    storage = instance.event_log_storage
    connections = {
        "runs": instance.run_storage.connect(),
        "schedules": instance.schedule_storage.connect(),
        "index": storage.index_connection(),
        "events of a run": storage.run_connection(run_id),
    }
    for name, opened in connections.items():
        with opened as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000, name


def _contents(folder: Path) -> dict[str, list[str]]:
    """Definitions and rows of all databases; moments differ."""
    found = {}
    for file in folder.rglob("*.db"):
        with contextlib.closing(sqlite3.connect(file)) as database:
            assert database.execute("pragma journal_mode").fetchone() == ("wal",)
            dump = "\n".join(database.iterdump())
        found[str(file.relative_to(folder))] = sorted(re.sub(r"'\d{4}-\d\d-\d\d [\d:.]+'", "'now'", dump).splitlines())
    return found


def _written(storage) -> None:
    storage.event_log_storage.get_logs_for_run("a_run")
    storage.event_log_storage.all_asset_keys()
    storage.event_log_storage.dispose()


def test_databases_are_those_that_dagster_makes(tmp_path):
    for name, kind in (("stock", DagsterSqliteStorage), ("own", SafeSqliteStorage)):
        (tmp_path / name).mkdir()
        _written(kind(str(tmp_path / name)))

    stock, own = _contents(tmp_path / "stock"), _contents(tmp_path / "own")

    assert set(own) == {"history/runs.db", "schedules/schedules.db", "history/runs/index.db", "history/runs/a_run.db"}
    assert own == stock
    assert all(any('INSERT INTO "alembic_version"' in line for line in lines) for lines in own.values())


def test_migrations_are_read_once_for_new_databases_and_never_for_old_ones(tmp_path, monkeypatch):
    read = []
    actual = ScriptDirectory.from_config
    monkeypatch.setattr(ScriptDirectory, "from_config", lambda config: read.append(config) or actual(config))
    instance_storage._migrations.cache_clear()

    for _ in range(2):
        _written(SafeSqliteStorage(str(tmp_path)))
        assert len(read) == 1


@pytest.mark.parametrize("killed_before", ["its stamp", "its tables"])
@pytest.mark.parametrize(
    "file", ["history/runs.db", "schedules/schedules.db", "history/runs/index.db", "history/runs/a_run.db"]
)
def test_a_database_that_was_not_finished_is_finished(tmp_path, file, killed_before):
    _written(SafeSqliteStorage(str(tmp_path / "whole")))
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    with contextlib.closing(sqlite3.connect(tmp_path / "half" / file)) as database, database:
        database.execute("drop table alembic_version")
    if killed_before == "its tables":
        (tmp_path / "half" / file).write_bytes(b"")

    _written(SafeSqliteStorage(str(tmp_path / "half")))

    tables = re.compile("CREATE TABLE")
    for name, lines in _contents(tmp_path / "half").items():
        assert [line for line in lines if tables.match(line)] == [
            line for line in _contents(tmp_path / "whole")[name] if tables.match(line)
        ]
        with contextlib.closing(sqlite3.connect(tmp_path / "half" / name)) as database:
            assert database.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_a_database_that_is_being_made_shows_nothing_until_it_is_whole(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(MigrationContext, "stamp", killed)
    with pytest.raises(KeyboardInterrupt):
        SafeSqliteStorage(str(tmp_path))

    with contextlib.closing(sqlite3.connect(tmp_path / "history" / "runs.db")) as database:
        assert database.execute("select * from sqlite_master").fetchall() == []
