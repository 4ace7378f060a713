"""A copy of every refused file, beside the reason, so that what was refused can be looked at later.

A copy lies below `<pipeline>/@quarantine/<sha256 of the bytes>/`. It is there for people: no run reads it. The janitor
removes it by the deployment's settings alone (`quarantine_retention`).
Does not belong here: the decision to refuse (`assay.ingestion`, `assay.tables`).
"""

import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg
from dagster_aws.s3 import S3Resource

from assay.errors import (
    AssayError,
    EmptyDataError,
    MalformedDataError,
    SchemaDriftError,
    StorageError,
    UnsupportedFormatError,
)
from assay.ingestion.child_messages import error_told
from assay.specs import PipelineSpec
from resources.file_digests import file_sha256
from resources.object_store.interface import ObjectStore
from resources.object_store.keys import encoded
from resources.object_store.opening import open_store
from resources.quarantine_retention import DATA, QUARANTINE, REFUSAL, expire
from resources.s3_client import client_of
from resources.sources.address import without_secrets
from resources.sources.interface import FetchedFile

_MOST_NAMED = 3


class Quarantine(dg.ConfigurableResource[None]):
    """Keeps the bytes that were refused, for as long as the deployment wants them."""

    storage_uri: str
    s3: dg.ResourceDependency[S3Resource]
    days: float | None = None
    megabytes: float | None = None

    def expire(self) -> list[str]:
        """Remove copies that are older than `days`, and the oldest of what exceeds `megabytes` together.

        Returns:
            The folders that were removed; none where neither is set.

        Raises:
            StorageError: the store failed.
        """
        store = open_store(self.storage_uri, lambda: client_of(self.s3))
        return expire(store, days=self.days, megabytes=self.megabytes, now=time.time())

    @contextmanager
    def refusals(self, files: Sequence[FetchedFile], spec: PipelineSpec, *, where: str) -> Iterator[None]:
        """Copy the refused file when the body of a `with` refuses one; the error goes on, and names the copy.

        Without a file's name in the error, every file is copied: a schema's drift may be any one's. A copy that
        cannot be made is told in the error's remedy, and changes nothing else.

        Args:
            files: what the body reads.
            spec: the pipeline.
            where: asset and partition.

        Raises:
            MalformedDataError: as the body raised it; so are the others.
            UnsupportedFormatError: the same.
            EmptyDataError: the same.
            SchemaDriftError: the same.
        """
        try:
            yield
        except (MalformedDataError, UnsupportedFormatError, EmptyDataError, SchemaDriftError) as error:
            told = self._kept(_concerned(files, error), spec, error, where)
            error.remedy = "; ".join(part for part in (error.remedy, told) if part)
            raise

    def _kept(self, files: Sequence[FetchedFile], spec: PipelineSpec, error: AssayError, where: str) -> str:
        reason = {**error_told(error), "refused_at": dt.datetime.now(dt.UTC).isoformat(), "asset": where}
        try:
            store = open_store(self.storage_uri, lambda: client_of(self.s3))
            copies = [_quarantined(store, file, spec, reason) for file in files]
        except (AssayError, OSError) as failed:
            told = failed.what if isinstance(failed, AssayError) else str(failed.strerror or failed)
            return f"the refused bytes could not be kept in {without_secrets(self.storage_uri)}: {told}"
        more = f" and {len(copies) - _MOST_NAMED} more" if len(copies) > _MOST_NAMED else ""
        return f"the refused bytes are kept as {', '.join(copies[:_MOST_NAMED])}{more}" if copies else ""


def _concerned(files: Sequence[FetchedFile], error: AssayError) -> Sequence[FetchedFile]:
    """Return the files that an error's place names; of `a.csv` and `a.csv.gz` the longer one."""
    named = [file for file in files if file.uri in error.where]
    whole = [file for file in named if not any(file.uri != other.uri and file.uri in other.uri for other in named)]
    return whole or files


def _quarantined(store: ObjectStore, file: FetchedFile, spec: PipelineSpec, reason: dict[str, object]) -> str:
    """Copy one file unless its bytes are there; the reason comes last, so that where it is the bytes are whole."""
    sha256 = file_sha256(file.path)
    folder = f"{encoded(spec.name)}/{QUARANTINE}/{sha256}"
    data, refusal = f"{folder}/{DATA}", f"{folder}/{REFUSAL}"
    if store.stat(refusal) is None:
        store.put_file(data, file.path)
        if file_sha256(file.path) != sha256:
            store.delete(data)
            raise StorageError("the file changes while it is copied", where=file.uri, remedy="run again")
        record = {"uri": without_secrets(file.uri), "version": file.version, "sha256": sha256, **reason}
        store.put_if_absent(refusal, json.dumps(record, indent=1).encode())
    return store.uri(data)
