"""Dagster's PostgreSQL storage with a lock at first use.

Dagster creates its tables without a lock and repeats only a part of what can fail: of processes that start together on
an empty database, some end with "relation instance_info already exists".

`dagster.yaml` names this class, and Dagster imports it before any code location, so the module imports nothing else of
Assay.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

_FIRST_USE_LOCK = 4_170_652_291_846_203
"""Key of the advisory lock; any number that other users of the database do not take."""


class SafePostgresStorage(DagsterPostgresStorage):
    """`storage: postgres`, opened by one process at a time; takes the same config."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "SafePostgresStorage":
        """Return the storage that `config: {postgres_url: ...}` or `{postgres_db: ...}` describes."""
        url, tokens = pg_url_from_config(config_value), get_token_provider_from_config(config_value)
        creates = config_value.get("should_autocreate_tables", True)
        with _first_use_lock(url, tokens):
            return cls(url, creates, inst_data, tokens)


@contextmanager
def _first_use_lock(url: str, tokens: Any) -> Iterator[None]:
    engine = create_pg_engine(url, tokens, poolclass=sqlalchemy.NullPool)
    # a lock of the transaction, and not of the session: it also holds behind a pooler of connections
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(:key)"), {"key": _FIRST_USE_LOCK})
        yield
