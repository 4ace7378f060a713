"""The prediction log in the store: Parquet objects that the endpoint's processes write, one writer for each name.

An object is `@served/<pipeline>/date=2026-01-31/hour=18/<process>-<number>.parquet`; day and hour are of its rows, in
UTC. A process has a name of its own and counts its objects, and an object is stored by a conditional put: a retry, or
another process that finishes the work of a killed one, writes the same rows under the same name, once.
"""

import datetime as dt
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from assay.errors import StorageError
from assay.serving.prediction_log import LOG_SCHEMA
from resources.store.interface import ObjectStore, decoded, encoded

_ROOT = "@served"
_NAME = re.compile(r"([a-z0-9]+)-([0-9]{8})")


@dataclass(frozen=True, slots=True)
class LogObject:
    """One object of the log.

    Attributes:
        hour: in UTC, of all its rows.
        process: lower-case letters and digits, different for each process that ever writes.
        number: counted by the process.
    """

    hour: dt.datetime
    process: str
    number: int

    @property
    def name(self) -> str:
        """Name without the folders."""
        return f"{self.process}-{self.number:08d}"

    def key(self, pipeline: str) -> str:
        """Return the key in the store."""
        return f"{_folder(pipeline, self.hour.date())}hour={self.hour:%H}/{self.name}.parquet"

    @classmethod
    def named(cls, hour: dt.datetime, name: str) -> "LogObject | None":
        """Return the object of an hour and a name; None for no name of the log."""
        match = _NAME.fullmatch(name)
        return cls(hour, match[1], int(match[2])) if match else None


def _folder(pipeline: str, day: dt.date) -> str:
    return f"{log_prefix(pipeline)}date={day.isoformat()}/"


def log_prefix(pipeline: str) -> str:
    """Return what the keys of a pipeline's log begin with."""
    return f"{_ROOT}/{encoded(pipeline)}/"


def parquet_bytes(rows: pa.Table) -> bytes:
    """Return rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def write_object(store: ObjectStore, pipeline: str, made: LogObject, rows: pa.Table) -> bool:
    """Store the rows of an object; return False where it was stored before, by this or another process.

    Raises:
        StorageError: the store did not answer; the object may or may not be there, and may be written again.
    """
    return store.put_if_absent(made.key(pipeline), parquet_bytes(rows))


def keys_of_day(store: ObjectStore, pipeline: str, day: dt.date) -> list[str]:
    """Return the keys of a day's objects, sorted.

    Raises:
        StorageError: the store did not answer.
    """
    return sorted(each.key for each in store.list_objects(_folder(pipeline, day)) if each.key.endswith(".parquet"))


def keys_by_day(store: ObjectStore, pipeline: str) -> dict[dt.date, list[str]]:
    """Return the keys of all objects of a pipeline's log, sorted, by their day.

    Raises:
        StorageError: the store did not answer.
    """
    found: dict[dt.date, list[str]] = {}
    for key in sorted(all_keys(store, pipeline)):
        day = key.removeprefix(log_prefix(pipeline)).partition("/")[0].removeprefix("date=")
        found.setdefault(dt.date.fromisoformat(day), []).append(key)
    return found


def all_keys(store: ObjectStore, pipeline: str) -> Iterator[str]:
    """Yield the keys of all objects of a pipeline's log."""
    for each in store.list_objects(log_prefix(pipeline)):
        if each.key.endswith(".parquet"):
            yield each.key


def logged_pipelines(store: ObjectStore) -> list[str]:
    """Return the names of the pipelines that have a log."""
    return sorted({decoded(each.key.split("/")[1]) for each in store.list_objects(f"{_ROOT}/")})


def rows_in(data: bytes, where: str) -> pa.Table:
    """Return the rows of an object's bytes; none of an empty one, whose rows its day's partition has.

    Raises:
        StorageError: they are no object of a log.
    """
    if not data:
        return LOG_SCHEMA.empty_table()
    try:
        table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        first = str(error).partition("\n")[0][:200]
        raise StorageError("an object of the prediction log is damaged", where=where, found=first) from error
    missing = [name for name in LOG_SCHEMA.names if name not in table.column_names]
    if missing:
        raise StorageError(
            "an object of the prediction log lacks columns", where=where, found=f"no {', '.join(missing)}"
        )
    return table
