"""Artifacts: values published under an asset and partition, and read back verified."""

import datetime as dt
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import JsonValue

from assay.data.dataset import Dataset, GateReceipt
from assay.errors import (
    ArtifactNotFoundError,
    CommitConflictError,
    DigestMismatchError,
    GateRejectedError,
    StorageError,
)
from assay.scratch import scratch_folder
from assay.specs.base import Spec
from resources.artifacts.codecs import Codec, ModelCodec, SpecCodec, TableCodec
from resources.artifacts.feature_file import FeatureFile, file_key
from resources.store.commit_log import CommitLog, CommitReader
from resources.store.commit_record import Commit, CommittedObject, attempt_prefix, described, object_key
from resources.store.expiry import expiry_of, is_remainder_of, remainder_of, require_files
from resources.store.interface import ObjectStore
from resources.store.local import file_sha256
from resources.store.overlay import OverlayStore

Value = TypeVar("Value")
Pages: TypeAlias = Mapping[str, str]
_CODECS: tuple[Codec, ...] = (TableCodec(), SpecCodec(), ModelCodec())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a step to publish.

    Attributes:
        attempt_id: run, step and retry; publishing twice under one attempt publishes once.
        code_version: of what computed the value.
        inputs: `asset[@partition]` -> `<number>:<data_version>` of everything read.
        properties: facts for the commit record, beside those of the value.
        follows: publish only as the version after this number; whatever comes next unless given.
    """

    run_id: str
    attempt_id: str
    code_version: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, JsonValue] = field(default_factory=dict)
    follows: int | None = None


class ArtifactStore:
    """Publishes and loads artifacts over any object store.

    Over an overlay, objects are read from below. Rows that the store itself lacks are found there as well, by their
    content; by their asset only if it `shares_rows`.

    Attributes:
        before_publishing: called right before a value becomes visible; raises to keep it from that.
    """

    def __init__(self, store: ObjectStore, *, shares_rows: bool = False) -> None:
        self.store = store
        self._below: ArtifactStore | None = ArtifactStore(store.below) if isinstance(store, OverlayStore) else None
        self.log: CommitLog = CommitLog(store, self._below.log if self._below and shares_rows else None)
        self.before_publishing: Callable[[Attempt], None] = lambda _: None

    def publish(
        self, asset: tuple[str, ...], partition: str | None, value: Any, attempt: Attempt, pages: Pages | None = None
    ) -> Commit:
        """Make a value the newest version of an asset's partition; on any failure nothing is visible.

        Pages are texts for people by file name: visible with the value, no part of its version.

        Raises:
            StorageError: it could not be stored.
            CommitConflictError: another version was published than the one that the attempt follows.
        """
        return self._publish(asset, partition, value, attempt, status="published", pages=pages)

    def reject(
        self,
        asset: tuple[str, ...],
        partition: str | None,
        receipt: GateReceipt,
        report: Spec,
        attempt: Attempt,
        pages: Pages | None = None,
    ) -> Commit:
        """Publish that the gate refused a partition's data: the report, its pages and the receipt, no data.

        Raises:
            StorageError: it could not be stored.
        """
        return self._publish(asset, partition, report, attempt, status="rejected", receipt=receipt, pages=pages)

    def newest(self, asset: tuple[str, ...], partition: str | None) -> Commit:
        """Return the newest version's commit.

        Raises:
            ArtifactNotFoundError: nothing was published; says how to.
            GateRejectedError: the newest is a refusal; says which rules failed and where the report is.
        """
        return self.newest_of(asset, [partition])[partition]

    def newest_of(
        self, asset: tuple[str, ...], partitions: Sequence[str | None], *, made_alone: bool = False
    ) -> dict[str | None, Commit]:
        """Return the newest version's commit of each partition, all of them found before any data is read.

        Args:
            asset: its key.
            partitions: their keys.
            made_alone: whether partitions that were never published are left out.

        Raises:
            ArtifactNotFoundError: partitions were never published; names them all.
            GateRejectedError: the newest of a partition is a refusal.
        """
        newest = {partition: self.log.newest(asset, partition) for partition in partitions}
        found = {partition: commit for partition, commit in newest.items() if commit is not None}
        if len(found) < len(newest) and not made_alone:
            raise _missing("/".join(asset), [partition for partition in newest if partition not in found])
        for commit in found.values():
            if commit.status == "rejected":
                raise self._refusal(commit)
        return found

    def load(
        self, asset: tuple[str, ...], partition: str | None, kind: type[Value], columns: Sequence[str] | None = None
    ) -> Value:
        """Read the newest version of an asset's partition.

        Raises:
            ArtifactNotFoundError: nothing was published.
            GateRejectedError: the newest is a refusal.
            DigestMismatchError: the stored value differs from the published one.
        """
        return self.read(self.newest(asset, partition), kind, columns)

    def newest_value(self, asset: tuple[str, ...], partition: str | None, kind: type[Value]) -> Value | None:
        """Read the newest version of an asset's partition; None where nothing was published, or it is a refusal.

        Raises:
            DigestMismatchError: the stored value differs from the published one.
        """
        commit = self.log.newest(asset, partition)
        return self.read(commit, kind) if commit and commit.status == "published" else None

    def of_data(self, asset: tuple[str, ...], partition: str | None, data_version: str) -> Commit | None:
        """Return the newest published version of an asset's partition with that content, or None."""
        for number in range(self.log.newest_number(asset, partition), 0, -1):
            commit = self.log.read(asset, partition, number)
            if commit.status == "published" and commit.data_version == data_version:
                return commit
        return self._below.of_data(asset, partition, data_version) if self._below else None

    def read(self, commit: Commit, kind: type[Value], columns: Sequence[str] | None = None) -> Value:
        """Read the value of a commit, verified; of a table some columns, or all.

        Where rows of a table were forgotten, the table is the rows that stay, with their own fingerprint and receipt.

        Raises:
            ArtifactExpiredError: its files were removed on purpose.
            StorageError: the value is not of that type.
            MissingColumnError: a requested column was not published.
            DigestMismatchError: the stored value differs from the published one.
        """
        codec = _codec_for(kind)
        if codec.name != commit.codec:
            raise StorageError(
                "the artifact is of another kind",
                where=described(commit),
                found=commit.codec,
                expected=f"{codec.name} ({kind.__name__})",
            )

        def decoded(standing: Commit) -> Value:
            value: Value = _fetched(lambda: codec.decode(CommitReader(self.store, standing), kind, columns))
            return value

        return self._of_standing(commit, decoded)

    def standing(self, commit: Commit) -> Commit:
        """Return the commit whose files stand for a version: its own, or those of the rows that were not forgotten.

        Raises:
            ArtifactExpiredError: there are none any more.
        """
        if expiry_of(self.store, commit) is not None:
            remainder = self.log.newest(remainder_of(commit), commit.partition)
            if remainder is not None and is_remainder_of(remainder, commit):
                require_files(self.store, remainder)
                return remainder
            if self._below is None:
                require_files(self.store, commit)
        return self._below.standing(commit) if self._below else commit

    def write_files(self, commit: Commit, folder: Path) -> None:
        """Write a commit's files, verified, into a folder, which is created if missing.

        Raises:
            DigestMismatchError: a stored file differs from the published one.
        """
        folder.mkdir(parents=True, exist_ok=True)

        def write(standing: Commit) -> None:
            reader = CommitReader(self.store, standing)
            for item in standing.objects:
                (folder / item.name).write_bytes(_fetched(partial(reader.verified_bytes, item.name)))

        self._of_standing(commit, write)

    def _of_standing(self, commit: Commit, fetch: Callable[[Commit], Value]) -> Value:
        """Fetch from a version's files; where these are missing, from those that stand for them now."""
        tried = commit
        while True:
            try:
                return fetch(tried)
            except ArtifactNotFoundError:
                standing = self.standing(commit)
                if standing == tried:
                    raise
                tried = standing

    def uri(self, commit: Commit, name: str | None = None) -> str:
        """Return where people find an object of a commit; the first unless it is named.

        Raises:
            StorageError: the commit has no object of that name.
        """
        for item in commit.objects:
            if name in {None, item.name}:
                return self.store.uri(item.key)
        known = ", ".join(item.name for item in commit.objects)
        raise StorageError(
            "no such file was published", where=described(commit), found=str(name), expected=f"one of {known}"
        )

    def _publish(
        self,
        asset: tuple[str, ...],
        partition: str | None,
        value: Any,
        attempt: Attempt,
        *,
        status: Literal["published", "rejected"],
        receipt: GateReceipt | None = None,
        pages: Pages | None = None,
    ) -> Commit:
        codec = _codec_for(type(value))
        repeated = any(self.store.list_objects(attempt_prefix(asset, partition, attempt.attempt_id)))
        with scratch_folder("publish") as folder:
            encoded = codec.encode(value, Path(folder))
            files = {**encoded.files, **_written(pages or {}, Path(folder), taken=encoded.files)}
            objects = self._upload(asset, partition, attempt, files)
        template = Commit(
            asset=asset,
            partition=partition,
            number=0,
            status=status,
            attempt_id=attempt.attempt_id,
            run_id=attempt.run_id,
            created_at=dt.datetime.now(dt.UTC),
            codec=codec.name,
            objects=tuple(objects),
            data_version=encoded.data_version,
            code_version=attempt.code_version,
            inputs=dict(attempt.inputs),
            fingerprint=encoded.fingerprint,
            receipt=receipt or encoded.receipt,
            properties={**encoded.properties, **attempt.properties},
        )

        def draft(number: int) -> Commit:
            _require_following(template, number, attempt)
            self.before_publishing(attempt)
            return template.model_copy(update={"number": number})

        commit = self.log.append(draft, asset, partition, repeated=repeated)
        self.write_feature_file(commit, value)
        return commit

    def write_feature_file(self, commit: Commit, value: Any = None) -> None:
        """Write the file of a feature set from the newest commit of a commit's partition; others have none.

        Args:
            commit: of the partition.
            value: what was published, so that it is not read again.

        Raises:
            StorageError: the store failed.
        """
        if file_key(commit) is not None:
            self.feature_file(value if isinstance(value, Dataset) else None).write(commit)

    def feature_file(self, known: Dataset | None = None) -> FeatureFile:
        """Return what writes the files of feature sets.

        Args:
            known: rows that are at hand; a commit of the same content is not read.
        """

        def rows(commit: Commit) -> Dataset:
            is_known = known is not None and known.fingerprint.digest == commit.data_version
            return known if known is not None and is_known else self.read(commit, Dataset)

        return FeatureFile(self.store, self.log, rows)

    def _upload(
        self, asset: tuple[str, ...], partition: str | None, attempt: Attempt, files: Mapping[str, Path]
    ) -> list[CommittedObject]:
        objects = []
        for name, path in files.items():
            sha256 = file_sha256(path)
            key = object_key(asset, partition, attempt.attempt_id, sha256, name)
            self.store.put_file(key, path)
            objects.append(CommittedObject(name=name, key=key, sha256=sha256, size=path.stat().st_size))
        return objects

    def _refusal(self, commit: Commit) -> GateRejectedError:
        rules = ", ".join(commit.receipt.failed_rules) if commit.receipt else "unknown"
        return GateRejectedError(
            "the data-quality gate rejected this data",
            where=described(commit),
            found=f"failed rules: {rules}; report: {self.uri(commit)}",
            expected="a passed gate",
            remedy="correct the data or the rules, then materialise it again",
        )


