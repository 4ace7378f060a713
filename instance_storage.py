"""Dagster's SQLite storage whose first use by several processes at once is safe.

Dagster creates its tables without a lock: of eight processes that come first together, five end with "more than one
head present", and the database stays broken. `dagster.yaml` names this class, and Dagster imports it before it loads
any code location: the module needs nothing but Dagster and the standard library.
Does not belong here: any other setting of the instance (`dagster.yaml`), PostgreSQL, which needs no help.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData


class SafeSqliteStorage(DagsterSqliteStorage):
    """As `storage: sqlite`, opened by one process at a time."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with _alone(Path(base_dir)):
            super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "SafeSqliteStorage":
        """Return the storage that `config: {base_dir: ...}` describes."""
        return cls(config_value["base_dir"], inst_data)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "first-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
