"""Dagster's SQLite storage with a lock at first use and lasting connections to the index of events.

Dagster creates its tables without a lock: of eight processes that start together on an empty folder, five end with
"more than one head present", and the database stays broken. And it opens four connections to the index for each event
of a check: one `validated_dataset` with 17 checks takes 215 connections and 0.9 s of CPU, and 94 and 0.6 s here.

`dagster.yaml` names this class, and Dagster imports it before any code location, so the module imports nothing else of
Assay. It is the only one beside `ml_assets.dagster_internals` that uses private names of Dagster. It relies on:
`DagsterSqliteStorage.__init__(base_dir, inst_data)` and its attribute `_event_log_storage`; on
`SqliteEventLogStorage._connect(shard)`, the one way to a database, with `_db_lock`, `_initialized_dbs`, `_initdb`,
`conn_string_for_shard` and `_base_dir`; and on `has_table`. `tests/integration/test_instance_storage.py` shows each.
"""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, Pool, QueuePool, create_engine, inspect

_MAX_RUN_ENGINES = 8


class SafeSqliteStorage(DagsterSqliteStorage):
    """`storage: sqlite`, opened by one process at a time, with lasting connections to the index of events."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with _first_use_lock(Path(base_dir)):
            super().__init__(base_dir, inst_data)
        stock = self._event_log_storage
        self._event_log_storage = IndexedSqliteEventLog(stock._base_dir)  # noqa: SLF001 - it has no other name

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SafeSqliteStorage":
        """Return the storage that `config: {base_dir: ...}` describes."""
        return cls(config_value["base_dir"], inst_data)


class IndexedSqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log; connections to the index over all runs stay open.

    A run's own file is opened and closed for each event, as before: pages that follow a run watch that file for
    changes, and an open connection would keep the changes in the write-ahead log beside it.
    """

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
        return self._engine(INDEX_SHARD_NAME, QueuePool)

    @cached_property
    def _engine_of_run(self) -> Callable[[str], Engine]:
        # an engine caches compiled statements; it holds no connection
        return lru_cache(maxsize=_MAX_RUN_ENGINES)(partial(self._engine, pool=NullPool))

    def _engine(self, shard: str, pool: type[Pool]) -> Engine:
        timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        return create_engine(self.conn_string_for_shard(shard), poolclass=pool, connect_args=timeout)


@contextmanager
def _first_use_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "first-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
