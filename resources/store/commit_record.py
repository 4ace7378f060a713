"""The commit record, which makes an artifact's objects visible, and the keys of records and objects in a store."""

import datetime as dt
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from assay.data.dataset import GateReceipt
from assay.data.fingerprint import TableFingerprint
from resources.store.interface import encoded
from resources.store.numbered_records import record_key

_WHOLE, _PARTITION = "@whole", "@partition"
_MARKER = re.compile(f"/({_WHOLE}|{_PARTITION})/")


def series_prefix(asset: tuple[str, ...], partition: str | None) -> str:
    """Return the prefix of everything of one asset and partition.

    Encoded names contain no `@`, so an asset's partitions never clash with assets below it.
    """
    path = "/".join(encoded(part) for part in asset)
    return f"{path}/{_PARTITION}/{encoded(partition)}/" if partition is not None else f"{path}/{_WHOLE}/"


def commits_prefix(asset: tuple[str, ...], partition: str | None) -> str:
    """Return the prefix of the commit records."""
    return f"{series_prefix(asset, partition)}commits/"


def commit_key(asset: tuple[str, ...], partition: str | None, number: int) -> str:
    """Return the key of a commit record; keys sort as numbers do."""
    return record_key(commits_prefix(asset, partition), number)


def is_data(key: str) -> bool:
    """Whether a key is that of a data object of this store; assets may be called `data`, too, and spaces begin by @."""
    head, marker, rest = _split("" if key.startswith("@") else key)
    within = rest.split("/")[1:] if marker == _PARTITION else rest.split("/")
    return bool(head) and len(within) > 1 and within[0] == "data"


def records_prefix_of(key: str) -> str:
    """Return the prefix of the commit records that may name a data object."""
    before, marker, rest = _split(key)
    partition = f"{rest.split('/')[0]}/" if marker == _PARTITION else ""
    return f"{before}/{marker}/{partition}commits/"


def attempt_prefix(asset: tuple[str, ...], partition: str | None, attempt_id: str) -> str:
    """Return the prefix of the data objects that one attempt writes."""
    return f"{series_prefix(asset, partition)}data/{encoded(attempt_id)}/"


def object_key(asset: tuple[str, ...], partition: str | None, attempt_id: str, sha256: str, name: str) -> str:
    """Return the key of a data object; attempts never share one, unless the bytes are the same."""
    return f"{attempt_prefix(asset, partition, attempt_id)}{sha256[:16]}-{name}"


def _split(key: str) -> tuple[str, str, str]:
    """Return the asset's path, the marker and what follows; three empty texts for a key of something else."""
    parts = _MARKER.split(key, maxsplit=1)
    return (parts[0], parts[1], parts[2]) if len(parts) > 1 else ("", "", "")


class Record(BaseModel):
    """A part of a stored record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CommittedObject(Record):
    """One immutable object that a commit names."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    """File name inside the artifact, e.g. `data.parquet`; it cannot lead out of a folder."""
    key: str
    """Key in the object store."""
    sha256: str
    size: int


class Commit(Record):
    """One published (or rejected) version of an artifact."""

    format_version: Literal[1] = 1
    asset: tuple[str, ...]
    """Asset key's components."""
    partition: str | None
    number: int
    """1, 2, 3 ... without gaps, per asset and partition."""
    status: Literal["published", "rejected"]
    """`rejected`: the gate refused the data; the commit names the report alone."""
    attempt_id: str
    """Names run, step and retry; a writer recognises its own commit by it."""
    run_id: str
    created_at: dt.datetime
    codec: str
    """Name of the codec that reads the objects."""
    objects: tuple[CommittedObject, ...]
    data_version: str
    """Content digest of the value: equal values have equal data versions."""
    code_version: str | None = None
    inputs: dict[str, str] = {}
    """`asset[@partition]` -> `<number>:<data_version>` of every artifact read to make this one."""
    fingerprint: TableFingerprint | None = None
    receipt: GateReceipt | None = None
    properties: dict[str, JsonValue] = {}
    """Facts for readers: row count, schema and the like."""


def described(commit: Commit) -> str:
    """Return asset, partition and version, for messages."""
    partition = f", partition {commit.partition}" if commit.partition is not None else ""
    return f"{'/'.join(commit.asset)}{partition}, version {commit.number}"
