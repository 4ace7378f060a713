"""Dagster's PostgreSQL storage, opened first by two processes at once."""

import threading
import time

import pytest
import sqlalchemy
from dagster._core.storage.runs.schema import InstanceInfo
from sqlalchemy import event

from resources.postgres_storage import SafePostgresStorage

WAITING = "select count(*) from pg_locks where not granted"


@pytest.fixture
def empty_database(postgres):
    postgres.execute("create database first_use")
    return {"postgres_url": f"{postgres.url.removesuffix('postgres')}first_use"}


def test_a_storage_waits_until_another_has_created_its_tables(empty_database):
    """Eight first runs at once on a busy machine found half of the tables again and again, and gave up."""
    between_tables, second_is_open = threading.Event(), threading.Event()
    opened, opened_between = [], []
    server = sqlalchemy.create_engine(empty_database["postgres_url"])

    def somebody_waits():
        with server.connect() as connection:
            return connection.execute(sqlalchemy.text(WAITING)).scalar()

    def pause(*_, **__):
        if not between_tables.is_set():
            between_tables.set()
            while not (second_is_open.is_set() or somebody_waits()):
                time.sleep(0.05)
            opened_between.append(second_is_open.is_set())

    def open_first():
        opened.append(SafePostgresStorage.from_config_value(None, empty_database))

    event.listen(InstanceInfo, "after_create", pause)
    creating = threading.Thread(target=open_first)
    try:
        creating.start()
        assert between_tables.wait(60)
        opened.append(SafePostgresStorage.from_config_value(None, empty_database))
        second_is_open.set()
    finally:
        creating.join()
        server.dispose()
        event.remove(InstanceInfo, "after_create", pause)
    assert opened_between == [False]
    assert [storage.run_storage.get_runs_count() for storage in opened] == [0, 0]
