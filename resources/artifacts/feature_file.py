"""The newest rows of a feature set as one Parquet file under a key that other programs can predict.

The commit log stays the truth: a commit names its file among its properties, and the file is written after the commit
is published, from the newest one. It is replaced only while it is what the writer has read before it asked for the
newest commit, so that of racing writers the last one to succeed has written the newest rows, even if others are killed.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from assay.data.dataset import Dataset
from assay.errors import ArtifactNotFoundError, CommitConflictError
from resources.store.commit_log import CommitLog
from resources.store.commit_record import Commit, described
from resources.store.interface import ObjectStore, encoded

UNPARTITIONED = "whole"
"""Name of the file of a pipeline without partitions."""
_FILE = "feature_file"
_ROUNDS = 20


def file_facts(prefix: str, pipeline: str, partition: str | None, steps: str) -> dict[str, JsonValue]:
    """Return what a commit says of its file.

    Args:
        prefix: `features.prefix`.
        pipeline: its name.
        partition: the key; None without partitions.
        steps: digest of the steps that made the rows.
    """
    name = UNPARTITIONED if partition is None else encoded(partition)
    return {_FILE: {"key": f"{prefix}/{encoded(pipeline)}/{name}.parquet", "steps": steps}}


def facts_of(commit: Commit) -> dict[str, JsonValue]:
    """Return the same of a commit, for the next one; empty where it has no file."""
    return {_FILE: commit.properties[_FILE]} if _FILE in commit.properties else {}


def file_key(commit: Commit) -> str | None:
    """Return the key of a commit's file; None where it has none."""
    facts = commit.properties.get(_FILE)
    return str(facts["key"]) if isinstance(facts, dict) else None


def former_keys(history: Sequence[Commit]) -> set[str]:
    """Return the keys of files that older versions name and the newest, the last one, does not."""
    return {key for commit in history if (key := file_key(commit)) is not None} - {file_key(history[-1]) or ""}


def plain_table(table: pa.Table) -> pa.Table:
    """Return the columns under types that every reader of Parquet knows.

    Dictionaries become their values, half floats floats, and nanoseconds microseconds where no value has any.
    """
    return pa.table({name: _plain(table.column(name)) for name in table.column_names})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind) and kind.unit in {"ns", "s"}:
        with suppress(pa.ArrowInvalid):  # it has nanoseconds
            return column.cast(pa.timestamp("us", kind.tz))
    return column


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """The file of one asset's partition.

    Attributes:
        store: that holds it.
        log: of the commits.
        read: reads the rows of a commit.
    """

    store: ObjectStore
    log: CommitLog
    read: Callable[[Commit], Dataset]

    def write(self, commit: Commit) -> None:
        """Let the file of a commit's partition hold the newest commit's rows, and remove it from a former prefix.

        Raises:
            CommitConflictError: others wrote it in every attempt.
            StorageError: the store failed.
        """
        for _ in range(_ROUNDS):
            key = file_key(commit)
            former = None if key is None else self._stored(key)
            # asked for after the file was read: who publishes later replaces what is written here
            newest = self.log.newest(commit.asset, commit.partition) or commit
            if newest.number != commit.number:
                commit = newest
            elif key is None or self._put(key, self._bytes(commit), former):
                self._remove_former(commit)
                return
        raise CommitConflictError(
            "other writers replaced the file of a feature set in every attempt",
            where=described(commit),
            found=f"{_ROUNDS} lost races",
            remedy="run again when fewer runs write the same partition",
        )

    def is_current(self, commit: Commit) -> bool:
        """Whether the file of the newest commit holds exactly its rows."""
        key = file_key(commit)
        return key is None or self._stored(key) == self._bytes(commit)

    def _remove_former(self, commit: Commit) -> None:
        if commit.number > 1:
            key = file_key(self.log.read(commit.asset, commit.partition, commit.number - 1))
            if key is not None and key != file_key(commit):
                self.store.delete(key)

    def _put(self, key: str, data: bytes, former: bytes | None) -> bool:
        """Store bytes in place of the former ones; over another store these may be of the one below."""
        if former == data:
            return True
        return (former is not None and self.store.replace(key, data, former)) or self.store.put_if_absent(key, data)

    def _stored(self, key: str) -> bytes | None:
        try:
            return self.store.get_bytes(key)
        except ArtifactNotFoundError:
            return None

    def _bytes(self, commit: Commit) -> bytes:
        rows = self.read(commit)
        table = plain_table(rows.table)
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(_about(commit, rows)), sink, compression="zstd")
        return bytes(sink.getvalue())


def _about(commit: Commit, rows: Dataset) -> dict[str, str]:
    """Return the key-value metadata of the file; texts, or JSON."""
    facts = commit.properties.get(_FILE)
    known = {
        "asset": "/".join(commit.asset),
        "partition": commit.partition,
        "commit": str(commit.number),
        "fingerprint": rows.fingerprint.digest,
        "schema": rows.schema.model_dump_json(),
        "inputs": json.dumps(commit.inputs),
        "steps": facts["steps"] if isinstance(facts, dict) else None,
        "run_id": commit.run_id,
        "code_version": commit.code_version,
        "created_at": commit.created_at.isoformat(),
    }
    return {f"assay.{name}": str(text) for name, text in known.items() if text is not None}
