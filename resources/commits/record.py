"""The commit record, the only thing that makes an artifact's objects visible.

Does not belong here: writing and reading of records (`log`).
"""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from assay.tables.fingerprint import TableFingerprint
from assay.validation.receipt import GateReceipt


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


def place_of(commit: Commit) -> str:
    """Return asset, partition and version, for messages."""
    partition = f", partition {commit.partition}" if commit.partition is not None else ""
    return f"{'/'.join(commit.asset)}{partition}, version {commit.number}"
