"""Dagster's SQLite storage, safe to use first by several processes at once, and without an open and close per event.

Dagster creates its tables without a lock: of eight processes that come first together, five end with "more than one
head present", and the database stays broken. And for each event of a check it opens and closes three connections,
which costs four times what writing does. `dagster.yaml` names this class, and Dagster imports it before it loads any
code location: the module needs nothing but Dagster and what Dagster needs.
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

_ENGINES = 8


class SafeSqliteStorage(DagsterSqliteStorage):
    """As `storage: sqlite`, opened by one process at a time, with one lasting connection to the index of events."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with _alone(Path(base_dir)):
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
    """Events as in Dagster's own storage; the index over all runs is reached through connections that stay open.

    A run's own file is opened and closed for each event as before: that the file changes is what the pages that
    follow a run wait for, and a connection that stays open would keep the changes in the log beside the file.
    """

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; asked for each check, and looked up once for a table that is there."""
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
        # an engine remembers the statements it has compiled; it holds no connection
        return lru_cache(maxsize=_ENGINES)(partial(self._engine, pool=NullPool))

    def _engine(self, shard: str, pool: type[Pool]) -> Engine:
        timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        return create_engine(self.conn_string_for_shard(shard), poolclass=pool, connect_args=timeout)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "first-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
