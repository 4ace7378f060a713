"""Dagster's SQLite storage with a lock at first use, one busy timeout, and lasting connections to the index.

Dagster creates its tables without a lock: of eight processes that start together on an empty folder, five end with
"more than one head present", and the database stays broken. It reads its 90 migrations for each database that it opens
and twice for one that it makes, ten times in the first run of a folder and five in each later one, a quarter of a
second of CPU; here once, and not at all where all databases are there. It waits for the disk after every table of a
new database; here once for each database. It waits 30 s for a database of events that another process writes and 5 s
for those of runs and schedules, so that of eight runs on a busy machine one fails with "database is locked"; here 30 s
for all. And it opens four connections to the index for each event of a check: one
`validated_dataset` with 17 checks takes 215 connections and 0.9 s of CPU, and 94 and 0.6 s here.

`dagster.yaml` names this class, and Dagster imports it before any code location, so the module imports nothing else of
Assay. It is the only one beside `ml_assets.dagster_internals` that uses private names of Dagster. It relies on:
the attributes and folders of `DagsterSqliteStorage.__init__`; on `from_local` of both storages, which makes tables,
stamps them and then calls `migrate` and `optimize`; on `connect` and `_conn_string` of both, the one way to their
databases; on `SqliteEventLogStorage._connect(shard)`, the one way to a
database, with `_db_lock`, `_initialized_dbs`, `_initdb`, `conn_string_for_shard` and `_base_dir`; and on `has_table`.
`tests/integration/test_instance_storage.py` shows each.
"""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster._core.storage import sqlite_storage
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import get_alembic_config
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, MetaData, NullPool, Pool, QueuePool, create_engine, inspect

_MAX_RUN_ENGINES = 8


class SafeSqliteStorage(sqlite_storage.DagsterSqliteStorage):
    """`storage: sqlite`, opened by one process at a time, with lasting connections to the index of events."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        runs = sqlite_storage._runs_directory(base_dir)  # noqa: SLF001 - it has no other name
        schedules = sqlite_storage._schedule_directory(base_dir)  # noqa: SLF001
        self.base_dir, self._inst_data = base_dir, inst_data
        with _first_use_lock(Path(base_dir)):
            self._run_storage = _opened(RunStorage, runs, "runs", RunStorageSqlMetadata)
            self._event_log_storage = IndexedSqliteEventLog(sqlite_storage._event_logs_directory(base_dir))  # noqa: SLF001
            self._schedule_storage = _opened(ScheduleStorage, schedules, "schedules", ScheduleStorageSqlMetadata)
        super(sqlite_storage.DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SafeSqliteStorage":
        """Return the storage that `config: {base_dir: ...}` describes."""
        return cls(config_value["base_dir"], inst_data)


class _BusyTimeout:
    """Connections that wait for a writer as long as those of the event log do; an engine holds no connection."""

    _conn_string: str

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection in a transaction."""
        with self._own_engine.begin() as connection:
            yield connection

    @cached_property
    def _own_engine(self) -> Engine:
        return _engine(self._conn_string)


class RunStorage(_BusyTimeout, SqliteRunStorage):
    """Dagster's storage of runs with the busy timeout."""


class ScheduleStorage(_BusyTimeout, SqliteScheduleStorage):
    """Dagster's storage of schedules with the busy timeout."""


_Storage = TypeVar("_Storage", RunStorage, ScheduleStorage)


class IndexedSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log; connections to the index over all runs stay open.

    A run's own file is opened and closed for each event, as before: pages that follow a run watch that file for
    changes, and an open connection would keep the changes in the write-ahead log beside it.
    """

    def _initdb(self, engine: Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        if _revision(engine) is not None:
            return
        with _first_use_lock(Path(self._base_dir)):
            if not _is_made(engine, SqlEventLogStorageMetadata):
                super()._initdb(engine, for_index_shard)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; a table that was found is not asked for again."""
        if table_name not in self._tables:
            with self._index.connect() as connection:
                if not inspect(connection).has_table(table_name):
                    return False
            self._tables.add(table_name)
        return True

    def dispose(self) -> None:
        """Close the connections to the index."""
        super().dispose()
        self._index.dispose()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._index if shard == INDEX_SHARD_NAME else self._engine_of_run(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    @cached_property
    def _tables(self) -> set[str]:
        return set()

    @cached_property
    def _index(self) -> Engine:
        return _engine(self.conn_string_for_shard(INDEX_SHARD_NAME), QueuePool)

    @cached_property
    def _engine_of_run(self) -> Callable[[str], Engine]:
        # an engine caches compiled statements; it holds no connection
        return lru_cache(maxsize=_MAX_RUN_ENGINES)(lambda shard: _engine(self.conn_string_for_shard(shard)))


def _engine(address: str, pool: type[Pool] = NullPool) -> Engine:
    return create_engine(address, poolclass=pool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})


def _opened(kind: type[_Storage], folder: str, name: str, metadata: MetaData) -> _Storage:
    """Return the storage in a folder as its `from_local` does, without reading migrations that nothing needs."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    address = create_db_conn_string(folder, name)
    engine = _engine(address)
    if _revision(engine) is not None:
        return kind(address)
    storage = kind(address)
    if not _is_made(engine, metadata):
        kind.from_local(folder)
        return storage
    storage.migrate()
    storage.optimize()
    return storage


def _revision(engine: Engine) -> str | None:
    """Return which migration a database has; None for one that is new or was not finished."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _is_made(engine: Engine, metadata: MetaData) -> bool:
    """Make the tables of a new database, whole or not at all; False for one that has tables and no revision."""
    with engine.connect() as connection:
        if inspect(connection).get_table_names():
            return _revision(engine) is not None
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        metadata.create_all(connection)
        MigrationContext.configure(connection).stamp(_migrations(), "head")
        connection.commit()
    return True


@cache
def _migrations() -> ScriptDirectory:
    return ScriptDirectory.from_config(get_alembic_config(sqlite_run_storage.__file__))


@contextmanager
def _first_use_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "first-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
