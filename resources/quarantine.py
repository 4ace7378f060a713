"""The quarantine: a copy of every refused file with the reason, for people, and the removal of old copies.

A copy is below `<pipeline>/@quarantine/<sha256 of the bytes>/`. No run reads it. The janitor removes it by the
deployment's settings alone.
"""

import datetime as dt
import functools
import json
import operator
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assay.credentials import redacted
from assay.errors import (
    AssayError,
    EmptyDataError,
    MalformedDataError,
    SchemaDriftError,
    StorageError,
    error_to_json,
)
from assay.reading.defects import SETTINGS
from assay.scratch import scratch_folder
from assay.specs import PipelineSpec
from resources.object_store import ObjectStoreResource
from resources.sources.address import without_secrets
from resources.sources.interface import FetchedFile
from resources.store.interface import ObjectStore, encoded
from resources.store.local import file_sha256

QUARANTINE = "@quarantine"
DATA, REFUSAL = "data", "refusal.json"
_DAY = 86400.0
_MEGABYTE = 1_000_000


@dataclass(slots=True)
class _Copy:
    """A refused file and its reason: time of its newest object in seconds since the epoch, bytes of all."""

    modified: float = 0.0
    size: int = 0


def expire(store: ObjectStore, *, days: float | None, megabytes: float | None, now: float) -> list[str]:
    """Remove copies that are too old, and then the oldest ones until the rest is small enough.

    A file that is refused again after that is copied again. A megabyte is 10^6 bytes; `now` is by the store's clock.

    Returns:
        The removed folders, oldest first.

    Raises:
        StorageError: the store failed.
    """
    copies = _copies(store)
    total = sum(copy.size for copy in copies.values())
    removed = []
    for folder, copy in sorted(copies.items(), key=lambda item: (item[1].modified, item[0])):
        too_old = days is not None and now - copy.modified > days * _DAY
        too_much = megabytes is not None and total > megabytes * _MEGABYTE
        if too_old or too_much:
            remove_copies(store, [folder])
            total -= copy.size
            removed.append(folder)
    return removed


def copies_of(store: ObjectStore, pipeline: str) -> list[str]:
    """Return the folders of all copies of a pipeline's refused files.

    Raises:
        StorageError: the store failed.
    """
    return sorted(_copies(store, f"{encoded(pipeline)}/{QUARANTINE}/"))


def remove_copies(store: ObjectStore, folders: Iterable[str]) -> None:
    """Remove copies of refused files by their folders.

    Raises:
        StorageError: the store failed.
    """
    for folder in folders:
        # the reason is removed first: with a reason, the bytes are complete
        for name in (REFUSAL, DATA):
            store.delete(f"{folder}/{name}")


def _copies(store: ObjectStore, prefix: str = "") -> dict[str, _Copy]:
    """Return all copies by their folder; an unfinished one has no reason and ages like the others."""
    copies: dict[str, _Copy] = {}
    for item in store.list_objects(prefix):
        parts = item.key.split("/")
        if len(parts) == len(("pipeline", QUARANTINE, "sha256", DATA)) and parts[1] == QUARANTINE:
            copy = copies.setdefault(item.key.rpartition("/")[0], _Copy())
            copy.modified, copy.size = max(copy.modified, item.modified), copy.size + item.size
    return copies


_MOST_NAMED = 3


class Quarantine(dg.ConfigurableResource[None]):
    """Keeps refused bytes for as long as the deployment's settings say."""

    object_store: dg.ResourceDependency[ObjectStoreResource]
    days: float | None = None
    megabytes: float | None = None

    def expire(self) -> list[str]:
        """Remove copies that are older than `days`, and the oldest of what exceeds `megabytes` together.

        Returns:
            The folders that were removed; none where neither is set.

        Raises:
            StorageError: the store failed.
        """
        if self.days is None and self.megabytes is None:
            return []
        return [
            folder
            for store in self.object_store.maintained().values()
            for folder in expire(store, days=self.days, megabytes=self.megabytes, now=store.clock())
        ]

    @contextmanager
    def refusals(self, files: Sequence[FetchedFile], spec: PipelineSpec, *, where: str) -> Iterator[None]:
        """Copy the refused file when the body of a `with` refuses its bytes; the raised error names the copy.

        What the pipeline's settings decide, such as the format or the sheet, is no defect of the bytes: no copy.

        Without a file's name in the error every file is copied. A copy that fails is named in the error's remedy and
        changes nothing else.

        Raises:
            MalformedDataError: as the body raised it; so are the others.
            EmptyDataError: the same.
            SchemaDriftError: the same.
        """
        try:
            yield
        except (MalformedDataError, EmptyDataError, SchemaDriftError) as error:
            if isinstance(error, MalformedDataError) and error.defect in SETTINGS:
                raise
            note = self._kept(_concerned(files, error), spec, error, where)
            error.remedy = "; ".join(part for part in (error.remedy, note) if part)
            raise

    def _kept(self, files: Sequence[FetchedFile], spec: PipelineSpec, error: AssayError, where: str) -> str:
        reason = {**error_to_json(error), "refused_at": dt.datetime.now(dt.UTC).isoformat(), "asset": where}
        try:
            store = self.object_store.open()
            # the reason may quote any of them
            mode = functools.reduce(operator.and_, (file.path.stat().st_mode for file in files), 0o644)
            copies = [_quarantined(store, file, spec, reason, mode) for file in files]
        except (AssayError, OSError) as failed:
            why = failed.what if isinstance(failed, AssayError) else str(failed.strerror or failed)
            return f"the refused bytes could not be kept in {without_secrets(self.object_store.uri)}: {why}"
        more = f" and {len(copies) - _MOST_NAMED} more" if len(copies) > _MOST_NAMED else ""
        return f"the refused bytes are kept as {', '.join(copies[:_MOST_NAMED])}{more}" if copies else ""


def _concerned(files: Sequence[FetchedFile], error: AssayError) -> Sequence[FetchedFile]:
    """Return the files that an error names; of `a.csv` and `a.csv.gz` the longer one."""
    named = [file for file in files if file.uri in error.where]
    whole = [file for file in named if not any(file.uri != other.uri and file.uri in other.uri for other in named)]
    return whole or files


def _quarantined(
    store: ObjectStore, file: FetchedFile, spec: PipelineSpec, reason: dict[str, object], mode: int
) -> str:
    """Copy one file unless its bytes are there; the reason is written last: with a reason, the bytes are complete."""
    sha256 = file_sha256(file.path)
    folder = f"{encoded(spec.name)}/{QUARANTINE}/{sha256}"
    data, refusal = f"{folder}/{DATA}", f"{folder}/{REFUSAL}"
    if store.stat(refusal) is None:
        store.put_copy(data, file.path)
        if file_sha256(file.path) != sha256:
            store.delete(data)
            raise StorageError("the file changes while it is copied", where=file.uri, remedy="run again")
        record = {"uri": redacted(file.uri), "version": file.version, "sha256": sha256, **redacted(reason)}
        with scratch_folder("refusal") as scratch:
            written = Path(scratch, REFUSAL)
            written.write_text(json.dumps(record, indent=1), encoding="utf-8")
            written.chmod(mode | 0o400)
            store.put_copy(refusal, written)
    return store.uri(data)
