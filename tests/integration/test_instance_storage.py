"""Dagster's SQLite storage as `dagster.yaml` configures it; that eight first runs end right is tested with those runs."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine, event

from resources.instance_storage import IndexedSqliteEventLog

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