def _require_following(template: Commit, number: int, attempt: Attempt) -> None:
    if attempt.follows is not None and number != attempt.follows + 1:
        raise CommitConflictError(
            "another version was published meanwhile",
            where="/".join(template.asset) + (f", partition {template.partition}" if template.partition else ""),
            found=f"version {number - 1}",
            expected=f"version {attempt.follows} as the newest",
            remedy="run again",
        )


def _fetched(fetch: Callable[[], Value]) -> Value:
    """Fetch and verify, and once more where a bit flipped on its way; one that flipped on the disk stays wrong."""
    try:
        return fetch()
    except DigestMismatchError:
        return fetch()


def _written(pages: Pages, folder: Path, *, taken: Mapping[str, Path]) -> dict[str, Path]:
    """Write texts to files; none may replace one of the value's."""
    paths = {}
    for name, text in pages.items():
        if name in taken:
            raise StorageError("a page has the name of one of the value's files", found=name)
        paths[name] = folder / name
        paths[name].write_text(text, encoding="utf-8")
    return paths


def _missing(asset: str, partitions: Sequence[str | None]) -> ArtifactNotFoundError:
    """Return the error for partitions that were never published, with the command that publishes the first."""
    named = [partition for partition in partitions if partition is not None]
    which = f" for {len(named)} partition{'s' if len(named) > 1 else ''}" if named else ""
    option = f" --partition {shlex.quote(named[0])}" if named else ""
    return ArtifactNotFoundError(
        f"nothing is published{which}",
        where=asset + (f", partition {', '.join(named)}" if named else ""),
        remedy=f"dg launch --assets '+key:\"{asset}\"'{option}",
    )


def _codec_for(kind: type[Any]) -> Codec:
    for codec in _CODECS:
        if codec.takes(kind):
            return codec
    raise StorageError(
        "no safe format is known for this kind of value",
        found=getattr(kind, "__name__", str(kind)),
        expected="Dataset, ValidatedDataset, TrainedModel or a Spec",
    )
